// The channels that a client follows: subscribed to again on every line, from where each ear stands. What is news and what must
// be fetched anew, the ear knows (live-ear.js); lines come and go in live.js.

import { PASSING, Refusal } from "./live-faults.js";
import { Backoff } from "./live-pacing.js";

const SUBSCRIBE_TIMEOUT_MS = 10_000;
const FIRST_DELAY_MS = 500;
const LAST_DELAY_MS = 5000;
const ORPHANS = 200; // so many frames of a channel are kept until the caller says who listens
const ORPHAN_CHANNELS = 100;

/** @typedef {import("./live-ear.js").Ear} Ear */

/** @param {number} ms */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Ears by channel. */
export class Channels {
  /** @type {Map<string, Ear>} */
  #ears = new Map();
  /** @type {Map<string, any[]>} */
  #orphans = new Map();

  /**
   * @param {object} client
   * @param {() => Promise<import("./live-line.js").Line>} client.requireLine waits for the next line; rejects when none comes
   * @param {(frame: any) => void} client.notify
   */
  constructor({ requireLine, notify }) {
    this.requireLine = requireLine;
    this.notify = notify;
  }

  /**
   * Follow a channel; resolves when it stands, rejects when the server does not let us.
   * @param {Ear} ear
   */
  subscribe(ear) {
    this.#ears.set(ear.channel, ear);
    this.#orphans.delete(ear.channel);
    return this.#follow(ear);
  }

  /**
   * Follow a channel that a command has subscribed to, from there on.
   * @param {Ear} ear
   * @param {import("./live-ear.js").Position} subscription
   */
  adopt(ear, subscription) {
    ear.beginAt(subscription);
    this.#ears.set(ear.channel, ear);
    const orphans = this.#orphans.get(ear.channel) ?? [];
    this.#orphans.delete(ear.channel);
    for (const frame of orphans) this.#hear(ear, frame);
  }

  /**
   * Follow it no more.
   * @param {string} channel
   */
  forget(channel) {
    this.#ears.delete(channel);
  }

  /**
   * The server has ended it.
   * @param {string} channel
   * @param {Refusal} refusal
   */
  lose(channel, refusal) {
    const ear = this.#ears.get(channel);
    this.#ears.delete(channel);
    ear?.refuse(refusal);
  }

  /** Nothing that was known can be gone on from. */
  forgetPositions() {
    for (const ear of this.#ears.values()) ear.forgetPosition();
  }

  /** There is a new line. */
  followAll() {
    this.#orphans.clear();
    for (const ear of this.#ears.values()) this.#followByItself(ear);
  }

  /**
   * An event or a state.
   * @param {any} frame
   */
  take(frame) {
    const ear = this.#ears.get(frame.channel);
    if (ear) {
      this.#hear(ear, frame);
      return;
    }
    const orphans = this.#orphans.get(frame.channel) ?? [];
    if (orphans.length === 0 && this.#orphans.size === ORPHAN_CHANNELS) return;
    orphans.push(frame);
    if (orphans.length > ORPHANS) orphans.shift();
    this.#orphans.set(frame.channel, orphans);
  }

  /**
   * @param {Ear} ear
   * @param {any} frame
   */
  #hear(ear, frame) {
    if (frame.type === "state") ear.hearState(frame);
    else if (!ear.hear(frame)) this.#followByItself(ear);
  }

  /**
   * After a reconnect or a gap, when nobody waits for it. What is at it already goes on by itself.
   * @param {Ear} ear
   */
  #followByItself(ear) {
    if (ear.isFollowing) return;
    this.#follow(ear).catch((refusal) => {
      if (refusal instanceof Refusal) this.notify({ type: "unsubscribed", channel: ear.channel, code: refusal.code });
    });
  }

  /**
   * Subscribe from where the ear stands and fetch the snapshot if it takes one, over as many lines as it takes.
   * @param {Ear} ear
   */
  async #follow(ear) {
    const backoff = new Backoff(FIRST_DELAY_MS, LAST_DELAY_MS);
    ear.isFollowing = true;
    try {
      while (this.#ears.get(ear.channel) === ear) {
        const line = await this.requireLine();
        const isSettled = (await this.#isSubscribed(ear, line)) && (await this.#isSettled(ear));
        if (line.isOver) continue;
        if (isSettled) return;
        await pause(backoff.nextMs());
      }
    } finally {
      ear.isFollowing = false;
    }
  }

  /**
   * Did the server let us? False: not on this line, or not at this moment.
   * @param {Ear} ear
   * @param {import("./live-line.js").Line} line
   */
  async #isSubscribed(ear, line) {
    const { channel, since } = ear;
    const options = { timeoutMs: SUBSCRIBE_TIMEOUT_MS, onReply: (/** @type {any} */ reply) => ear.takeReply(reply) };
    try {
      await line.command("subscribe", since ? { channel, since } : { channel }, options);
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      if (refusal.code === "offline" || PASSING.has(refusal.code)) return false;
      if (this.#ears.get(channel) === ear) this.#ears.delete(channel);
      ear.refuse(refusal);
      throw refusal;
    }
    return true;
  }

  /** @param {Ear} ear */
  async #isSettled(ear) {
    try {
      return await ear.settle();
    } catch (error) {
      console.warn(`the snapshot of ${ear.channel} could not be fetched`, error); // without it there is no position
      return false;
    }
  }
}
