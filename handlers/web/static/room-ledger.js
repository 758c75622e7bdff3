// The client's side of the answer ledger (docs/realtime-protocol.md): what was typed becomes an operation, is kept, sent, and
// only an acknowledgement makes it "saved". One operation of a question is under way at a time. Draws nothing.

import { isUnreached, randomId } from "./room-line.js";

const SAVING_SHOWN_MS = 300;
const HELD_SHOWN_MS = 2000;
const RETRY_MS = 1000;
const SOON = new Set(["busy", "unavailable", "rate_limited"]);
const WAITS = new Set(["attempt_paused", "attempt_closed", "not_writer"]);

/** Is there nothing in this answer? */
export function isEmpty(value) {
  return value === null || value === undefined || value === "" || (typeof value === "object" && Object.keys(value).length === 0);
}

const same = (a, b) => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);

/** One question: what is stored, which operation is under way, which waits behind it. */
class Entry {
  constructor(questionId) {
    Object.assign(this, { questionId, stored: null, sent: null, next: null, isBusy: false, isStuck: false });
    Object.assign(this, { conflict: null, refusal: null, isLate: false, typingSince: 0 });
  }

  get pending() {
    return this.next ?? this.sent;
  }

  get value() {
    if (this.refusal) return this.refusal.value;
    return this.pending ? this.pending.value : (this.stored?.value ?? null);
  }
}

/** Events: "change" (detail: question id or null), "refused" (detail: {code, data}: paused, closed or not the writer). */
export class Ledger extends EventTarget {
  constructor({ questions, line, store }) {
    super();
    Object.assign(this, { line, store, revision: 0, seq: 0, isHeld: false, own: new Set() });
    this.entries = new Map(questions.map(({ id }) => [id, new Entry(id)]));
    this.counted = questions.filter((question) => question.question_type !== "description").map(({ id }) => id);
  }

  /** Take up what a page before this one has left, before anything is sent. */
  async load() {
    for (const operation of await this.store.operations()) {
      const entry = this.entries.get(operation.question_id);
      if (!entry) continue;
      this.own.add(operation.op_id);
      const { op_id, question_id, value, base_revision, made_at } = operation;
      const kept = { op_id, question_id, value, base_revision, made_at, seq: ++this.seq, isOld: true };
      if (entry.sent) entry.next = kept;
      else entry.sent = kept;
      entry.isStuck = true;
    }
  }

  value(questionId) {
    return this.entries.get(questionId).value;
  }

  /** What waits to be sent, or null. */
  unsent(questionId) {
    return this.entries.get(questionId).pending?.value ?? null;
  }

  /** Something is being typed that is no operation yet: nothing claims to be saved meanwhile. */
  typing(questionId) {
    const entry = this.entries.get(questionId);
    entry.typingSince ||= performance.now();
    entry.refusal = null;
    this.#changed(questionId);
  }

  /** A new value. It is kept on the device before it is sent. */
  async put(questionId, value) {
    const entry = this.entries.get(questionId);
    entry.typingSince = 0;
    if (same(value, entry.pending ? entry.pending.value : entry.stored?.value) && !entry.conflict) {
      entry.refusal = null;
      this.#changed(questionId);
      return;
    }
    entry.refusal = null;
    entry.isLate = false;
    const base = entry.conflict ? entry.conflict.stored.revision : (entry.stored?.revision ?? 0);
    entry.conflict = null;
    const operation = { op_id: randomId(), question_id: questionId, value, base_revision: base, made_at: Date.now(), seq: ++this.seq };
    const replaced = entry.next?.op_id ?? null;
    entry.next = operation;
    this.own.add(operation.op_id);
    this.#changed(questionId);
    setTimeout(() => this.#changed(questionId), SAVING_SHOWN_MS + 10);
    await this.store.put(operation, replaced);
    this.#send(entry);
  }

  /** A value that cannot be sent: said, and nothing stored is touched. */
  refuse(questionId, value, why) {
    const entry = this.entries.get(questionId);
    entry.typingSince = 0;
    entry.refusal = { value, why };
    this.#changed(questionId);
  }

  /** Settle a conflict: mine is written over what I have now seen, or the stored one stays. */
  settle(questionId, isMine) {
    const entry = this.entries.get(questionId);
    if (!entry.conflict) return;
    const { value } = entry.conflict;
    this.#drop(entry);
    if (isMine) {
      this.put(questionId, value);
      return;
    }
    entry.stored = entry.conflict.stored;
    entry.conflict = null;
    this.#changed(questionId);
  }

  /** Send all that waits; `isHeld` stops it (paused, read-only, not yet in step). */
  sendAll() {
    for (const entry of this.entries.values()) this.#send(entry);
  }

  async #send(entry) {
    if (this.isHeld || entry.isBusy || entry.conflict || entry.isLate) return;
    if (!entry.sent) [entry.sent, entry.next] = [entry.next, null];
    const operation = entry.sent;
    if (!operation) return;
    if (!operation.wasSent) operation.base_revision = Math.max(operation.base_revision, this.#ownRevision(entry));
    operation.wasSent = true;
    entry.isBusy = true;
    try {
      this.#acknowledged(entry, operation, await this.line.save(operation));
    } catch (error) {
      entry.isBusy = false;
      this.#failed(entry, operation, error);
    }
  }

  /** The revision of the stored answer where we ourselves wrote it: the reader has seen that one. */
  #ownRevision(entry) {
    return entry.stored && this.own.has(entry.stored.op_id) ? entry.stored.revision : 0;
  }

  #acknowledged(entry, operation, reply) {
    entry.isBusy = entry.isStuck = false;
    this.store.remove(operation.op_id);
    this.revision = Math.max(this.revision, reply.revision);
    if (entry.sent === operation) entry.sent = null;
    if (!entry.pending) entry.isLate = false; // it came in before the end
    if (!reply.superseded && (entry.stored?.revision ?? 0) <= reply.revision) {
      const { value, op_id } = operation;
      entry.stored = { value, op_id, revision: reply.revision, saved_at: reply.saved_at };
    }
    if (entry.next) this.#send(entry);
    this.#changed(entry.questionId);
  }

  #failed(entry, operation, error) {
    if (entry.sent !== operation) return;
    const { code } = error;
    if (code === "conflict" && error.data?.stored) {
      entry.conflict = { stored: error.data.stored, value: entry.pending.value };
    } else if (SOON.has(code)) {
      setTimeout(() => this.#send(entry), RETRY_MS);
    } else if (code === "op_id_reused") {
      this.#renew(entry, operation);
    } else if (isUnreached(error) || WAITS.has(code)) {
      entry.isStuck = true;
      this.dispatchEvent(new CustomEvent("refused", { detail: { code: WAITS.has(code) ? code : "offline", error } }));
    } else {
      const { value } = entry.pending;
      this.#drop(entry);
      entry.refusal = { value, why: code };
    }
    this.#changed(entry.questionId);
  }

  async #renew(entry, operation) {
    entry.sent = { ...operation, op_id: randomId(), seq: ++this.seq, wasSent: false };
    this.own.add(entry.sent.op_id);
    await this.store.put(entry.sent, operation.op_id);
    this.#send(entry);
  }

  #drop(entry) {
    for (const operation of [entry.sent, entry.next]) if (operation) this.store.remove(operation.op_id);
    entry.sent = entry.next = null;
    entry.isStuck = false;
  }

  /** Ids of all operations that are not acknowledged: what a sync asks about. */
  get waitingIds() {
    return this.waiting.map(({ op_id: id }) => id);
  }

  /** Operations that are not acknowledged, oldest first. */
  get waiting() {
    const all = [...this.entries.values()].flatMap((entry) => [entry.sent, entry.next]);
    return all.filter((operation) => operation !== null).sort((a, b) => a.seq - b.seq);
  }

  /** Do these stored answers hold one that is newer than what this screen knows? */
  isNews(answers) {
    return Object.entries(answers).some(([questionId, answer]) => answer.revision > (this.entries.get(questionId)?.stored?.revision ?? 0));
  }

  /**
   * What the server holds (an attempt, or the reply of a sync): ours is confirmed by it, others' is taken over. Only of what
   * was asked about does a sync say anything: an operation that was made since is no part of its reply.
   */
  take({ revision, answers, missing = [], asked = [] }) {
    const confirmed = new Set(asked);
    for (const id of missing) confirmed.delete(id);
    this.revision = Math.max(this.revision, revision);
    for (const [questionId, entry] of this.entries) {
      const stored = answers[questionId] ?? null;
      if (stored && stored.revision >= (entry.stored?.revision ?? 0)) entry.stored = stored;
      if (asked.length) this.#compare(entry, confirmed, new Set(missing));
    }
    this.#changed(null);
  }

  #compare(entry, confirmed, missing) {
    for (const name of ["sent", "next"]) {
      const operation = entry[name];
      if (!operation || entry.isBusy || !confirmed.has(operation.op_id)) continue;
      this.store.remove(operation.op_id);
      entry[name] = null;
    }
    if (entry.sent && entry.next && !entry.isBusy && missing.has(entry.sent.op_id)) {
      // never arrived, and there is a newer one: only that is sent
      this.store.remove(entry.sent.op_id);
      entry.sent = null;
    }
    if (entry.sent && !entry.isBusy && entry.sent.wasSent) entry.sent.base_revision = Math.max(entry.sent.base_revision, this.#ownRevision(entry));
    if (!entry.pending) {
      entry.isStuck = false;
      if (entry.conflict) entry.conflict = null;
    }
  }

  /** The attempt is closed: what waits will never count, and says so. */
  closeAll() {
    this.isHeld = true;
    for (const entry of this.entries.values()) {
      entry.typingSince = 0;
      entry.conflict = null;
      if (entry.pending) entry.isLate = true;
    }
    this.#changed(null);
  }

  /** How a question stands: {kind, …}; kinds: empty, hush (too young to say), saving, saved, waiting, conflict, refused, late. */
  state(questionId) {
    const entry = this.entries.get(questionId);
    if (entry.isLate) return { kind: "late" };
    if (entry.conflict) return { kind: "conflict", ...entry.conflict };
    if (entry.refusal) return { kind: "refused", why: entry.refusal.why };
    if (entry.pending) return { kind: this.#pendingKind(entry) };
    if (entry.typingSince) return { kind: performance.now() - entry.typingSince < SAVING_SHOWN_MS ? "hush" : "saving" };
    if (entry.stored && !isEmpty(entry.stored.value)) return { kind: "saved", savedAt: entry.stored.saved_at };
    return { kind: "empty" };
  }

  #pendingKind(entry) {
    const ageMs = Date.now() - entry.pending.made_at;
    if (entry.isStuck || (this.isHeld && ageMs > HELD_SHOWN_MS)) return "waiting";
    return ageMs < SAVING_SHOWN_MS ? "hush" : "saving";
  }

  /** How many are saved, empty, waiting …, and of how many: descriptions are in no count. */
  get counts() {
    const counts = { total: this.counted.length, saved: 0, empty: 0, hush: 0, saving: 0, waiting: 0, conflict: 0, refused: 0, late: 0 };
    for (const questionId of this.counted) counts[this.state(questionId).kind] += 1;
    return counts;
  }

  #changed(questionId) {
    this.dispatchEvent(new CustomEvent("change", { detail: questionId }));
  }
}
