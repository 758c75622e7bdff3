// The attempt of a quiz room with all its parts put together. What is saved the ledger knows, the time the clock, the line
// the presence; here is what follows from them for the whole page: where one is, whether one may write, and how it ends.

import { moment, t } from "./i18n.js";
import { page } from "./page.js";
import { isSendable } from "./room-answers.js";
import { RoomClock } from "./room-clock.js";
import { Controls } from "./room-controls.js";
import { Cover } from "./room-cover.js";
import { Drafts } from "./room-drafts.js";
import { Ledger } from "./room-ledger.js";
import { Line } from "./room-line.js";
import { Navigator } from "./room-navigator.js";
import { Presence } from "./room-presence.js";
import { QuestionView } from "./room-question.js";
import { ClosedView, ReviewView } from "./room-review.js";
import { Messages, StatusLine } from "./room-status.js";
import { say } from "./say.js";

const OPEN = new Set(["in_progress", "paused"]);
const byId = (id) => document.getElementById(id);

/** The attempt of this page with all its parts. */
export class Room {
  constructor(copy, store, live) {
    const { attempt, course_title: courseTitle, isCopy = false } = copy;
    this.isCopy = isCopy;
    Object.assign(this, { attempt, courseTitle, store, live, isReadOnly: false, isOffline: false, isClosed: false, isTimeUp: false });
    Object.assign(this, { isPaused: attempt.status === "paused", isBegun: false, lastPlace: 1, marked: new Set(copy.marked ?? []) });
    this.questions = attempt.questions.map((question, i) => ({ ...question, place: i + 1 }));
    this.byId = new Map(this.questions.map((question) => [question.id, question]));
    this.titleRest = [attempt.quiz_title, courseTitle, page.site_name].filter(Boolean).join(" · ");
    this.line = new Line(live, attempt.id);
    this.ledger = new Ledger({ questions: this.questions, line: this.line, store });
    this.ledger.isHeld = true;
    this.drafts = new Drafts((questionId, value) => this.save(questionId, value));
    this.status = new StatusLine(byId("status-line"));
    this.messages = new Messages(byId("messages"), () => (Number.isFinite(live.clock.errorMs) ? live.clock.nowMs() : Date.now()));
    this.messages.onRead = () => this.status.clear("announcement");
    this.clock = new RoomClock({
      face: byId("clock"),
      button: byId("clock-button"),
      panel: byId("clock-panel"),
      serverClock: live.clock,
      resync: () => live.measureClock(),
    });
    this.navigator = new Navigator({
      place: byId("navigator"),
      questions: this.questions,
      stateOf: (id) => this.ledger.state(id),
      isMarked: (id) => this.marked.has(id),
    });
    this.controls = new Controls(this);
    this.cover = new Cover(this);
    this.view = new QuestionView(this);
    this.review = new ReviewView(this);
    this.closing = new ClosedView(this);
  }

  /** May something be typed here now? */
  get isWritable() {
    return !(this.isReadOnly || this.isPaused || this.isClosed || this.isTimeUp);
  }

  /** Begin: what the page brought, what the device kept; the line follows. */
  async begin() {
    await this.ledger.load();
    this.ledger.take(this.attempt);
    this.ledger.addEventListener("change", (event) => this.#changed(event.detail));
    this.#wireClock();
    this.#wireMoves();
    this.navigator.refresh();
    this.isBegun = true;
    this.go(false);
    this.#changed(null);
    if (!OPEN.has(this.attempt.status)) {
      await this.#wasClosed();
      return;
    }
    this.isBegunOpen = true;
    this.presence = new Presence(this);
    this.controls.take(this.attempt);
    this.pause(this.isPaused, this.attempt);
    this.presence.begin();
    if (this.isCopy) this.presence.setOffline(true);
    if (this.store.isBlocked) this.controls.announce(t("room.blocked_store"));
    this.store.onBlocked = () => this.controls.announce(t("room.blocked_store"));
    await this.keepCopy();
  }

  /** It was closed before this page came: what this device still holds is looked up, then told or forwarded. */
  async #wasClosed() {
    const have = this.ledger.waitingIds;
    const { missing } = have.length ? await this.line.sync(have).catch(() => ({ missing: have })) : { missing: [] };
    this.closed({ ...this.attempt, missing, asked: have }, this.attempt.submitted_by);
  }

  // --- answers ---

  /** A new value of an answer. */
  save(questionId, value) {
    if (this.isClosed) return;
    if (isSendable(this.byId.get(questionId), value)) this.ledger.put(questionId, value);
    else this.ledger.refuse(questionId, value, "no_number");
  }

  #changed(questionId) {
    if (!this.isBegun) return;
    this.navigator.refresh(questionId);
    if (questionId === null || questionId === this.view.question?.id) this.view.refresh();
    this.review.refresh();
    this.showLine();
    this.keepSoon();
    clearTimeout(this.lineTimer);
    this.lineTimer = setTimeout(() => {
      this.navigator.refresh(questionId);
      this.view.refresh();
      this.showLine();
    }, 350);
    if (this.isTimeUp && !this.isClosed) this.closing.checking(this.isOffline);
  }

  /** The questions as they are now: words that were corrected change in place, answers stay. */
  renewQuestions(questions) {
    for (const fresh of questions) {
      const known = this.byId.get(fresh.id);
      const next = { ...known, correction: undefined, ...fresh };
      if (!known || JSON.stringify(next) === JSON.stringify({ correction: undefined, ...known })) continue;
      Object.assign(known, next);
      if (this.isBegun && this.view.question === known) this.view.renew();
    }
    this.attempt = { ...this.attempt, questions };
    this.keepSoon();
  }

  /** What the status line says of the answers. */
  showLine() {
    const { saved, saving, waiting, conflict, refused } = this.ledger.counts;
    const find = (kind) => this.questions.find((question) => this.ledger.state(question.id).kind === kind);
    if (conflict) {
      const { place } = find("conflict");
      this.status.set("conflict", t("room.conflict_line", { number: place }), { action: t("room.conflict_show"), act: () => this.to(place) });
    } else this.status.clear("conflict");
    if (waiting && !this.isTimeUp) {
      this.status.set("notsent", waiting === 1 ? t("room.not_sent", { number: find("waiting").place }) : t("room.not_sent_many", { count: waiting }));
    } else if (refused && !this.isTimeUp) {
      const { place } = find("refused");
      const here = { action: t("room.conflict_show"), act: () => this.to(place) };
      const isHere = this.view.question?.place === place && !this.isInReview;
      this.status.set("notsent", t("room.not_accepted", { number: place }), { ...(isHere ? {} : here), look: ["bad", "refused"] });
    } else this.status.clear("notsent");
    if (saving) this.status.set("saving", t("room.saving"));
    else this.status.clear("saving");
    this.status.set("saved", saved ? t("room.all_saved", { count: saved }) : t("room.none_saved"), saved ? {} : { look: ["", "info"] });
    byId("clock-summary").textContent = this.summary();
  }

  /** "12 minutes left, 11 of 20 saved, 0 waiting". */
  summary() {
    const { saved, total, waiting, saving } = this.ledger.counts;
    return t("room.summary", { left: this.clock.leftInWords(), saved, total, waiting: waiting + saving });
  }

  // --- where one is ---

  #wireMoves() {
    addEventListener("hashchange", () => this.go(true));
    byId("open-sheet").addEventListener("click", () => this.navigator.openSheet());
    document.addEventListener("keydown", (event) => {
      if (event.key !== "F8") return;
      event.preventDefault();
      say(this.summary());
    });
    addEventListener("pagehide", () => this.leave());
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.drafts.flushAll();
      this.line.tellSight();
    });
  }

  /** To a question by its place. */
  to(place) {
    if (location.hash === `#q${place}`) this.go(true);
    else location.hash = `#q${place}`;
  }

  /** Show what the address says. */
  go(isFocused) {
    if (location.hash === "#main") return;
    this.drafts.flushAll();
    const isReview = location.hash === "#review";
    const asked = Number(/^#q(\d+)$/.exec(location.hash)?.[1] ?? (isReview ? this.lastPlace : 1));
    const question = this.questions[Math.min(Math.max(asked, 1), this.questions.length) - 1];
    this.lastPlace = question.place;
    this.isInReview = isReview;
    this.navigator.current = isReview ? "" : question.id;
    this.navigator.refresh();
    this.#showMoves(question.place);
    this.showView();
    this.showLine();
    if (this.isClosed || this.isTimeUp) return;
    if (isReview) this.review.show(isFocused);
    else this.view.show(question, isFocused && !this.isPaused);
    if (this.isPaused && !isReview && isFocused) this.cover.focus();
    if (!isReview) this.line.tell("attempt.look", { question_id: question.id });
  }

  /** Just one of the views is there. */
  showView() {
    const isOver = this.isClosed || this.isTimeUp;
    byId("closed-view").hidden = !isOver;
    byId("cover-view").hidden = isOver || !this.isPaused || this.isInReview;
    byId("review-view").hidden = isOver || !this.isInReview;
    byId("question-view").hidden = isOver || this.isPaused || this.isInReview;
    byId("moves").hidden = isOver;
    byId("aside").hidden = isOver;
  }

  #showMoves(place) {
    const [previous, next] = [byId("previous"), byId("next")];
    const isLast = place === this.questions.length;
    previous.href = `#q${Math.max(1, place - 1)}`;
    previous.toggleAttribute("data-off", place === 1 && !this.isInReview);
    if (this.isInReview) previous.href = `#q${place}`;
    next.href = isLast ? "#review" : `#q${place + 1}`;
    next.toggleAttribute("data-off", this.isInReview);
    byId("next-words").textContent = t(isLast ? "room.review_short" : "room.next");
    byId("place").textContent = t("room.place", { number: place, total: this.questions.length });
  }

  /** The page goes: what waits is handed over as far as the browser lets us. */
  leave() {
    this.drafts.flushAll();
    this.store.leave(this.isClosed ? [] : this.ledger.waiting);
    if (!this.isClosed && !this.isReadOnly) this.line.saveOnLeaving(this.ledger.waiting);
  }

  // --- time ---

  #wireClock() {
    this.clock.addEventListener("up", () => this.timeUp());
    this.clock.addEventListener("threshold", ({ detail: { words, isShown } }) => {
      say(words);
      if (isShown) this.status.set("changed", words, { forMs: 15_000 });
    });
    this.clock.addEventListener("opened", () => {
      byId("clock-summary").textContent = this.summary();
      say(this.summary());
    });
    byId("clock-hide").addEventListener("click", ({ currentTarget: button }) => {
      const isHidden = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(isHidden));
      this.clock.hide(isHidden);
    });
    const close = (event) => {
      if (byId("clock-panel").hidden || event.target.closest?.("[data-clock]")) return;
      this.clock.toggle(false);
    };
    document.addEventListener("click", close);
    document.addEventListener("focusin", close);
    byId("clock-panel").parentElement.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      this.clock.toggle(false);
      byId("clock-button").focus();
    });
  }

  /** The time as the server tells it now; an end that was moved is said (`isTold`: that is done already). */
  setTime(times, { isTold = false } = {}) {
    const movedMs = this.clock.set(times);
    this.deadlineAt = times.deadline_at;
    if (this.isPaused) this.cover.showLine();
    if (Math.abs(movedMs) >= 1000 && !isTold) this.controls.explain(movedMs, times.deadline_at);
    if (this.isTimeUp && !this.isClosed && this.clock.remainingMs > 0) this.#reopen();
  }

  /** Paused or going on: the question is covered and the focus taken, then both are given back. */
  pause(isPaused, times) {
    const wasPaused = this.isPaused;
    this.isPaused = isPaused;
    if (isPaused) this.drafts.flushAll();
    this.setTime({ ...times, status: isPaused ? "paused" : "in_progress" }, { isTold: true });
    this.ledger.isHeld = isPaused || this.isReadOnly || !this.presence?.isInStep;
    if (isPaused) this.cover.show();
    else if (wasPaused) this.cover.lift();
  }

  // --- the end ---

  /** The client's time is over: the last words are sent while the grace runs, then it is the server's turn to speak. */
  timeUp() {
    if (this.isTimeUp || this.isClosed) return;
    this.drafts.flushAll();
    this.isTimeUp = true;
    this.showView();
    this.presence.askUntilClosed();
    this.tellTimeUp(true);
  }

  tellTimeUp(isSpoken = false) {
    const waiting = this.ledger.waiting.length;
    const words = this.isOffline ? t("room.time_up_offline", { count: waiting }) : t("room.time_up");
    this.status.set("timeup", words, this.presence.wayBack);
    this.closing.checking(this.isOffline);
    if (isSpoken) say(words);
  }

  #reopen() {
    this.isTimeUp = false;
    this.status.clear("timeup");
    this.go(true);
  }

  /** Closed, as the server says: `attempt` with its answers, or the reply of a sync. */
  closed(attempt, by) {
    if (this.isClosed) return;
    this.isClosed = true;
    this.ledger.take(attempt);
    this.ledger.closeAll();
    this.clock.stop();
    this.presence?.stop();
    for (const kind of ["paused", "readonly", "offline", "notsent", "conflict", "changed"]) this.status.clear(kind);
    if (!this.isBegunOpen && this.ledger.counts.late === 0) {
      this.store.clear();
      location.replace(`/attempts/${encodeURIComponent(this.attempt.id)}/results`);
      return;
    }
    const isMine = by === "student";
    const words = this.closing.words(attempt, by);
    this.status.set("timeup", words, { look: ["ok", "saved"] });
    this.showView();
    this.closing.done(attempt, by);
    if (this.ledger.counts.late === 0) this.store.clear();
    else this.keepCopy();
    this.line.lease = null;
  }

  // --- what stays on this device ---

  /** The copy for a reload without a line. */
  async keepCopy() {
    const { errorMs } = this.live.clock;
    const answers = Object.fromEntries([...this.ledger.entries].filter(([, entry]) => entry.stored).map(([id, entry]) => [id, entry.stored]));
    await this.store.keepCopy({
      attempt: { ...this.attempt, answers, revision: this.ledger.revision, deadline_at: this.deadlineAt === undefined ? this.attempt.deadline_at : this.deadlineAt },
      course_title: this.courseTitle,
      marked: [...this.marked],
      clock: Number.isFinite(errorMs) ? { offset_ms: this.live.clock.nowMs() - Date.now(), error_ms: errorMs } : null,
    });
  }

  /** Soon, once for many changes; a change that follows never puts it off, or a busy hand would keep no copy at all. */
  keepSoon() {
    this.keepTimer ??= setTimeout(() => {
      this.keepTimer = null;
      if (!this.isClosed) this.keepCopy();
    }, 50);
  }
}
