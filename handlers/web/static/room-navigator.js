// The navigator of the quiz room: one link for each question with its state, beside the question or in a sheet. Links are
// addresses (#q7), so that Back goes to the question seen before.

import { openDialog } from "./dialog.js";
import { fill, html, icon } from "./html.js";
import { number, t } from "./i18n.js";

const ICONS = { saved: "saved", saving: "saving", waiting: "waiting", conflict: "conflict", refused: "refused", late: "late", empty: "empty" };
const LEGEND = ["saved", "empty", "waiting"];

/** Draws the list into `place`, again at each `refresh`; in a sheet for phones. */
export class Navigator {
  constructor({ place, questions, stateOf, isMarked }) {
    Object.assign(this, { place, questions, stateOf, isMarked, current: "", shown: new Map(), sheet: null });
  }

  /** Everything anew, or one question. */
  refresh(questionId = null) {
    for (const place of [this.place, this.sheet?.querySelector("[data-navigator]")]) if (place) this.#draw(place, questionId);
  }

  #draw(place, questionId) {
    const list = place.querySelector(".navigator");
    if (!list?.dataset.isAlive) {
      const items = this.questions.map((question) => this.#item(question));
      fill(place, html`<ol class="navigator" data-is-alive="1">${items}</ol>${this.#legend()}`);
      return;
    }
    for (const question of this.questions) {
      if (questionId && question.id !== questionId) continue;
      const item = list.children[question.place - 1];
      const markup = this.#item(question);
      if (item.dataset.shown === markup.text) continue;
      const hadFocus = item.contains(document.activeElement);
      item.dataset.shown = markup.text;
      const holder = fill(document.createElement("ol"), markup);
      item.replaceChildren(...holder.firstElementChild.childNodes);
      if (hadFocus) item.firstElementChild.focus();
    }
  }

  #item(question) {
    const isText = question.question_type === "description";
    const { kind } = this.stateOf(question.id);
    const state = isText ? "" : kind === "hush" ? "saving" : kind;
    const isMarked = this.isMarked(question.id);
    const words = [t(isText ? "room.text_number" : "room.question", { number: question.place }), state && t(`room.kind_${state}`), isMarked && t("room.marked")];
    const isHere = question.id === this.current;
    return html`<li><a class="navigator-item" href="#q${question.place}" data-state="${state}"${isHere ? html` aria-current="true"` : ""} aria-label="${words.filter(Boolean).join(t("room.comma"))}">${icon(isText ? "text" : ICONS[state])}<span>${number(question.place)}</span>${isMarked ? icon("flag") : ""}</a></li>`;
  }

  #legend() {
    const rows = LEGEND.map((kind) => html`<li>${icon(ICONS[kind])}${t(`room.kind_${kind}`)}</li>`);
    return html`<ul class="plain legend small muted" aria-hidden="true">${rows}<li>${icon("flag")}${t("room.marked")}</li></ul>`;
  }

  /** On a phone: the same in a sheet, with the way to Review. */
  openSheet() {
    this.sheet = openDialog({
      title: t("room.questions"),
      kind: "dialog sheet",
      body: html`<nav aria-label="${t("room.questions")}" data-navigator></nav><a class="button button-wide" href="#review" data-review>${t("room.review")}</a>`,
      onClose: () => {
        this.sheet = null;
      },
    });
    this.sheet.addEventListener("click", (event) => {
      const link = event.target.closest("a[href^='#']");
      if (!link) return;
      event.preventDefault();
      this.sheet.close();
      location.hash = link.getAttribute("href");
    });
    this.refresh();
  }
}
