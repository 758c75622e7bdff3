// Calling somebody by name: after an @ those who are known here stand below the field as buttons. Not for finding people.

import { fill, html } from "./html.js";
import { t } from "./i18n.js";
import { page } from "./page.js";

const BEGUN = /(?:^|\s)@([^\s@]{0,30})$/u;
const MOST = 6;
const folded = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

/** The names that a field can call; `known` grows with who is met. */
export class Names {
  constructor(field, place) {
    this.field = field;
    this.place = place;
    this.known = new Map(); // names by id
    this.called = new Map(); // ids by name, as they were chosen
    field.addEventListener("input", () => this.offer());
    place.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.choose(button.value, this.known.get(button.value));
    });
  }

  /** Somebody who is in the course. */
  meet(id, name) {
    if (id && name && id !== page.user.id) this.known.set(id, name);
  }

  offer() {
    const begun = BEGUN.exec(this.field.value.slice(0, this.field.selectionStart));
    const words = begun ? folded(begun[1]) : "";
    const fits = (name) => folded(name).split(/\s+/).some((word) => word.startsWith(words));
    const found = begun ? [...this.known].filter(([, name]) => fits(name)).slice(0, MOST) : [];
    this.place.hidden = found.length === 0;
    const buttons = found.map(([id, name]) => html`<button type="button" class="button button-small" value="${id}"><bdi>${name}</bdi></button>`);
    fill(this.place, html`<span class="small muted">${t("chat.names")}</span>${buttons}`);
  }

  choose(id, name) {
    const { value, selectionStart } = this.field;
    const before = value.slice(0, selectionStart).replace(/@[^\s@]{0,30}$/u, `@${name} `);
    this.field.value = before + value.slice(selectionStart);
    this.field.setSelectionRange(before.length, before.length);
    this.called.set(name, id);
    this.place.hidden = true;
    this.field.focus();
  }

  /** The ids of those whom the text calls still. */
  calledIn(text) {
    return [...this.called].filter(([name]) => text.includes(`@${name}`)).map(([, id]) => id).slice(0, 10);
  }
}
