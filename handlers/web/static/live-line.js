// One WebSocket of a client: commands and their replies, frames to a receiver. It does not come back; live.js does.

import { offline, Refusal } from "./live-faults.js";
import { monotonicMs, Pace } from "./live-pacing.js";

const MAX_WAITING = 1000; // so many commands may wait for their replies on one line
const HEARTBEAT_MS = 10_000;
const MAX_FRAME_BYTES = 64 * 1024;
const CLOSE_SILENT = 4000;
const CUT = new Set([CLOSE_SILENT, 1005, 1006]); // by no word of the server

/** An open socket. When it ends, every command that waits is refused as "offline". */
export class Line {
  #nextId = 1;
  /** @type {Map<number, {resolve: (result: any) => void, reject: (refusal: Refusal) => void, onReply?: (result: any) => void}>} */
  #waiting = new Map();
  #pace = new Pace();
  #upMs = 0;
  #framesHeard = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #watching;
  /** @type {((closed: {code: number, reason: string}) => void) | null} */
  #onOver;

  /**
   * @param {WebSocket} socket
   * @param {object} hooks
   * @param {(welcome: any) => void} hooks.onWelcome
   * @param {(frame: any) => void} hooks.onFrame events, states and notices
   * @param {(closed: {code: number, reason: string}) => void} hooks.onOver once, when the line has ended
   */
  constructor(socket, { onWelcome, onFrame, onOver }) {
    this.socket = socket;
    this.onWelcome = onWelcome;
    this.onFrame = onFrame;
    this.#onOver = onOver;
    this.heartbeatMs = HEARTBEAT_MS;
    this.maxFrameBytes = MAX_FRAME_BYTES;
    /** @type {number | null} */
    this.reconnectAfterMs = null;
    this.isOver = false;
    this.closeCode = 0;
    socket.onmessage = (message) => this.#take(JSON.parse(message.data));
    socket.onclose = (event) => this.#end(event);
  }

  /** Has the server said welcome? */
  get wasUp() {
    return this.#upMs > 0;
  }

  /** Has it stood for a heartbeat at least? */
  get hasLasted() {
    return this.wasUp && monotonicMs() - this.#upMs >= this.heartbeatMs;
  }

  /** Was it cut by no word of the server? */
  get isCut() {
    return CUT.has(this.closeCode);
  }

  /**
   * Send a command and wait for its reply. `onReply` gets the result before any frame that followed it.
   * @param {string} type
   * @param {object} fields
   * @param {{timeoutMs: number, onReply?: (result: any) => void}} options
   * @returns {Promise<any>}
   */
  command(type, fields, { timeoutMs, onReply }) {
    if (this.isOver) return Promise.reject(offline("lost"));
    const id = this.#nextId++;
    const message = JSON.stringify({ ...fields, id, type });
    const refused = this.#refused(message);
    if (refused) return Promise.reject(refused);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(id, { refusal: offline("timeout") }), timeoutMs);
      let isOut = false;
      const over = () => {
        clearTimeout(timer);
        if (isOut) this.#pace.leave();
      };
      this.#waiting.set(id, {
        resolve: (result) => (over(), resolve(result)),
        reject: (refusal) => (over(), reject(refusal)),
        onReply,
      });
      this.#pace.enter(() => {
        isOut = this.#waiting.has(id);
        if (isOut) this.socket.send(message);
        else this.#pace.leave();
      });
    });
  }

  /**
   * Ask now and then whether anybody is there, and cut a line on which nothing comes any more.
   * @param {(serverTime: string) => void} onServerTime
   */
  watch(onServerTime) {
    this.#watching = setTimeout(async () => {
      const heard = this.#framesHeard;
      try {
        const reply = await this.command("ping", {}, { timeoutMs: this.heartbeatMs });
        onServerTime(reply.server_time);
      } catch {
        if (this.#framesHeard === heard) this.drop();
      }
      if (!this.isOver) this.watch(onServerTime);
    }, 1.5 * this.heartbeatMs);
  }

  /** Give it up at once: a silent one would take its time to close. */
  drop() {
    this.socket.close(CLOSE_SILENT);
    this.#end({ code: CLOSE_SILENT, reason: "" });
  }

  /** End it politely. */
  close() {
    this.socket.close(1000);
    this.#end({ code: 1000, reason: "" });
  }

  /**
   * Refused here, when the server would have to close the line over it.
   * @param {string} message
   */
  #refused(message) {
    if (message.length > this.maxFrameBytes / 3 && new Blob([message]).size > this.maxFrameBytes) {
      return new Refusal({ code: "too_large", message: `over ${this.maxFrameBytes} bytes` });
    }
    if (this.#waiting.size < MAX_WAITING) return null;
    return new Refusal({ code: "busy", message: `${MAX_WAITING} commands wait for their replies` });
  }

  /** @param {any} frame */
  #take(frame) {
    this.#framesHeard += 1;
    if (frame.ok !== undefined) this.#settle(frame.id, frame);
    else if (frame.type === "welcome") {
      this.heartbeatMs = frame.heartbeat_ms;
      this.maxFrameBytes = frame.max_frame_bytes;
      this.#upMs = monotonicMs();
      this.onWelcome(frame);
    } else {
      if (frame.type === "reconnect") this.reconnectAfterMs = frame.after_ms;
      this.onFrame(frame);
    }
  }

  /**
   * @param {number} id
   * @param {{ok?: boolean, result?: any, error?: any, refusal?: Refusal}} reply
   */
  #settle(id, { ok, result, error, refusal }) {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.delete(id);
    if (!ok) {
      waiting.reject(refusal ?? new Refusal(error));
      return;
    }
    waiting.onReply?.(result);
    waiting.resolve(result);
  }

  /** @param {{code: number, reason: string}} closed */
  #end({ code, reason }) {
    if (this.isOver) return;
    this.isOver = true;
    this.closeCode = code;
    this.socket.onmessage = this.socket.onclose = null;
    clearTimeout(this.#watching);
    this.#pace.lift();
    for (const id of [...this.#waiting.keys()]) this.#settle(id, { refusal: offline("lost") });
    this.#onOver?.({ code, reason });
  }
}
