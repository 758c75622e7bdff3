// How the quiz room speaks with the server: over the socket, and by REST when that is silent or blocked. Holds the lease.
// Decides nothing about answers (room-ledger.js).

import { patch, post, Problem } from "./api.js";
import { Refusal } from "./live.js";

const SILENT_MS = 3000;
const AT_ONCE = { isPatient: false }; // without a line, REST is asked instead of waiting
const FOR_REST = new Set(["offline", "too_large"]); // not answered, or more than a frame may hold
const KEEPALIVE_BYTES = 60_000;

function randomId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export { randomId };

/** Where the lease of an attempt lies: in this tab alone, so that a reload goes on and a second tab asks. */
export const leaseKey = (attemptId) => `lms_lease:${attemptId}`;

const row = ({ question_id, value, op_id, seq, base_revision }) => ({ question_id, value, op_id, seq, base_revision });

/** One attempt's line. `deviceId` is made at each load of the page and stored nowhere. */
export class Line {
  constructor(live, attemptId) {
    Object.assign(this, { live, attemptId, deviceId: randomId(), path: `/attempts/${encodeURIComponent(attemptId)}` });
  }

  get lease() {
    try {
      return sessionStorage.getItem(leaseKey(this.attemptId));
    } catch {
      return this.keptLease ?? null;
    }
  }

  set lease(lease) {
    this.keptLease = lease;
    try {
      if (lease) sessionStorage.setItem(leaseKey(this.attemptId), lease);
      else sessionStorage.removeItem(leaseKey(this.attemptId));
    } catch {
      // A blocked store costs the going on after a reload, not the attempt.
    }
  }

  /** Come back over the socket: the attempt with `subscription`; the lease is kept when it was given. */
  async resume() {
    const lease = this.lease;
    const fields = { attempt_id: this.attemptId, device_id: this.deviceId, ...(lease ? { lease } : {}) };
    return this.#taken(await this.live.command("attempt.resume", fields, AT_ONCE));
  }

  /** Become the writer at once. */
  async takeOver() {
    const fields = { attempt_id: this.attemptId, device_id: this.deviceId };
    if (this.live.isUp) return this.#taken(await this.live.command("attempt.take_over", fields, AT_ONCE));
    return this.#taken(await post(`${this.path}/take-over`, { device_id: this.deviceId }));
  }

  #taken(attempt) {
    if (attempt.lease) this.lease = attempt.lease;
    return attempt;
  }

  /** Save one operation; resolves to its acknowledgement, rejects with a Refusal or a Problem. */
  async save(operation) {
    const lease = this.lease;
    if (!lease) throw new Refusal({ code: "not_writer" });
    const fields = { ...row(operation), attempt_id: this.attemptId, device_id: this.deviceId, lease };
    try {
      return await this.live.command("answer.save", fields, { ...AT_ONCE, timeoutMs: SILENT_MS });
    } catch (refusal) {
      if (!FOR_REST.has(refusal.code)) throw refusal;
    }
    return this.#savedByRest(operation, lease);
  }

  async #savedByRest(operation, lease) {
    const body = { answers: [row(operation)], device_id: this.deviceId, lease };
    const report = await patch(`${this.path}/answers`, body, { timeoutMs: 8000, isQuiet: true });
    const [conflict] = report.conflicts;
    if (conflict) throw new Refusal({ code: "conflict", data: { stored: conflict.stored, writer: report.writer } });
    const [refused] = report.refused;
    if (refused) throw new Refusal({ code: refused.code, data: { writer: report.writer } });
    return { ...report.saved[0], writer: report.writer };
  }

  /** The page goes away: hand over what waits, as much as a browser takes then. Nothing is awaited. */
  saveOnLeaving(operations) {
    const lease = this.lease;
    const answers = [];
    let size = 0;
    for (const operation of operations) {
      size += new Blob([JSON.stringify(row(operation))]).size + 1;
      if (size > KEEPALIVE_BYTES) break;
      answers.push(row(operation));
    }
    if (!lease || answers.length === 0) return;
    patch(`${this.path}/answers`, { answers, device_id: this.deviceId, lease }, { keepalive: true }).catch(() => {});
  }

  /** What the server holds, and which of these operations it does not; `asked` are these. */
  async sync(have) {
    return { ...(await this.#synced(have)), asked: have };
  }

  async #synced(have) {
    const lease = this.lease;
    const fields = { have, device_id: this.deviceId, ...(lease ? { lease } : {}) };
    try {
      return await this.live.command("attempt.sync", { ...fields, attempt_id: this.attemptId }, { ...AT_ONCE, timeoutMs: SILENT_MS });
    } catch (refusal) {
      if (!FOR_REST.has(refusal.code)) throw refusal;
    }
    return post(`${this.path}/sync`, fields, { timeoutMs: 6000, isQuiet: true });
  }

  /** Hand in, unless somebody wrote after `revision`. */
  async submit(revision) {
    const fields = { revision };
    try {
      return await this.live.command("attempt.submit", { ...fields, attempt_id: this.attemptId, op_id: randomId() }, AT_ONCE);
    } catch (refusal) {
      if (!FOR_REST.has(refusal.code)) throw refusal;
    }
    return post(`${this.path}/submit`, fields);
  }

  /** A word of the teacher was shown; resolves when the server has noted it. */
  async seen(controlId) {
    try {
      await this.live.command("attempt.seen", { attempt_id: this.attemptId, event_id: controlId }, AT_ONCE);
    } catch (refusal) {
      if (!FOR_REST.has(refusal.code)) throw refusal;
      await post(`${this.path}/signals`, { signals: [{ kind: "seen", event_id: controlId }] }, { isQuiet: true });
    }
  }

  /** Whether the page is in sight: told when it goes, and when it comes back, if only after a reload. */
  tellSight() {
    const key = `lms_hidden:${this.attemptId}`;
    const { hidden: isHidden } = document;
    try {
      this.wasHidden = sessionStorage.getItem(key) !== null;
      if (isHidden) sessionStorage.setItem(key, "1");
      else sessionStorage.removeItem(key);
    } catch {
      // A blocked store costs the word after a reload.
    }
    if (isHidden || this.wasHidden) this.tell("attempt.page", { state: isHidden ? "hidden" : "shown" });
    this.wasHidden = isHidden;
  }

  /** Small words about what is looked at; lost without harm. */
  tell(type, fields) {
    if (this.live.isUp) this.live.command(type, { attempt_id: this.attemptId, ...fields }, AT_ONCE).catch(() => {});
  }
}

/** Was it not the server that refused, but the way to it that failed? */
export function isUnreached(error) {
  if (error.code === "offline" || error.name === "AbortError") return true;
  return error instanceof Problem && (error.status >= 500 || error.status === 0 || error.status === 401);
}
