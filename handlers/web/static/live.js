// The client of the live protocol (docs/realtime-protocol.md) for browsers: one socket for everything live, which comes back by
// itself with full jitter to exactly what it missed, resends what was not answered, and knows the server's clock with its
// error. The Python client (lms_rt/client) is the same, name by name. Not for drawing: callers hand in functions.

import { Channels } from "./live-channels.js";
import { ClosedError, isFinal, offline, Refusal } from "./live-faults.js";
import { Line } from "./live-line.js";
import { Backoff, monotonicMs, ServerClock } from "./live-pacing.js";

export { Ear } from "./live-ear.js";
export { ClosedError, isFinal, Refusal } from "./live-faults.js";
export { Backoff, monotonicMs, ServerClock } from "./live-pacing.js";

const SUBPROTOCOL = "lms.v1.json";
const COMMAND_TIMEOUT_MS = 10_000;
const OPEN_TIMEOUT_MS = 10_000;
const SYNC_EVERY_MS = 300_000;
const SYNC_ROUNDS = 5;
const CREDENTIAL_TRIES = 3;
const CLOSE_SESSION_EXPIRED = 4005;
const CLOSE_INSUFFICIENT_STATE = 4010;
const CLOSE_NOT_SIGNED_IN = 4501;

/** @typedef {{code: number, reason: string}} Closed */

/**
 * A live connection that lasts. Events: "open" (detail: the welcome), "offline" (detail: {code, reason}), "ended" (detail: why it
 * will not come back), "notice" (detail: the frame), "clock" (the server's clock was measured).
 */
export class LiveClient extends EventTarget {
  /** @type {Line | null} */
  #line = null;
  /** @type {Closed | null} */
  #ended = { code: 0, reason: "not started" };
  #run = 0;
  #refusals = 0;
  #isStale = false;
  #renewedFor = "";
  #keepsClock = false;
  /** @type {Promise<void> | null} */
  #measuring = null;
  /** @type {{resolve: () => void, reject: (refusal: Refusal) => void}[]} */
  #waiting = [];
  /** @type {(() => void) | null} */
  #wake = null;
  /** @type {AbortController | null} */
  #life = null;

  /**
   * Give one of `ticket` (goes into the URL, holds once) and `token` (goes into the first frame). Each is asked at every
   * connection; what it throws is tried again later, but a `ClosedError` ends the client.
   * @param {object} options
   * @param {string} [options.url] of the socket; relative to the page
   * @param {() => Promise<string>} [options.ticket]
   * @param {() => Promise<string>} [options.token]
   * @param {() => Promise<unknown>} [options.refresh] makes the session last longer, where the credentials do not see to that
   * @param {Backoff} [options.backoff]
   */
  constructor({ url = "/ws", ticket, token, refresh, backoff = new Backoff() } = {}) {
    super();
    this.url = url;
    this.ticket = ticket;
    this.token = token;
    this.refresh = refresh;
    this.backoff = backoff;
    this.clock = new ServerClock();
    /** @type {any} */
    this.welcome = {};
    this.connections = 0;
    this.isDegraded = false;
    this.channels = new Channels({
      requireLine: () => this.#requireLine(),
      notify: (frame) => this.#say("notice", frame),
    });
  }

  /** Connect, and stay connected until `close` or a final close. */
  start() {
    if (this.#ended === null) return;
    this.#ended = null;
    this.#life = new AbortController();
    const { signal } = this.#life;
    globalThis.addEventListener?.("online", () => this.hurry(), { signal });
    globalThis.document?.addEventListener(
      "visibilitychange",
      () => {
        if (document.visibilityState !== "visible") return;
        if (!this.isUp) this.hurry();
        else if (this.#keepsClock) this.measureClock();
      },
      { signal },
    );
    const syncing = setInterval(() => this.isUp && this.#keepsClock && this.measureClock(), SYNC_EVERY_MS);
    signal.addEventListener("abort", () => clearInterval(syncing));
    this.#keepUp(++this.#run);
  }

  /** End for good. */
  close() {
    this.#end({ code: 1000, reason: "closed by the caller" });
    this.#line?.close();
    this.hurry();
  }

  /** Is there a line right now? */
  get isUp() {
    return this.#line !== null && this.#line.wasUp && !this.#line.isOver;
  }

  /** Resolves once the line is up and the channels are on their way; rejects when it never will be. */
  async connected() {
    await this.#requireLine();
  }

  /** Try again now instead of waiting. */
  hurry() {
    this.#wake?.();
  }

  /** Give the line up without a word, as a dead network does; the client comes back by itself. */
  drop() {
    this.#line?.drop();
  }

  // --- commands ---

  /**
   * Send once. Resolves with the result; rejects with a `Refusal`, whose code is "offline" when it was not answered in time.
   * @param {string} type
   * @param {object} [fields]
   * @param {object} [options]
   * @param {number} [options.timeoutMs]
   * @param {boolean} [options.isPatient] false: only on the line that there is, refused at once when there is none
   * @returns {Promise<any>}
   */
  async command(type, fields = {}, { timeoutMs = COMMAND_TIMEOUT_MS, isPatient = true } = {}) {
    if (this.isUp) return /** @type {Line} */ (this.#line).command(type, fields, { timeoutMs });
    if (!isPatient) throw offline("lost");
    const begunMs = monotonicMs();
    const line = await this.#requireLine(timeoutMs);
    return line.command(type, fields, { timeoutMs: timeoutMs - (monotonicMs() - begunMs) });
  }

  /**
   * Send until it is answered, over as many lines as it takes: for commands with an `op_id`, or idempotent ones.
   * @param {string} type
   * @param {object} [fields]
   * @param {{timeoutMs?: number}} [options]
   * @returns {Promise<any>}
   */
  async insist(type, fields = {}, options = {}) {
    for (;;) {
      try {
        return await this.command(type, fields, options);
      } catch (refusal) {
        if (!(refusal instanceof Refusal) || refusal.code !== "offline" || refusal.data.why === "ended") throw refusal;
      }
    }
  }

  // --- channels ---

  /**
   * Listen to a channel, now and after every reconnect. Resolves when it stands; rejects with the `Refusal`, which `onRefused`
   * hears too.
   * @param {import("./live-ear.js").Ear} ear
   */
  subscribe(ear) {
    const following = this.channels.subscribe(ear);
    following.catch(() => {}); // whoever does not wait for it has `onRefused`
    return following;
  }

  /**
   * Listen to a channel that a command has subscribed to; its reply's snapshot belongs to `subscription`.
   * @param {import("./live-ear.js").Ear} ear
   * @param {{epoch: string, offset: number}} subscription
   */
  adopt(ear, subscription) {
    this.channels.adopt(ear, subscription);
  }

  /**
   * Stop listening without a word: a command will subscribe to it again.
   * @param {string} channel
   */
  forget(channel) {
    this.channels.forget(channel);
  }

  /**
   * Listen no more.
   * @param {string} channel
   */
  async unsubscribe(channel) {
    this.forget(channel);
    await this.insist("unsubscribe", { channel });
  }

  // --- time ---

  /** Measure the server's clock by several exchanges; the one with the smallest error counts. Never rejects. */
  measureClock(rounds = SYNC_ROUNDS) {
    this.#measuring ??= this.#measured(rounds).finally(() => {
      this.#measuring = null;
    });
    return this.#measuring;
  }

  /** Measure `clock` now or as soon as there is a line, after every reconnect, and every few minutes. */
  async keepClock() {
    this.#keepsClock = true;
    if (this.isUp) await this.measureClock();
  }

  /** @param {number} rounds */
  async #measured(rounds) {
    const samples = [];
    while (samples.length < rounds) {
      const t0 = monotonicMs();
      try {
        const reply = await this.command("time.sync", { t0 });
        samples.push({ ...reply, t0, t3: monotonicMs() });
      } catch {
        break; // the last measure stands; its error grows
      }
    }
    this.clock.take(samples);
    if (samples.length) this.#say("clock");
  }

  // --- keeping it up ---

  /** @param {number} run */
  async #keepUp(run) {
    while (this.#ended === null && run === this.#run) {
      const line = await this.#liveOnce();
      if (line) this.#heedClose(line);
      if (this.#ended === null && run === this.#run) await this.#pause(line);
    }
  }

  /** One line, from its opening to its end; null when there was none to be had. */
  async #liveOnce() {
    let credentials;
    try {
      if (this.#isStale) await this.refresh?.();
      this.#isStale = false;
      credentials = { ticket: await this.ticket?.(), token: await this.token?.() };
    } catch (error) {
      if (error instanceof ClosedError) this.#end(error);
      return null;
    }
    return this.#ended === null ? this.#opened(credentials) : null;
  }

  /**
   * @param {{ticket?: string, token?: string}} credentials
   * @returns {Promise<Line>}
   */
  #opened({ ticket, token }) {
    const address = new URL(this.url, globalThis.location?.href);
    address.protocol = address.protocol.replace("http", "ws");
    if (ticket !== undefined) address.searchParams.set("ticket", ticket);
    const socket = new WebSocket(address, SUBPROTOCOL);
    return new Promise((resolve) => {
      const line = new Line(socket, {
        onWelcome: (welcome) => this.#welcomed(line, welcome),
        onFrame: (frame) => this.#take(frame),
        onOver: (closed) => {
          clearTimeout(opening);
          this.#lost(line, closed);
          resolve(line);
        },
      });
      const opening = setTimeout(() => line.wasUp || line.drop(), OPEN_TIMEOUT_MS);
      this.#line = line;
      if (token === undefined) return;
      // refused or not, what follows says it: a welcome, or a close code
      socket.onopen = () => line.command("auth", { token }, { timeoutMs: OPEN_TIMEOUT_MS }).catch(() => {});
    });
  }

  /**
   * @param {Line} line
   * @param {any} welcome
   */
  #welcomed(line, welcome) {
    this.welcome = welcome;
    this.connections += 1;
    this.isDegraded = false;
    this.#refusals = 0;
    line.watch((serverTime) => this.clock.confirm(Date.parse(serverTime)));
    this.channels.followAll();
    if (this.#keepsClock) this.measureClock();
    for (const waiting of this.#waiting.splice(0)) waiting.resolve();
    this.#say("open", welcome);
  }

  /**
   * @param {Line} line
   * @param {Closed} closed
   */
  #lost(line, closed) {
    if (this.#line === line) this.#line = null;
    if (line.wasUp) this.#say("offline", closed);
  }

  /**
   * What its close code asks for. A line that stood, or was cut by no word of the server, ends a row of failures.
   * @param {Line} line
   */
  #heedClose(line) {
    const { closeCode: code } = line;
    if (isFinal(code)) this.#end({ code, reason: "final" });
    if (code === CLOSE_INSUFFICIENT_STATE) this.channels.forgetPositions();
    if (code === CLOSE_SESSION_EXPIRED) this.#isStale = true;
    if (code === CLOSE_SESSION_EXPIRED && !line.wasUp && ++this.#refusals === CREDENTIAL_TRIES) {
      this.#end({ code: CLOSE_NOT_SIGNED_IN, reason: "token_expired" });
    }
    if (line.wasUp && (line.isCut || line.hasLasted)) this.backoff.reset();
  }

  /** @param {Line | null} line */
  #pause(line) {
    const isAtOnce = line?.closeCode === CLOSE_SESSION_EXPIRED && line.hasLasted;
    const delayMs = isAtOnce ? 0 : (line?.reconnectAfterMs ?? this.backoff.nextMs());
    return new Promise((/** @type {(_?: void) => void} */ resolve) => {
      const timer = setTimeout(resolve, delayMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    }).finally(() => {
      this.#wake = null;
    });
  }

  /** @param {Closed} closed */
  #end({ code, reason }) {
    if (this.#ended !== null) return;
    this.#ended = { code, reason };
    this.#life?.abort();
    for (const waiting of this.#waiting.splice(0)) waiting.reject(offline("ended"));
    if (code !== 1000) this.#say("ended", this.#ended);
  }

  /**
   * The line that is up, or the next one.
   * @param {number} [timeoutMs]
   * @returns {Promise<Line>}
   */
  async #requireLine(timeoutMs) {
    while (!this.isUp) {
      if (this.#ended !== null && this.#run > 0) throw offline("ended");
      await new Promise((/** @type {(_?: void) => void} */ resolve, reject) => {
        const waiting = { resolve, reject };
        this.#waiting.push(waiting);
        if (timeoutMs === undefined) return;
        const timer = setTimeout(() => {
          this.#waiting = this.#waiting.filter((each) => each !== waiting);
          reject(offline("timeout"));
        }, timeoutMs);
        waiting.resolve = () => (clearTimeout(timer), resolve());
      });
    }
    return /** @type {Line} */ (this.#line);
  }

  // --- what comes in ---

  /** @param {any} frame */
  #take(frame) {
    if (frame.type === "event" || frame.type === "state") {
      this.channels.take(frame);
      return;
    }
    if (frame.type === "degraded" || frame.type === "restored") this.isDegraded = frame.type === "degraded";
    if (frame.type === "unsubscribed") this.channels.lose(frame.channel, new Refusal(frame));
    this.#say("notice", frame);
    if (frame.type === "session_expiring") this.#renewSession(frame.session_expires_at);
  }

  /**
   * The same session, longer, on the same line; once for each end of it that the server tells of.
   * @param {string} expiresAt
   */
  async #renewSession(expiresAt) {
    if (this.#renewedFor === expiresAt || !(this.ticket || this.token)) return;
    this.#renewedFor = expiresAt;
    try {
      await this.refresh?.();
      const fields = this.ticket ? { ticket: await this.ticket() } : { token: await this.token?.() };
      await this.command("auth.refresh", fields, { isPatient: false });
    } catch {
      // the socket will be closed with 4005, and comes back if the session can still be renewed
    }
  }

  /**
   * @param {string} name
   * @param {any} [detail]
   */
  #say(name, detail = null) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
