// Whom a control is for: everybody, those shown, a group, or those selected; and who is selected. Not for sending.

import { fill, html } from "./html.js";
import { number, t } from "./i18n.js";
import { groupsOf, isOpen } from "./dashboard-marks.js";

const select = document.getElementById("scope");
const clear = document.getElementById("unselect");

/** The attempts that somebody has ticked. They stay while they are open, whatever page or filter is shown. */
export class Selection {
  constructor({ onChange }) {
    this.ids = new Set();
    this.onChange = onChange;
    clear?.addEventListener("click", () => {
      this.empty();
      select.focus();
    });
  }

  has(attemptId) {
    return this.ids.has(attemptId);
  }

  set(attemptIds, isChosen) {
    for (const id of attemptIds) {
      if (isChosen) this.ids.add(id);
      else this.ids.delete(id);
    }
    this.onChange();
  }

  toggle(attemptId) {
    this.set([attemptId], !this.ids.has(attemptId));
  }

  empty() {
    this.ids.clear();
    this.onChange();
  }
}

/** The choice above the controls. `shown()` gives the attempts that filter and name leave. */
export class Scope {
  constructor(picture, selection, { shown, onChange }) {
    Object.assign(this, { picture, selection, shown, drawn: "", hadSelection: false });
    select?.addEventListener("change", onChange);
  }

  get value() {
    return select?.value ?? "all";
  }

  /** The rows that are meant, open ones only. */
  rows() {
    const all = this.picture.students;
    const [kind, group] = this.#parts();
    const ids = { shown: () => this.shown(), selected: () => this.selection.ids }[kind]?.();
    const rows = ids ? [...ids].map((id) => all.get(id)).filter(Boolean) : [...all.values()];
    return rows.filter((row) => isOpen(row) && (kind !== "group" || row.group === group));
  }

  /** The same as the API takes it; `rows` are those that the teacher was shown. */
  body(rows) {
    const [kind, group] = this.#parts();
    if (kind === "all") return {};
    return kind === "group" ? { group } : { attempt_ids: rows.map((row) => row.attempt_id) };
  }

  /** Whom it is for, in words. */
  words(count) {
    const [kind, group] = this.#parts();
    return t(`dashboard.for_${kind}`, { count, number: number(count), group });
  }

  /** Bring the choice up to date; ticking the first student chooses those who are ticked. */
  paint() {
    if (!select) return;
    const count = this.selection.ids.size;
    const groups = groupsOf(this.picture);
    const wanted = JSON.stringify([groups, count > 0]);
    if (wanted !== this.drawn) this.#draw(groups, count > 0);
    this.drawn = wanted;
    if (count && !this.hadSelection) select.value = "selected";
    this.hadSelection = count > 0;
    const option = select.querySelector('[value="selected"]');
    const words = t("dashboard.scope_selected", { count });
    if (option && option.textContent !== words) option.textContent = words;
    clear.toggleAttribute("data-wanted", count > 0);
    clear.tabIndex = count || document.activeElement === clear ? 0 : -1;
    clear.setAttribute("aria-disabled", String(!count));
  }

  #draw(groups, hasSelection) {
    const before = select.value;
    fill(
      select,
      html`<option value="all">${t("dashboard.scope_all")}</option><option value="shown">${t("dashboard.scope_shown")}</option>
        ${groups.map((group) => html`<option value="group:${group}" dir="auto">${t("dashboard.scope_group", { group })}</option>`)}
        ${hasSelection ? html`<option value="selected"></option>` : ""}`,
    );
    select.value = [...select.options].some((option) => option.value === before) ? before : "all";
  }

  #parts() {
    const [kind, ...rest] = this.value.split(":");
    return [kind, rest.join(":")];
  }
}
