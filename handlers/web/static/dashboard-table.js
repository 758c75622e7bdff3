// The table of students: fifty a page, in an order that stays until somebody asks for another, repainted in place.
// Arrows move among the rows, Space ticks, Enter opens one. Not for deciding who matches (dashboard-marks.js).

import { fill, html, icon } from "./html.js";
import { countdown, number, points, t } from "./i18n.js";
import { marksOf } from "./dashboard-marks.js";
import { page } from "./page.js";

const MARK_MS = 1000;
const COLUMNS = ["where", "question", "answered", "left", "score"];
const NUMBERS = new Set(["left", "score"]);
const body = document.getElementById("rows");

/** What stands in "Now": the icon, the words, and what colours them. */
function whereOf(row, marks) {
  if (!marks.isOpen) return ["in", "saved", t("dashboard.in")];
  if (row.status === "paused") return ["paused", "paused", t("dashboard.paused")];
  if (marks.away) {
    const key = marks.away.isExact ? "away_for" : "away_over";
    return [marks.long_away ? "long" : "away", marks.long_away ? "alert" : "away", t(`dashboard.${key}`, { time: countdown(marks.away.ms) })];
  }
  if (row.isPlaceUnknown) return ["unknown", "away", "–"];
  if (marks.conflict) return ["conflict", "conflict", t("dashboard.conflict")];
  if (marks.credit) return ["credit", "lost", t("dashboard.asks_time", { time: countdown((row.credit_asked_seconds ?? 0) * 1000) })];
  if (marks.stuck) return ["stuck", "flag", t("dashboard.stuck", { count: Math.floor(marks.stuckMs / 60000) })];
  if (marks.isHidden) return ["hidden", "eye", t("dashboard.hidden")];
  return marks.isTakenOver ? ["moved", "device", t("dashboard.moved")] : ["here", "here", t("dashboard.here")];
}

/** The words of every cell but the name's. */
export function cellsOf(row, picture, nowMs) {
  const marks = marksOf(row, picture, nowMs);
  marks.stuckMs = nowMs - row.progressMs;
  const [kind, iconName, words] = whereOf(row, marks);
  const question = picture.questions.get(row.question_id);
  return {
    where: { kind, iconName, words },
    question: question && marks.isOpen ? t("dashboard.q", { number: question.order }) : "–",
    answered: { count: row.answered_count, words: t("dashboard.of", { part: number(row.answered_count), whole: number(page.data.total) }) },
    left: { words: marks.leftMs === null ? "–" : countdown(marks.leftMs), isShort: marks.isShort && !marks.isPaused },
    score: row.score === null || !Number(row.max_score) ? "–" : t("dashboard.of", { part: points(row.score), whole: points(row.max_score) }),
  };
}

/** The box that selects a student; none where nobody may control. */
export function tickMarkup(row) {
  if (!page.data.may_control) return "";
  return html`<label class="dash-tick"><input type="checkbox" tabindex="-1" aria-label="${t("dashboard.select", { name: row.full_name })}"></label>`;
}

function rowMarkup(row) {
  const again = row.attempt_number > 1 ? html` <span class="small muted">${t("dashboard.attempt", { number: row.attempt_number })}</span>` : "";
  const cell = (name) => html`<td data-label="${t(`dashboard.column_${name}`)}" class="${NUMBERS.has(name) ? "number" : ""}"></td>`;
  return html`<tr data-attempt="${row.attempt_id}">
    <th scope="row"><span class="dash-first">${tickMarkup(row)}<button type="button" class="dash-open" tabindex="-1"><span class="dash-name" dir="auto">${row.full_name}</span>${again}</button></span></th>
    ${COLUMNS.map(cell)}</tr>`;
}

/** One row on the page: its cells, and what they show. */
class ShownRow {
  constructor(element) {
    this.element = element;
    this.attemptId = element.dataset.attempt;
    this.cells = Object.fromEntries(COLUMNS.map((name, n) => [name, element.children[n + 1]]));
    fill(this.cells.where, html`<span class="dash-where"></span>`);
    fill(this.cells.answered, html`<span class="dash-done"><progress max="${Math.max(1, page.data.total)}" value="0" aria-hidden="true"></progress><span class="dash-of"></span></span>`);
    this.tick = element.querySelector(".dash-tick input");
    this.shown = {};
    this.timers = {};
  }

  /** Show whether it is selected. */
  paintTick(isSelected) {
    if (!this.tick || this.shown.isSelected === isSelected) return;
    this.tick.checked = this.shown.isSelected = isSelected;
    this.element.toggleAttribute("data-selected", isSelected);
  }

  paint(cells, isFirst) {
    this.#paintWhere(cells.where, isFirst);
    this.#text("question", this.cells.question, cells.question, isFirst);
    if (this.#text("answered", this.cells.answered.querySelector(".dash-of"), cells.answered.words, isFirst)) {
      this.cells.answered.querySelector("progress").value = cells.answered.count;
    }
    this.#text("left", this.cells.left, cells.left.words, true);
    this.cells.left.toggleAttribute("data-short", cells.left.isShort);
    this.#text("score", this.cells.score, cells.score, isFirst);
  }

  #paintWhere({ kind, iconName, words }, isFirst) {
    const place = this.cells.where.firstElementChild;
    if (this.shown.kind !== kind) {
      fill(place, html`${icon(iconName)}<span></span>`);
      this.cells.where.dataset.where = kind;
      if (!isFirst) this.#mark("where", this.cells.where);
      this.shown.kind = kind;
      this.shown.where = null;
    }
    if (this.shown.where !== words) place.lastElementChild.textContent = this.shown.where = words;
  }

  #text(name, element, words, isQuiet) {
    if (this.shown[name] === words) return false;
    element.textContent = this.shown[name] = words;
    if (!isQuiet) this.#mark(name, this.cells[name]);
    return true;
  }

  /** An edge for a second: this has just changed. */
  #mark(name, cell) {
    cell.setAttribute("data-marked", "");
    clearTimeout(this.timers[name]);
    this.timers[name] = setTimeout(() => cell.removeAttribute("data-marked"), MARK_MS);
  }
}

/** The rows of the present page. */
export class StudentTable {
  constructor(picture, { onOpen, selection }) {
    Object.assign(this, { picture, selection, rows: [] });
    this.all = document.getElementById("select-page");
    this.all?.addEventListener("change", () => selection.set(this.rows.map((row) => row.attemptId), this.all.checked));
    body.addEventListener("change", (event) => {
      const row = event.target.closest("tr[data-attempt]");
      if (row) selection.set([row.dataset.attempt], event.target.checked);
    });
    body.addEventListener("click", (event) => {
      const row = event.target.closest("tr[data-attempt]");
      if (!row || event.target.closest(".dash-tick") || getSelection()?.toString()) return;
      row.querySelector(".dash-open").focus({ preventScroll: true });
      onOpen(row.dataset.attempt);
    });
    body.addEventListener("keydown", (event) => this.#move(event));
    body.addEventListener("focusin", (event) => this.#rove(event.target.closest(".dash-open")));
  }

  /** Show these attempts, in this order; rows that stay keep their place in the page and the focus. */
  show(attemptIds, nowMs) {
    const known = new Map(this.rows.map((row) => [row.attemptId, row]));
    const isSame = attemptIds.length >= this.rows.length && this.rows.every((row, n) => row.attemptId === attemptIds[n]);
    const added = attemptIds.filter((id) => !isSame || !known.has(id));
    const fresh = document.createElement("tbody");
    fill(fresh, html`${added.map((id) => rowMarkup(this.picture.students.get(id)))}`);
    if (isSame && this.rows.length) body.append(...fresh.children);
    else body.replaceChildren(...fresh.children);
    this.rows = [...body.children].map((element) => (isSame && known.get(element.dataset.attempt)) || new ShownRow(element));
    const isReachable = this.rows.some((row) => row.element.querySelector(".dash-open").tabIndex === 0);
    if (!isReachable) this.#rove(body.querySelector(".dash-open"));
    for (const row of this.rows) if (row.shown.where === undefined) this.#paint(row, nowMs, true);
    this.paintTicks();
  }

  /** Bring the cells up to date. */
  paint(nowMs) {
    for (const row of this.rows) this.#paint(row, nowMs, false);
  }

  /** Show who is selected, and whether all of this page are. */
  paintTicks() {
    for (const row of this.rows) row.paintTick(this.selection.has(row.attemptId));
    if (!this.all) return;
    const count = this.rows.filter((row) => this.selection.has(row.attemptId)).length;
    this.all.checked = count > 0 && count === this.rows.length;
    this.all.indeterminate = count > 0 && count < this.rows.length;
  }

  #paint(row, nowMs, isFirst) {
    const student = this.picture.students.get(row.attemptId);
    if (student) row.paint(cellsOf(student, this.picture, nowMs), isFirst);
  }

  #rove(button) {
    if (!button) return;
    for (const other of body.querySelectorAll('.dash-open[tabindex="0"]')) other.tabIndex = -1;
    button.tabIndex = 0;
  }

  #move(event) {
    const buttons = [...body.querySelectorAll(".dash-open")];
    const at = buttons.indexOf(document.activeElement);
    if (at >= 0 && event.key === " " && page.data.may_control) {
      event.preventDefault(); // it would press the name, which opens
      this.selection.toggle(this.rows[at].attemptId);
      return;
    }
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (at < 0 || to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    buttons[Math.min(buttons.length - 1, Math.max(0, to))].focus();
  }
}
