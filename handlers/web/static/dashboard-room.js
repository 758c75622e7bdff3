// The room view: a card for each student, in the order of their names, repainted in place. Arrows move as the cards
// stand, Space ticks, Enter opens. Not for the table (dashboard-table.js).

import { fill, html, icon } from "./html.js";
import { page } from "./page.js";
import { cellsOf, tickMarkup } from "./dashboard-table.js";

const list = document.getElementById("room");
const isMirrored = document.dir === "rtl";

function cardMarkup(row) {
  return html`<li class="dash-card" data-attempt="${row.attempt_id}">${tickMarkup(row)}<button type="button" class="dash-open" tabindex="-1"><span class="dash-name" dir="auto">${row.full_name}</span>
    <span class="dash-where"></span><span class="dash-card-foot small"><span class="dash-of"></span><span class="dash-remaining"></span></span><progress max="${Math.max(1, page.data.total)}" value="0" aria-hidden="true"></progress></button></li>`;
}

/** One card: its places, and what they show. */
class Card {
  constructor(element) {
    const part = (name) => element.querySelector(name);
    Object.assign(this, { element, attemptId: element.dataset.attempt, where: part(".dash-where"), done: part(".dash-of"), left: part(".dash-remaining"), progress: part("progress"), tick: part(".dash-tick input"), shown: {} });
  }

  paint(cells, isSelected) {
    const { kind, iconName, words } = cells.where;
    if (this.shown.kind !== kind) {
      fill(this.where, html`${icon(iconName)}<span></span>`);
      this.element.dataset.where = this.shown.kind = kind;
      this.shown.where = null;
    }
    this.#text("where", this.where.lastElementChild, words);
    if (this.#text("done", this.done, cells.answered.words)) this.progress.value = cells.answered.count;
    this.#text("left", this.left, cells.left.words);
    this.left.toggleAttribute("data-short", cells.left.isShort);
    if (!this.tick || this.shown.isSelected === isSelected) return;
    this.tick.checked = this.shown.isSelected = isSelected;
    this.element.toggleAttribute("data-selected", isSelected);
  }

  #text(name, place, words) {
    if (this.shown[name] === words) return false;
    place.textContent = this.shown[name] = words;
    return true;
  }
}

/** The cards of the present page. */
export class RoomView {
  constructor(picture, { onOpen, selection }) {
    Object.assign(this, { picture, selection, cards: [], inView: new Set() });
    this.sight = new IntersectionObserver((entries) => this.#see(entries), { rootMargin: "100px" });
    list.addEventListener("click", (event) => {
      const button = event.target.closest(".dash-open");
      if (button) onOpen(button.parentElement.dataset.attempt);
    });
    list.addEventListener("change", (event) => selection.set([event.target.closest("li").dataset.attempt], event.target.checked));
    list.addEventListener("keydown", (event) => this.#move(event));
    list.addEventListener("focusin", (event) => this.#rove(event.target.closest(".dash-open")));
  }

  /** Show these attempts; none where the table is shown. */
  show(attemptIds, nowMs) {
    const isSame = attemptIds.length === this.cards.length && this.cards.every((card, n) => card.attemptId === attemptIds[n]);
    if (!isSame) {
      fill(list, html`${attemptIds.map((id) => cardMarkup(this.picture.students.get(id)))}`);
      this.sight.disconnect();
      this.inView.clear();
      this.cards = [...list.children].map((element) => new Card(element));
      for (const card of this.cards) this.sight.observe(card.element);
      this.#rove(list.querySelector(".dash-open"));
    }
    for (const card of this.cards) this.#paint(card, nowMs);
  }

  /** Bring the cards that are in view up to date; the others when they come into it. */
  paint(nowMs) {
    this.nowMs = nowMs;
    for (const card of this.cards) if (this.inView.has(card.element)) this.#paint(card, nowMs);
  }

  #paint(card, nowMs) {
    const row = this.picture.students.get(card.attemptId);
    if (row) card.paint(cellsOf(row, this.picture, nowMs), this.selection.has(card.attemptId));
  }

  #see(entries) {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) this.inView.add(target);
      else this.inView.delete(target);
    }
    if (this.nowMs) this.paint(this.nowMs);
  }

  #rove(button) {
    if (!button) return;
    for (const other of list.querySelectorAll('.dash-open[tabindex="0"]')) other.tabIndex = -1;
    button.tabIndex = 0;
  }

  #move(event) {
    const at = this.cards.findIndex((card) => card.element.contains(document.activeElement));
    if (at < 0 || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === " " && page.data.may_control && document.activeElement.matches(".dash-open")) {
      event.preventDefault();
      this.selection.toggle(this.cards[at].attemptId);
      return;
    }
    const columns = getComputedStyle(list).gridTemplateColumns.split(" ").length;
    const side = isMirrored ? -1 : 1;
    const steps = { ArrowRight: side, ArrowLeft: -side, ArrowDown: columns, ArrowUp: -columns, Home: -at, End: this.cards.length - 1 - at };
    if (steps[event.key] === undefined) return;
    event.preventDefault();
    const to = Math.min(this.cards.length - 1, Math.max(0, at + steps[event.key]));
    this.cards[to].element.querySelector(".dash-open").focus();
  }
}
