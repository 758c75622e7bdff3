// Being in the attempt: coming back over the socket or by REST, being the writer or only reading, being offline, and asking
// until it is known how the attempt ended. What an answer's fate is, the ledger knows.

import { read } from "./api.js";
import { t } from "./i18n.js";
import { Ear } from "./live.js";
import { page } from "./page.js";
import { channelHandlers, ownHandlers } from "./room-events.js";
import { isUnreached } from "./room-line.js";
import { say, sayNow } from "./say.js";
import { askToSignIn } from "./shell.js";

const OFFLINE_AFTER_MS = 2000;
const ASK_OFFLINE_MS = 3000;
const ASK_BY_REST_MS = 10_000;
const ASK_CLOSED_MS = 1000;
const RESUME_AGAIN_MS = 1500;
const LOOK_AGAIN_MS = 2000; // behind the renewal of who is here, and not all pages at once
const LATENESS_TOLD_MS = 1000; // after its welcome a line says whether live events are late
const LATENESS = new Set(["degraded", "restored"]);
const OPEN = new Set(["in_progress", "paused"]);

/** The presence of this page in its attempt. `isInStep`: what the server holds is known, sending may go on. */
export class Presence {
  constructor(room) {
    Object.assign(this, { room, live: room.live, line: room.line, isInStep: false, isStopped: false, hasEnded: false });
    Object.assign(this, { generation: 0, askTimer: 0, wasOffline: false, resumedAt: -Infinity });
    this.channel = `attempt:${room.attempt.id}`;
    this.handlers = channelHandlers(room, this);
  }

  /** Go on line. */
  begin() {
    const { live, room } = this;
    live.addEventListener("open", () => {
      this.resume();
      setTimeout(() => this.#tellLateness(), LATENESS_TOLD_MS);
    });
    live.addEventListener("notice", ({ detail }) => LATENESS.has(detail.type) && this.#tellLateness());
    live.addEventListener("offline", () => this.#lost());
    live.addEventListener("ended", (event) => this.#ended(event.detail));
    room.ledger.addEventListener("refused", (event) => this.#refused(event.detail));
    room.ledger.addEventListener("change", () => this.#tellRecovery());
    const onEvent = ownHandlers(room, this);
    if (page.user) live.subscribe(new Ear(`user:${page.user.id}`, { onEvent }));
    live.subscribe(new Ear("system", { onEvent }));
    addEventListener("offline", () => this.live.isUp || this.#lost());
    this.#askSoon(OFFLINE_AFTER_MS + 500);
    live.start();
  }

  /** The attempt is closed: nothing more is asked. */
  stop() {
    this.isStopped = true;
    clearTimeout(this.askTimer);
    clearTimeout(this.refusedTimer);
  }

  // --- in step ---

  /** Come back over the socket. */
  async resume() {
    if (this.isStopped) return;
    const generation = ++this.generation;
    this.resumedAt = performance.now();
    let attempt;
    try {
      attempt = await this.line.resume();
      this.#listen(attempt.subscription);
    } catch {
      setTimeout(() => generation === this.generation && this.live.isUp && this.resume(), RESUME_AGAIN_MS);
      return;
    }
    if (generation === this.generation) await this.#inStep(attempt).catch(() => this.live.drop());
  }

  /** Where this page is; the server knows it only as long as it remembers who is here. */
  #tellLook() {
    const { room } = this;
    const { question } = room.view;
    if (question && !room.isInReview) this.line.tell("attempt.look", { question_id: question.id });
    this.line.tellSight();
  }

  #listen(subscription) {
    const ear = new Ear(this.channel, this.handlers);
    if (subscription) this.live.adopt(ear, subscription);
    else this.live.subscribe(ear);
  }

  async #inStep(attempt) {
    const { room } = this;
    clearTimeout(this.askTimer);
    if (!OPEN.has(attempt.status)) {
      await this.ask();
      return;
    }
    room.ledger.take(attempt);
    if (room.ledger.waiting.length) room.ledger.take(await this.line.sync(room.ledger.waitingIds));
    this.#isReached(attempt, attempt.lease !== null);
    this.#tellLook();
  }

  /** The server has spoken: on line, in step, the writer or not. */
  #isReached(times, isWriter) {
    const { room } = this;
    this.isInStep = true;
    this.setOffline(false);
    room.controls.take(times);
    const isTold = Boolean(times.messages);
    if (room.isPaused !== (times.status === "paused")) room.pause(times.status === "paused", times);
    else room.setTime(times, { isTold });
    this.setReadOnly(!isWriter, "elsewhere");
    room.ledger.isHeld = room.isPaused || room.isReadOnly;
    room.ledger.sendAll();
    this.#tellRecovery();
    room.keepSoon();
  }

  /** Ask what the server holds and how the attempt stands. */
  async ask() {
    const { room } = this;
    const reply = await this.line.sync(room.ledger.waitingIds);
    if (OPEN.has(reply.status)) await room.controls.catchUp(reply.live_version);
    if (room.isClosed) return;
    if (OPEN.has(reply.status)) {
      room.ledger.take(reply);
      this.#isReached(reply, reply.writer.is_me);
      return;
    }
    const attempt = await read(this.line.path, { isQuiet: true }).catch(() => reply);
    this.setOffline(false);
    room.closed({ ...attempt, missing: reply.missing, asked: reply.asked }, attempt.submitted_by ?? "deadline");
  }

  /** The channel is heard anew: ask, and say where this page is, for a server that was told before may have forgotten it. */
  async askAnew() {
    await this.ask();
    this.#tellLook();
  }

  // --- the line ---

  #lost() {
    this.isInStep = false;
    this.live.forget(this.channel);
    this.#askSoon(OFFLINE_AFTER_MS);
  }

  #askSoon(ms) {
    if (this.isStopped) return;
    clearTimeout(this.askTimer);
    this.askTimer = setTimeout(() => this.#askByRest(), ms);
  }

  /** Without a socket: by REST, which may still be open; else we are offline. */
  async #askByRest() {
    if (this.isStopped || (this.live.isUp && this.isInStep)) return;
    try {
      await this.ask();
      if (!this.live.isUp) this.live.hurry();
      this.#askSoon(ASK_BY_REST_MS);
    } catch (error) {
      this.#isUnanswered(error);
      this.#askSoon(ASK_OFFLINE_MS);
    }
  }

  /** It could not be asked how the attempt stands: the way to the server fails, or it does not know us any more. */
  #isUnanswered(error) {
    if (error.status === 401) this.#tellEnded();
    else if (isUnreached(error)) this.setOffline(true);
  }

  setOffline(isOffline) {
    const { room } = this;
    if (room.isOffline === isOffline) return;
    room.isOffline = isOffline;
    room.clock.isOffline = isOffline;
    if (isOffline) {
      this.isInStep = false;
      this.wasOffline = true;
      this.#showOffline();
      if (!room.isTimeUp) say(this.#offlineWords);
    } else {
      this.hasEnded = false;
      room.status.clear("offline");
    }
    if (room.isTimeUp && !room.isClosed) room.tellTimeUp(isOffline);
    room.review.refresh();
  }

  get #offlineWords() {
    return t(this.hasEnded ? "room.session_ended" : "room.offline");
  }

  #showOffline() {
    this.room.status.set("offline", this.#offlineWords, this.wayBack);
  }

  /** What a line of the status offers whose session has ended: signing in, in place, when it is asked for. */
  get wayBack() {
    return this.hasEnded ? { action: t("room.sign_in"), act: () => this.#signIn() } : {};
  }

  async #signIn() {
    if (!(await askToSignIn())) return;
    this.live.start();
    this.live.hurry();
    this.#askSoon(0);
  }

  /** Recovery is spoken once all that waited is saved. */
  #tellRecovery() {
    const { room } = this;
    if (!this.wasOffline || room.isOffline || !this.isInStep || room.isClosed || room.ledger.waiting.length) return;
    this.wasOffline = false;
    const { saved } = room.ledger.counts;
    const words = saved ? t("room.reconnected", { count: saved }) : t("room.reconnected_plain");
    room.status.set("announcement", words, { forMs: 8000, look: ["ok", "saved"] });
    say(words);
  }

  /** Live events come late, or in time again. Answers are saved all the same; of other screens' we were not told. */
  #tellLateness() {
    const { live, room } = this;
    const isLate = live.isDegraded;
    if (!live.isUp || room.isClosed || room.status.has("late") === isLate) return;
    const words = t(isLate ? "room.late" : "room.late_over");
    if (isLate) room.status.set("late", words);
    else {
      room.status.clear("late");
      room.status.set("announcement", words, { forMs: 8000, look: ["ok", "live"] });
      if (room.isReadOnly) this.lookSoon();
      setTimeout(() => this.isStopped || this.#tellLook(), LOOK_AGAIN_MS * (0.5 + Math.random() / 2));
    }
    say(words);
  }

  #ended({ code }) {
    const { room } = this;
    if (room.isClosed) return;
    if (typeof code === "string" || code === 4501) this.#tellEnded();
    setTimeout(() => this.live.start(), 15_000);
    this.#askSoon(OFFLINE_AFTER_MS);
  }

  /** The session has ended: said, with the way back; writing goes on, and nothing is lost or opens by itself. */
  #tellEnded() {
    if (this.hasEnded) return;
    this.hasEnded = true;
    if (!this.room.isOffline) {
      this.setOffline(true);
      return;
    }
    this.#showOffline();
    if (this.room.isTimeUp) this.room.tellTimeUp();
    else say(this.#offlineWords);
  }

  // --- what was refused ---

  #refused({ code, error }) {
    if (this.isStopped) return;
    if (code === "offline") {
      if (this.live.isUp && error.status !== 401) this.live.drop();
      this.#askSoon(0);
    } else if (code === "not_writer" && this.live.isUp) {
      if (performance.now() - this.resumedAt > RESUME_AGAIN_MS) this.resume();
      else this.setReadOnly(true, "taken_over");
    } else if (!this.room.isTimeUp) {
      // paused or closed: how it stands is asked, but not as fast as it is refused
      clearTimeout(this.refusedTimer);
      this.refusedTimer = setTimeout(() => this.ask().catch(() => this.#askSoon(ASK_OFFLINE_MS)), ASK_CLOSED_MS);
    }
  }

  /** The time is over: ask until the server says that it is closed, or that there is more time. */
  askUntilClosed() {
    const again = () => {
      const { room } = this;
      if (room.isClosed || !room.isTimeUp || this.isStopped) return;
      this.ask().then(
        () => setTimeout(again, ASK_CLOSED_MS),
        (error) => {
          this.#isUnanswered(error);
          setTimeout(again, ASK_CLOSED_MS * 2);
        },
      );
    };
    setTimeout(again, ASK_CLOSED_MS);
  }

  // --- one writer ---

  /** Read-only, or writing again; `why`: taken_over or elsewhere. */
  setReadOnly(isReadOnly, why) {
    const { room } = this;
    if (room.isReadOnly === isReadOnly) return;
    if (isReadOnly) room.drafts.flushAll();
    room.isReadOnly = isReadOnly;
    room.ledger.isHeld = isReadOnly || room.isPaused;
    if (isReadOnly) {
      const words = t(`room.${why}`);
      room.status.set("readonly", words, { action: t("room.continue_here"), act: () => this.takeOver() });
      sayNow(words);
      room.status.focus();
    } else room.status.clear("readonly");
    document.body.dataset.readonly = String(isReadOnly);
    room.view.refresh();
    room.review.refresh();
  }

  /** Continue here: this page becomes the writer at once, and sends what it still holds. */
  async takeOver() {
    const { room } = this;
    try {
      const attempt = await this.line.takeOver();
      if (attempt.subscription) this.#listen(attempt.subscription);
      await this.#inStep(attempt);
    } catch (error) {
      room.controls.announce(error.message || t("client.failed"));
      return;
    }
    if (room.isReadOnly || room.isClosed) return;
    say(t("room.continuing"));
    room.go(true);
  }

  /** Another screen has saved something: show what is stored now. */
  lookSoon() {
    clearTimeout(this.lookTimer);
    this.lookTimer = setTimeout(async () => {
      if (this.isStopped) return;
      const reply = await this.line.sync([]).catch(() => null);
      if (reply) this.room.ledger.take({ revision: reply.revision, answers: reply.answers });
    }, 250);
  }
}
