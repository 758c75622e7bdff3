// The client of the live protocol (docs/realtime-protocol.md): one socket for everything live, which comes back by itself
// to exactly what it missed. Reconnect with full jitter, recovery by position, commands with time limits, and the
// server's clock with its error bound. Not for drawing: callers hand in functions.

import { post, Problem, refreshSession } from "./api.js";

const FIRST_DELAY_MS = 500;
const LAST_DELAY_MS = 15_000;
const COMMAND_TIMEOUT_MS = 10_000;
const CONNECT_TIMEOUT_MS = 8_000;
const PING_EVERY_MS = 15_000;
const SYNC_EVERY_MS = 300_000;
const SYNC_SAMPLES = 5;
const CLOSE_SILENT = 4000;
const CLOSE_SESSION_EXPIRED = 4005;
const FIRST_FINAL_CODE = 4500;

/** Why a command was refused; `code` is "offline" when it was not answered. */
export class Refusal extends Error {
  constructor(error) {
    super(error.message ?? error.code);
    this.name = "Refusal";
    this.code = error.code;
    this.fields = error.fields ?? [];
    this.data = error.data ?? {};
  }
}

/** Milliseconds that only go forward; compared with the server's by `ServerClock`. */
export function monotonicMs() {
  return performance.timeOrigin + performance.now();
}

/** The server's time as this client knows it: `nowMs()`, good to ± `errorMs` (Infinity before the first measure). */
export class ServerClock {
  constructor() {
    this.offsetMs = 0;
    this.errorMs = Infinity;
    this.nodeErrorMs = 0;
    this.confirmedAtMs = -Infinity;
  }

  nowMs() {
    return monotonicMs() + this.offsetMs;
  }

  /** Take the sample with the smallest round trip (NTP's formula); t0, t3 are ours, t1, t2 the server's. */
  take(samples) {
    const measured = samples.map(({ t0, t1, t2, t3, clock_error_ms: nodeErrorMs }) => ({
      roundTripMs: Math.max(0, t3 - t0 - (t2 - t1)),
      offsetMs: (t1 - t0 + (t2 - t3)) / 2,
      nodeErrorMs: nodeErrorMs ?? 0,
    }));
    if (measured.length === 0) return;
    const best = measured.reduce((a, b) => (b.roundTripMs < a.roundTripMs ? b : a));
    this.offsetMs = best.offsetMs;
    this.errorMs = best.roundTripMs / 2 + best.nodeErrorMs;
    this.nodeErrorMs = best.nodeErrorMs;
    this.confirmedAtMs = monotonicMs();
  }

  /** A word of the server with its time, sent just now at the latest: our clock is never behind it. */
  confirm(serverMs) {
    if (!Number.isFinite(serverMs)) return;
    if (serverMs > this.nowMs()) this.offsetMs += serverMs - this.nowMs();
    if (Number.isFinite(this.errorMs)) this.confirmedAtMs = monotonicMs();
  }

  /** Nothing is known of late: the machine slept, or its own clock was changed. */
  doubt() {
    this.confirmedAtMs = -Infinity;
  }
}

/** One channel as this client follows it. `position` is null until a snapshot stands behind it. */
class Subscription {
  constructor(client, channel, handlers) {
    Object.assign(this, { client, channel, handlers, position: null, generation: 0 });
  }

  /** Stop following. */
  close() {
    if (this.client.subscriptions.get(this.channel) !== this) return;
    this.client.subscriptions.delete(this.channel);
    this.client.command("unsubscribe", { channel: this.channel }).catch(() => {});
  }
}

/**
 * Events of the client itself: "open", "offline", "ended" (detail: why it will not come back), "notice" (detail: frame).
 */
export class LiveClient extends EventTarget {
  /** @param {{path?: string, ticket?: () => Promise<string>}} options */
  constructor({ path = "/ws", ticket = defaultTicket } = {}) {
    super();
    this.path = path;
    this.ticket = ticket;
    this.clock = new ServerClock();
    this.subscriptions = new Map();
    this.pending = new Map();
    this.nextId = 1;
    this.failures = 0;
    this.socket = null;
    this.isOpen = false;
    this.isStopped = true;
    this.wake = null;
    this.leave = null;
    addEventListener("online", () => this.hurry());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState !== "visible") return;
      if (this.isOpen) this.syncClock();
      else this.hurry();
    });
  }

  /** Connect, and stay connected until `stop` or a final close. */
  start() {
    if (!this.isStopped) return;
    this.isStopped = false;
    this.#run();
  }

  /** Close for good. */
  stop() {
    this.isStopped = true;
    this.socket?.close(1000);
    this.leave?.({ code: 1000 });
    this.hurry();
  }

  /** Try again now instead of waiting. */
  hurry() {
    this.wake?.();
  }

  /** Send a command. Resolves with its result; rejects with a `Refusal`. Not repeated by itself: op ids are the caller's. */
  command(type, fields = {}, { timeoutMs = COMMAND_TIMEOUT_MS } = {}) {
    if (!this.isOpen) return Promise.reject(new Refusal({ code: "offline" }));
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(id, { ok: false, error: { code: "offline" } }), timeoutMs);
      this.pending.set(id, { resolve, reject, timer });
      this.socket.send(JSON.stringify({ ...fields, id, type }));
    });
  }

  /**
   * Follow a channel. `onEvent(frame)` and `onState(frame)` are called in order; `onSnapshot()` whenever the events since
   * the last position cannot be had: it fetches the snapshot, and the position counts only once its promise resolves.
   * `onRefused(refusal)` when the server does not let us. `since` is the `as_of` of a snapshot that the page already shows. `adopted` means that a command has subscribed.
   */
  subscribe(channel, { onEvent = null, onState = null, onSnapshot = null, onRefused = null, since = null, adopted = null } = {}) {
    const subscription = new Subscription(this, channel, { onEvent, onState, onSnapshot, onRefused });
    subscription.position = adopted ?? since;
    this.subscriptions.set(channel, subscription);
    if (this.isOpen && !adopted) this.#follow(subscription);
    return subscription;
  }

  /** Forget a channel without a word: a command will subscribe to it again when the line is back. */
  forget(channel) {
    this.subscriptions.delete(channel);
  }

  /** Measure the server's clock: several round trips, the smallest counts. */
  async syncClock() {
    const samples = [];
    for (let n = 0; n < SYNC_SAMPLES && this.isOpen; n += 1) {
      const t0 = monotonicMs();
      try {
        const reply = await this.command("time.sync", { t0 }, { timeoutMs: 3000 });
        samples.push({ ...reply, t0, t3: monotonicMs() });
      } catch {
        break;
      }
    }
    this.clock.take(samples);
    if (samples.length) this.dispatchEvent(new CustomEvent("clock"));
  }

  async #run() {
    while (!this.isStopped) {
      const closed = await this.#connectOnce();
      if (this.isStopped) return;
      if (closed.isFinal) {
        this.isStopped = true;
        this.dispatchEvent(new CustomEvent("ended", { detail: closed }));
        return;
      }
      await this.#pause(closed.afterMs);
    }
  }

  /** Full jitter: anything between nothing and a bound that doubles, unless the server said when to come back. */
  #pause(afterMs) {
    const boundMs = Math.min(LAST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.failures);
    const delayMs = afterMs ?? Math.random() * boundMs;
    this.failures = Math.min(this.failures + 1, 10);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, delayMs);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    }).finally(() => {
      this.wake = null;
    });
  }

  async #connectOnce() {
    let ticket;
    try {
      ticket = await this.ticket();
    } catch (error) {
      const isFinal = error instanceof Problem && error.status === 401;
      return { isFinal, code: error.code ?? "offline", afterMs: null };
    }
    if (this.isStopped) return { isFinal: false, code: 1000, afterMs: null };
    return new Promise((resolve) => {
      const scheme = location.protocol === "https:" ? "wss:" : "ws:";
      const address = `${scheme}//${location.host}${this.path}?ticket=${encodeURIComponent(ticket)}`;
      const socket = new WebSocket(address, "lms.v1.json");
      this.socket = socket;
      this.comeBackAfterMs = null;
      this.leave = (event) => {
        socket.onmessage = socket.onclose = null;
        clearTimeout(this.connecting);
        resolve(this.#closed(event));
      };
      this.connecting = setTimeout(() => this.drop(), CONNECT_TIMEOUT_MS);
      socket.onmessage = (message) => this.#receive(JSON.parse(message.data));
      socket.onclose = this.leave;
    });
  }

  /** Give the line up at once: a silent one would take its time to close. It is tried again. */
  drop() {
    this.socket?.close(CLOSE_SILENT);
    this.leave?.({ code: CLOSE_SILENT });
  }

  #closed(event) {
    const wasOpen = this.isOpen;
    this.isOpen = false;
    this.leave = null;
    clearInterval(this.pinging);
    clearInterval(this.syncing);
    for (const id of [...this.pending.keys()]) this.#settle(id, { ok: false, error: { code: "offline" } });
    if (wasOpen) this.dispatchEvent(new CustomEvent("offline", { detail: { code: event.code } }));
    // the next ticket is asked for with a fresh session, so an expired one mends itself
    const isFinal = event.code >= FIRST_FINAL_CODE && event.code < 5000;
    const afterMs = event.code === CLOSE_SESSION_EXPIRED ? 0 : this.comeBackAfterMs;
    return { isFinal, code: event.code, afterMs };
  }

  #receive(frame) {
    if (frame.ok !== undefined) this.#settle(frame.id, frame);
    else if (frame.type === "event") this.#event(frame);
    else if (frame.type === "state") this.subscriptions.get(frame.channel)?.handlers.onState?.(frame);
    else if (frame.type === "welcome") this.#welcomed(frame);
    else this.#notice(frame);
  }

  #welcomed(frame) {
    clearTimeout(this.connecting);
    this.isOpen = true;
    this.failures = 0;
    this.welcome = frame;
    this.pinging = setInterval(() => this.#ping(), PING_EVERY_MS);
    this.syncing = setInterval(() => this.syncClock(), SYNC_EVERY_MS);
    this.syncClock();
    for (const subscription of this.subscriptions.values()) this.#follow(subscription);
    this.dispatchEvent(new CustomEvent("open", { detail: frame }));
  }

  #notice(frame) {
    if (frame.type === "reconnect") this.comeBackAfterMs = frame.after_ms;
    if (frame.type === "session_expiring") this.#refreshSession();
    if (frame.type === "unsubscribed") this.subscriptions.delete(frame.channel);
    this.dispatchEvent(new CustomEvent("notice", { detail: frame }));
  }

  /** The same session, longer: the cookies are renewed, and a ticket of the renewed session is shown in place. */
  async #refreshSession() {
    try {
      await refreshSession();
      await this.command("auth.refresh", { ticket: await this.ticket() });
    } catch {
      // the socket will be closed with 4005, and comes back if the session can still be renewed
    }
  }

  async #ping() {
    const socket = this.socket;
    try {
      const { server_time: serverTime } = await this.command("ping", {}, { timeoutMs: 5000 });
      this.clock.confirm(Date.parse(serverTime));
    } catch (error) {
      if (error.code === "offline" && socket === this.socket && this.isOpen) this.drop();
    }
  }

  #settle(id, reply) {
    const waiting = this.pending.get(id);
    if (!waiting) return;
    this.pending.delete(id);
    clearTimeout(waiting.timer);
    if (reply.ok) waiting.resolve(reply.result);
    else waiting.reject(new Refusal(reply.error));
  }

  #event(frame) {
    const subscription = this.subscriptions.get(frame.channel);
    const position = subscription?.position;
    if (!position) return;
    if (frame.epoch === position.epoch && frame.offset <= position.offset) return;
    if (frame.epoch !== position.epoch || frame.offset !== position.offset + 1) {
      this.#follow(subscription);
      return;
    }
    this.#deliver(subscription, frame);
  }

  #deliver(subscription, frame) {
    subscription.position = { epoch: frame.epoch, offset: frame.offset };
    subscription.handlers.onEvent?.(frame);
  }

  /** Subscribe (again) from the last position; without one, or when it is too old, the snapshot is fetched. */
  async #follow(subscription) {
    const generation = ++subscription.generation;
    const since = subscription.position ?? undefined;
    let reply;
    try {
      reply = await this.command("subscribe", { channel: subscription.channel, ...(since ? { since } : {}) });
    } catch (refusal) {
      subscription.handlers.onRefused?.(refusal);
      if (refusal.code === "unavailable") setTimeout(() => this.isOpen && this.#follow(subscription), 2000);
      return;
    }
    if (generation !== subscription.generation || this.subscriptions.get(subscription.channel) !== subscription) return;
    if (reply.recovered) {
      for (const frame of reply.events) this.#deliver(subscription, frame);
      subscription.position = { epoch: reply.epoch, offset: reply.offset };
      return;
    }
    await this.#startAfresh(subscription, generation, { epoch: reply.epoch, offset: reply.offset });
  }

  /** Hold what comes while the snapshot is fetched; a position without its snapshot is never kept. */
  async #startAfresh(subscription, generation, position) {
    const held = [];
    const { onEvent } = subscription.handlers;
    subscription.position = position;
    subscription.handlers.onEvent = (frame) => held.push(frame);
    let isStanding = true;
    try {
      await subscription.handlers.onSnapshot?.();
    } catch {
      isStanding = false;
    }
    subscription.handlers.onEvent = onEvent;
    if (generation !== subscription.generation) return;
    if (!isStanding) {
      subscription.position = null;
      setTimeout(() => this.isOpen && this.#follow(subscription), 1000 + Math.random() * 1000);
      return;
    }
    for (const frame of held) onEvent?.(frame);
  }
}

async function defaultTicket() {
  return (await post("/auth/ws-ticket")).ticket;
}
