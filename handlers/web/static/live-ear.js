// One channel as a client hears it: events in order and each once, states, and when to take a snapshot anew. Holds positions
// and decides what is news; sends nothing. Part of live.js.

const MAX_HELD = 1000; // so many events wait for a snapshot; what is more is asked for again afterwards
const MAX_AGGREGATES = 1000; // of so many aggregates a channel remembers the newest (version, n)
const AGGREGATE_FIELDS = ["payment_id", "certificate_id", "override_id", "gradebook_id", "message_id", "member_id", "notification_id",
  "announcement_id", "attempt_id", "submission_id", "enrollment_id", "export_id", "course_id", "user_id", "quiz_id"];

/** @typedef {{epoch: string, offset: number}} Position */
/** @typedef {{version: number, n: number}} Place */

/** `onReset` fetches the snapshot; until it has resolved, events wait and there is no position to come back with. */
export class Ear {
  #epoch = "";
  #offset = 0;
  #isSettled = false;
  /** @type {any[] | null} */
  #held = null;
  #hasHole = false;
  /** @type {Map<string, Place>} */
  #newest = new Map();

  /**
   * @param {string} channel
   * @param {object} [handlers]
   * @param {((frame: any) => void) | null} [handlers.onEvent] events, in order and each once
   * @param {((frame: any) => void) | null} [handlers.onState] states: only the latest matters
   * @param {(() => Promise<unknown> | unknown) | null} [handlers.onReset] fetch the snapshot; may give the versions that it
   *   held, by id of the aggregate
   * @param {((refusal: import("./live-faults.js").Refusal) => void) | null} [handlers.onRefused] the server does not let us
   *   listen, or does no more
   */
  constructor(channel, { onEvent = null, onState = null, onReset = null, onRefused = null } = {}) {
    this.channel = channel;
    this.resets = 0;
    this.isFollowing = false;
    this.handlers = { onEvent, onState, onReset, onRefused };
  }

  /** Where to go on, or null: a snapshot is missing. */
  get since() {
    return this.#isSettled ? { epoch: this.#epoch, offset: this.#offset } : null;
  }

  /** The last offset that was heard. */
  get offset() {
    return this.#offset;
  }

  /**
   * Stand at a position whose snapshot the caller holds, as its `as_of` says.
   * @param {Position} position
   */
  beginAt({ epoch, offset }) {
    this.#epoch = epoch;
    this.#offset = offset;
    this.#isSettled = true;
    this.#held = null;
  }

  /** Begin with a snapshot the next time. */
  forgetPosition() {
    this.#isSettled = false;
    this.#held = null;
  }

  /**
   * What a snapshot held, version by id of the aggregate: events that are not newer are dropped.
   * @param {unknown} versions
   */
  noteVersions(versions) {
    if (versions === null || typeof versions !== "object") return;
    for (const [aggregateId, version] of Object.entries(versions)) {
      if (Number.isInteger(version)) this.#note(aggregateId, { version, n: Infinity });
    }
  }

  /**
   * Take the reply of `subscribe`, before any frame that followed it: what was missed, or a fresh position.
   * @param {Position & {recovered: boolean, events: any[]}} reply
   */
  takeReply(reply) {
    this.#hasHole = false;
    if (reply.recovered) for (const event of reply.events) this.hear(event);
    else {
      this.#isSettled = false;
      this.#held = [];
    }
    this.#epoch = reply.epoch;
    this.#offset = reply.offset;
  }

  /** Fetch the snapshot when the last reply left a hole. False: something is missing since, subscribe again. */
  async settle() {
    const held = this.#held;
    if (held === null) return this.#isSettled;
    this.resets += 1;
    const versions = await this.handlers.onReset?.();
    if (this.#held !== held) return false; // the position was forgotten meanwhile
    this.noteVersions(versions);
    this.#held = null;
    this.#isSettled = true;
    for (const event of held) this.#tell(event);
    return !this.#hasHole;
  }

  /**
   * The server does not let us listen, or does no more.
   * @param {import("./live-faults.js").Refusal} refusal
   */
  refuse(refusal) {
    this.forgetPosition();
    this.handlers.onRefused?.(refusal);
  }

  /**
   * An event; one that was heard before is dropped. False: something is missing before it.
   * @param {any} event
   */
  hear(event) {
    const { epoch, offset } = event;
    if (epoch === this.#epoch && offset <= this.#offset) return true;
    if (epoch !== this.#epoch || offset !== this.#offset + 1) return this.#miss();
    if (this.#held !== null) {
      if (this.#hasHole || this.#held.length === MAX_HELD) return this.#miss();
      this.#held.push(event);
    }
    this.#offset = offset;
    if (this.#held === null) this.#tell(event);
    return true;
  }

  /**
   * A state: only the latest matters.
   * @param {any} state
   */
  hearState(state) {
    this.handlers.onState?.(state);
  }

  /** While a snapshot is fetched, what is missing is asked for afterwards. */
  #miss() {
    this.#hasHole = true;
    return this.#held !== null;
  }

  /** @param {any} event */
  #tell(event) {
    if (this.#isNews(event.data)) this.handlers.onEvent?.(event);
  }

  /**
   * Is an event of record newer than what is known of its aggregate? Other events always are.
   * @param {any} data
   */
  #isNews(data) {
    const field = AGGREGATE_FIELDS.find((each) => each in data);
    if (data.version === undefined || field === undefined) return true;
    const known = this.#newest.get(data[field]);
    if (known && (data.version < known.version || (data.version === known.version && data.n <= known.n))) return false;
    this.#note(data[field], data);
    return true;
  }

  /**
   * @param {string} aggregateId
   * @param {Place} place
   */
  #note(aggregateId, { version, n }) {
    const known = this.#newest.get(aggregateId);
    const isOlder = known && (version < known.version || (version === known.version && n < known.n));
    this.#newest.delete(aggregateId);
    this.#newest.set(aggregateId, isOlder ? known : { version, n });
    if (this.#newest.size > MAX_AGGREGATES) this.#newest.delete(this.#newest.keys().next().value ?? "");
  }
}
