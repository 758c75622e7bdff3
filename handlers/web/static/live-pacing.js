// The times and amounts that a client of the live protocol keeps: when to try again, how fast to ask, how late it is there.
// Part of live.js.

const COMMANDS_PER_SECOND = 25;
const COMMANDS_BURST = 50; // both below what the server allows (30 and 60): a stalled network must not look like a flood
const DRIFT = 1e-4; // two ordinary clocks part by up to 100 µs in each second

/** Milliseconds that only go forward; compared with the server's by `ServerClock`. */
export function monotonicMs() {
  return performance.timeOrigin + performance.now();
}

/** Full jitter: a random wait below a bound that doubles with each failure. */
export class Backoff {
  #failures = 0;

  /**
   * @param {number} firstMs
   * @param {number} mostMs
   */
  constructor(firstMs = 500, mostMs = 15_000) {
    this.firstMs = firstMs;
    this.mostMs = mostMs;
  }

  /** How long to wait before the next try. */
  nextMs() {
    const boundMs = Math.min(this.mostMs, this.firstMs * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 20);
    return Math.random() * boundMs;
  }

  /** It worked. */
  reset() {
    this.#failures = 0;
  }
}

/** Lets commands through in their order, no faster than the server takes them and not too many unanswered ones. */
export class Pace {
  /** @type {(() => void)[]} */
  #waiting = [];
  #left = COMMANDS_BURST;
  #unanswered = 0;
  #atMs = monotonicMs();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * Call `go` when its turn comes: at once, where there is room. Every call of `go` is followed by one of `leave`.
   * @param {() => void} go
   */
  enter(go) {
    this.#waiting.push(go);
    this.#drain();
  }

  /** A reply came, or nobody waits for it any more. */
  leave() {
    this.#unanswered -= 1;
    this.#drain();
  }

  /** The line is over: whoever waits for a turn is told by other ways. */
  lift() {
    this.#waiting = [];
    clearTimeout(this.#timer);
  }

  #drain() {
    const nowMs = monotonicMs();
    this.#left = Math.min(COMMANDS_BURST, this.#left + ((nowMs - this.#atMs) / 1000) * COMMANDS_PER_SECOND);
    this.#atMs = nowMs;
    while (this.#waiting.length && this.#left >= 1 && this.#unanswered < COMMANDS_BURST) {
      this.#left -= 1;
      this.#unanswered += 1;
      /** @type {() => void} */ (this.#waiting.shift())();
    }
    clearTimeout(this.#timer);
    if (!this.#waiting.length || this.#unanswered >= COMMANDS_BURST) return;
    this.#timer = setTimeout(() => this.#drain(), ((1 - this.#left) / COMMANDS_PER_SECOND) * 1000 + 1);
  }
}

/**
 * The server's time as this client knows it: `nowMs()`, right within `errorMs` (Infinity before the first measure), which
 * grows from measure to measure, as clocks part.
 */
export class ServerClock {
  #errorMs = Infinity;
  #measuredAtMs = 0;

  constructor() {
    this.offsetMs = 0;
    this.confirmedAtMs = -Infinity;
  }

  /** Epoch milliseconds on the server's clock. */
  nowMs() {
    return monotonicMs() + this.offsetMs;
  }

  /** How far `nowMs()` may be off. */
  get errorMs() {
    return this.#errorMs + (monotonicMs() - this.#measuredAtMs) * DRIFT;
  }

  /**
   * Of several exchanges the one with the smallest error counts; t0, t3 are ours, t1, t2 the server's.
   * @param {{t0: number, t1: number, t2: number, t3: number, clock_error_ms?: number}[]} samples
   */
  take(samples) {
    const found = samples.map(({ t0, t1, t2, t3, clock_error_ms: nodeErrorMs = 0 }) => ({
      offsetMs: (t1 - t0 + (t2 - t3)) / 2,
      errorMs: Math.max(0, t3 - t0 - (t2 - t1)) / 2 + nodeErrorMs,
    }));
    if (found.length === 0) return;
    const best = found.reduce((a, b) => (b.errorMs < a.errorMs ? b : a));
    this.restore(best);
    this.confirmedAtMs = monotonicMs();
  }

  /**
   * Go on with what was known before; it counts as unconfirmed.
   * @param {{offsetMs: number, errorMs: number}} known
   */
  restore({ offsetMs, errorMs }) {
    this.offsetMs = offsetMs;
    this.#errorMs = errorMs;
    this.#measuredAtMs = monotonicMs();
    this.doubt();
  }

  /**
   * A word of the server with its time, sent just now at the latest: our clock is never behind it.
   * @param {number} serverMs
   */
  confirm(serverMs) {
    if (!Number.isFinite(serverMs)) return;
    this.offsetMs += Math.max(0, serverMs - this.nowMs());
    if (Number.isFinite(this.#errorMs)) this.confirmedAtMs = monotonicMs();
  }

  /** Nothing is known of late: the machine slept, or its own clock was changed. */
  doubt() {
    this.confirmedAtMs = -Infinity;
  }
}
