// The clock of the quiz room: what is surely left by the server's time, less the error of what we know of it. Shown quietly,
// spoken at thresholds only. Closes nothing: it says when the time is up.

import { fill, html } from "./html.js";
import { countdown, digits, moment, t } from "./i18n.js";
import { monotonicMs } from "./live.js";

const MINUTES_ABOVE_MS = 600_000;
const UNSURE_ERROR_MS = 1000;
const UNSURE_AFTER_MS = 60_000;
const JUMP_MS = 2000;
const THRESHOLDS_MS = [600_000, 300_000, 60_000, 30_000, 10_000];
const SHOWN_MS = new Set([300_000, 60_000]);

/** Events: "up" (the time is over), "threshold" (detail: {words, isShown}). */
export class RoomClock extends EventTarget {
  constructor({ face, button, panel, serverClock, resync }) {
    super();
    Object.assign(this, { face, button, panel, serverClock, resync, deadlineMs: null, startedMs: 0, isStill: false });
    Object.assign(this, { stillMs: 0, isUp: false, isStopped: false, isHidden: false, changes: [], told: new Set(), timer: 0 });
    this.wallGap = Date.now() - monotonicMs();
    button.addEventListener("click", () => this.toggle(panel.hidden));
    document.addEventListener("visibilitychange", () => this.tick());
  }

  /** The time of the attempt as the server tells it. Gives the change in ms of the deadline. */
  set({ deadline_at: deadlineAt, started_at: startedAt, status, remaining_ms: remainingMs }) {
    const before = this.deadlineMs;
    this.deadlineMs = deadlineAt ? Date.parse(deadlineAt) : null;
    if (startedAt) this.startedMs = Date.parse(startedAt);
    if (status) this.isStill = status === "paused";
    if (this.isStill) this.stillMs = remainingMs ?? 0;
    if (this.remainingMs > 0) this.isUp = false;
    if (!this.timer) this.#start();
    else this.tick();
    return before === null || this.deadlineMs === null ? 0 : this.deadlineMs - before;
  }

  /** Is there a time limit? */
  get isTimed() {
    return this.deadlineMs !== null;
  }

  /** What is surely left; Infinity when untimed, NaN while no clock is known. */
  get remainingMs() {
    if (!this.isTimed) return Infinity;
    if (this.isStill) return this.stillMs;
    if (!Number.isFinite(this.serverClock.errorMs)) return NaN;
    return this.deadlineMs - this.serverClock.nowMs() - this.serverClock.errorMs;
  }

  /** Do we know the time only roughly? */
  get isUnsure() {
    return this.serverClock.errorMs > UNSURE_ERROR_MS || monotonicMs() - this.serverClock.confirmedAtMs > UNSURE_AFTER_MS;
  }

  #start() {
    if (this.startedMs) {
      const half = (this.deadlineMs - this.startedMs) / 2;
      this.thresholds = [...new Set([half, ...THRESHOLDS_MS])].filter((left) => left <= 2 * half).sort((a, b) => a - b);
    } else this.thresholds = THRESHOLDS_MS.toSorted((a, b) => a - b);
    // what has passed before this page came is not told again
    for (const left of this.thresholds) if (this.remainingMs < left) this.told.add(this.#mark(left));
    this.tick();
  }

  #mark(left) {
    return `${this.deadlineMs} ${left}`;
  }

  /** Show what is left, and do so again when that changes. */
  tick() {
    clearTimeout(this.timer);
    if (this.isStopped) return;
    this.#noticeJump();
    const left = this.remainingMs;
    this.#show(left);
    if (!this.isStill && left <= 0 && !this.isUp) {
      this.isUp = true;
      this.dispatchEvent(new CustomEvent("up"));
    }
    if (!this.isStill && this.isOffline) this.#tellByOurselves(left);
    const wait = left > 0 && left < Infinity ? (left % 1000) + 5 : 1000;
    this.timer = setTimeout(() => this.tick(), Math.min(1000, wait));
  }

  /** A machine that slept, or whose clock was set: what we knew is in doubt until the server has spoken. */
  #noticeJump() {
    const gap = Date.now() - monotonicMs();
    if (Math.abs(gap - this.wallGap) <= JUMP_MS) return;
    this.wallGap = gap;
    this.serverClock.doubt();
    this.resync();
  }

  #show(left) {
    if (!this.panel.hidden) this.#showDetails();
    const words = this.isHidden ? t("room.show_time") : this.#words(left);
    if (this.face.textContent !== words) this.face.textContent = words;
    this.face.dataset.unsure = String(this.isTimed && this.isUnsure && !this.isHidden);
    if (left <= 300_000) this.face.closest("[data-clock]").dataset.near = String(left > 0 && !this.isStill);
  }

  #words(left) {
    if (!this.isTimed) return t("room.untimed");
    if (Number.isNaN(left)) return "–:––";
    if (this.isUnsure && !this.isStill) return t("room.unsure", { time: countdown(left), error: this.#errorText(0) });
    if (left > MINUTES_ABOVE_MS) return t("room.minutes", { count: Math.floor(left / 60_000) });
    return countdown(left);
  }

  #errorText(places) {
    const seconds = this.serverClock.errorMs / 1000;
    const shown = Math.max(Math.ceil(seconds * 10 ** places) / 10 ** places, 10 ** -places);
    return digits(shown.toFixed(places));
  }

  /** The panel below the clock: opened by it, or by F8. */
  toggle(isOpen) {
    this.panel.hidden = !isOpen;
    this.button.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) this.#showDetails();
    if (isOpen) this.dispatchEvent(new CustomEvent("opened"));
  }

  #showDetails() {
    const clock = this.serverClock;
    const rows = [[t("room.server_time"), Number.isFinite(clock.errorMs) ? moment(clock.nowMs(), "time-seconds") : "–"]];
    if (Number.isFinite(clock.errorMs)) rows.push([t("room.exact_to"), t("room.seconds_error", { error: this.#errorText(1) })]);
    if (this.isTimed) rows.push([t("room.ends"), this.isStill ? t("room.stands_still") : moment(this.deadlineMs, "time-seconds")]);
    const list = this.panel.querySelector("dl");
    const markup = html`${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd><bdi>${value}</bdi></dd></div>`)}`;
    if (list.dataset.shown !== markup.text) fill(list, markup);
    list.dataset.shown = markup.text;
    const changes = this.panel.querySelector("[data-changes]");
    changes.hidden = this.changes.length === 0;
    if (changes.childElementCount !== this.changes.length) fill(changes, html`${this.changes.map((words) => html`<li>${words}</li>`)}`);
  }

  /** Note a change of the time for the panel. */
  noteChange(words) {
    this.changes.push(words);
  }

  /** Hide the time, or show it again. */
  hide(isHidden) {
    this.isHidden = isHidden;
    this.tick();
  }

  /** A threshold that the server announced. */
  announce(remainingMs) {
    const left = this.thresholds.find((each) => Math.abs(each - remainingMs) < 3000);
    if (left !== undefined) this.#tell(left);
  }

  /** Without a line, the same thresholds by our own reckoning. */
  #tellByOurselves(remaining) {
    const left = this.thresholds.find((each) => remaining <= each && remaining > 0);
    if (left !== undefined && left - remaining < 5000) this.#tell(left);
  }

  #tell(left) {
    if (this.told.has(this.#mark(left))) return;
    this.told.add(this.#mark(left));
    this.dispatchEvent(new CustomEvent("threshold", { detail: { words: this.leftInWords(left), isShown: SHOWN_MS.has(left) } }));
  }

  /** "12 minutes left". */
  leftInWords(ms = this.remainingMs) {
    if (!this.isTimed) return t("room.untimed");
    if (Number.isNaN(ms)) return t("room.time_unknown");
    const seconds = Math.max(0, Math.floor(ms / 1000));
    if (seconds < 60) return t("room.seconds_left", { count: seconds });
    return t("room.minutes_left", { count: Math.floor(seconds / 60) });
  }

  /** The attempt is closed. */
  stop() {
    this.isStopped = true;
    clearTimeout(this.timer);
    this.face.textContent = t("room.over");
    this.face.dataset.unsure = "false";
    this.face.closest("[data-clock]").dataset.near = "false";
  }
}
