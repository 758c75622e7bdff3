// The cover of the quiz room while it is paused: the question out of sight, the focus on its heading, and both given back when
// the teacher goes on. Also who gets the focus when what had it is gone. Not for the time.

import { countdown, t } from "./i18n.js";
import { say } from "./say.js";

const HEADINGS = ["closed-heading", "cover-heading", "review-heading", "question-heading"];
const RESUMED_MS = 30_000;
const byId = (id) => document.getElementById(id);

/** Is the focus there lost: on the page as a whole, or on something that is not to be seen? */
const isLost = (element) => !element || element === document.body || element.checkVisibility?.() === false;

/** To `element`, when it can be used; else to the heading of what is shown. */
function giveFocus(element = null) {
  if (element?.isConnected && !isLost(element)) element.focus({ preventScroll: true });
  if (!isLost(document.activeElement)) return;
  const heading = HEADINGS.map(byId).find((each) => each && !isLost(each));
  heading?.focus({ preventScroll: true });
}

/** Covers and uncovers. */
export class Cover {
  constructor(room) {
    Object.assign(this, { room, before: null });
    // a dialog gives the focus back to what opened it, which may be gone by now
    document.addEventListener("close", () => setTimeout(() => isLost(document.activeElement) && giveFocus()), true);
  }

  /** What the line says while no time runs. */
  showLine() {
    const { clock, status } = this.room;
    status.set("paused", clock.isTimed ? t("room.paused", { left: countdown(clock.remainingMs) }) : t("room.paused_untimed"));
  }

  /** Over the question. */
  show() {
    if (this.before) return;
    this.before = { focused: document.activeElement, scrollTop: document.scrollingElement.scrollTop };
    const { reason } = this.room.controls;
    byId("cover-reason").textContent = reason ? t("room.reason", { reason }) : "";
    this.#redraw();
    this.focus();
  }

  focus() {
    byId("cover-heading").focus({ preventScroll: true });
  }

  /** Off again: where one was, one is. */
  lift() {
    const { room, before } = this;
    this.before = null;
    room.status.clear("paused");
    this.#redraw();
    if (before) document.scrollingElement.scrollTop = before.scrollTop;
    if (isLost(document.activeElement)) giveFocus(before?.focused);
    room.ledger.sendAll();
    const words = t("room.resumed", { left: room.clock.leftInWords() });
    room.status.set("announcement", words, { forMs: RESUMED_MS });
    say(words);
  }

  #redraw() {
    const { room } = this;
    room.showView();
    room.view.refresh();
    room.review.refresh();
  }
}
