// What the dashboard knows of a running quiz: the snapshot, then the frames that change it, as the server sends them.
// Not for drawing, nor for what the figures mean (dashboard-marks.js).

import { read } from "./api.js";
import { live } from "./line.js";
import { Ear } from "./live.js";
import { page } from "./page.js";

const AGAIN_MS = 1000;
const READ_LATE_MS = 5000;
const SPREAD_MS = 2000;
const PLACE = ["is_connected", "away_since", "question_id"];
const SEEN_FLAGS = new Set(["hidden", "conflict"]); // told by presence; the others are stored

/** The server's time: measured by the line once it stands, until then as it was when the page was made. */
export function serverNowMs() {
  return Number.isFinite(live.clock.errorMs) ? live.clock.nowMs() : page.server_time_ms + performance.now();
}

/** Students and questions by id, totals, and since when somebody is away as far as this page has seen it. */
export class Picture {
  constructor() {
    Object.assign(this, { version: 0, students: new Map(), questions: new Map(), totals: null, isKnown: false });
    this.awaySince = new Map();
    this.asOfMs = 0;
  }

  /** Everything anew. `isLate`: it was read while nobody can tell who is here, so that stays as it was last known. */
  takeSnapshot(view, isLate = false) {
    const known = this.students;
    this.students = new Map();
    const nowMs = serverNowMs();
    if (isLate) for (const row of view.students) keepPlace(row, known.get(row.attempt_id));
    for (const row of view.students) this.#take(row, nowMs, known.get(row.attempt_id));
    for (const attemptId of known.keys()) if (!this.students.has(attemptId)) this.awaySince.delete(attemptId);
    if (isLate) for (const row of view.questions) row.viewing = this.questions.get(row.question_id)?.viewing ?? 0;
    this.questions = new Map(view.questions.map((row) => [row.question_id, row]));
    const { connected } = isLate ? (this.totals ?? { connected: null }) : view.totals;
    this.#settle(view.version, { ...view.totals, connected });
    this.isKnown = true;
  }

  /** What changed. False: something before it is missing, the snapshot is needed. */
  takeFrame(data) {
    if (!this.isKnown || data.follows > this.version) return false;
    const nowMs = serverNowMs();
    for (const row of data.students) {
      const known = this.students.get(row.attempt_id);
      if (!known || row.revision >= known.revision) this.#take(row, nowMs, known);
    }
    for (const row of data.questions) this.questions.set(row.question_id, row);
    for (const questionId of data.removed) this.questions.delete(questionId);
    this.#settle(data.version, data.totals);
    return true;
  }

  /** Milliseconds that a student has been away; `isExact` when this page saw the leave. */
  awayOf(row, nowMs) {
    const since = this.awaySince.get(row.attempt_id);
    return since ? { ms: Math.max(0, nowMs - since.ms), isExact: since.isExact } : null;
  }

  #take(row, nowMs, known) {
    row.deadlineMs = row.deadline_at ? Date.parse(row.deadline_at) : null;
    row.pausedMs = row.paused_at ? Date.parse(row.paused_at) : null;
    row.progressMs = Date.parse(row.last_saved_at ?? row.started_at);
    const leftMs = row.away_since ? Date.parse(row.away_since) : null;
    this.students.set(row.attempt_id, row);
    if (row.is_connected || row.isPlaceUnknown) this.awaySince.delete(row.attempt_id);
    else if (leftMs !== null) this.awaySince.set(row.attempt_id, { ms: leftMs, isExact: true });
    else if (!this.awaySince.has(row.attempt_id)) {
      this.awaySince.set(row.attempt_id, { ms: nowMs, isExact: known?.is_connected === true });
    }
  }

  #settle(version, totals) {
    this.version = version;
    this.totals = totals;
    this.asOfMs = serverNowMs();
  }
}

/** Where a student is, in a row that cannot say it: as before. Who has saved since is here. */
function keepPlace(row, known) {
  for (const name of known ? PLACE : []) row[name] = known[name];
  if (known) row.flags = [...row.flags.filter((flag) => !SEEN_FLAGS.has(flag)), ...known.flags.filter((flag) => SEEN_FLAGS.has(flag))];
  if (row.revision > known?.revision) row.is_connected = true;
  row.isPlaceUnknown = !row.is_connected && (!known || known.isPlaceUnknown === true);
}

/**
 * Keep the picture as the quiz is; `onNews()` after each change, `onRefused()` when we may not watch, `onWord(frame)` for
 * whatever else the channel tells, `onMissed()` when some of that may have been missed.
 */
export function followQuiz(picture, quizId, { onNews, onRefused, onWord = () => {}, onMissed = () => {} }) {
  let held = null;
  let fetching = null;
  let reading = 0;

  async function fetchSnapshot() {
    held = [];
    try {
      const isLate = live.isDegraded;
      picture.takeSnapshot(await read(`/quizzes/${encodeURIComponent(quizId)}/live`), isLate);
    } finally {
      fetching = null;
    }
    const waiting = held;
    held = null;
    onNews();
    for (const data of waiting) take(data);
  }

  function snapshot() {
    fetching ??= fetchSnapshot();
    return fetching;
  }

  function take(data) {
    if (fetching) held.push(data);
    else if (picture.takeFrame(data)) onNews();
    else snapshot().catch(() => setTimeout(() => live.isUp && snapshot().catch(() => {}), AGAIN_MS));
  }

  /** While live events are late the picture is read now and then, and once more when they come again. */
  function readSoon(ms) {
    clearTimeout(reading);
    reading = setTimeout(async () => {
      if (!document.hidden) await snapshot().catch(() => {});
      if (live.isDegraded) readSoon(READ_LATE_MS);
    }, ms * (0.5 + Math.random() / 2));
  }

  const ear = new Ear(`quiz:${quizId}:live`, {
    onEvent: onWord,
    onState: (frame) => (frame.event === "dashboard" ? take(frame.data) : onWord(frame)),
    onReset: () => {
      onMissed();
      return snapshot();
    },
    onRefused: (refusal) => refusal.code === "not_found" && onRefused(),
  });
  live.subscribe(ear);
  // frames are states: what was missed is not sent again, so every new line begins with the snapshot
  live.addEventListener("offline", () => {
    ear.forgetPosition();
    clearTimeout(reading);
  });
  live.addEventListener("notice", ({ detail }) => {
    if (["degraded", "restored"].includes(detail.type)) readSoon(picture.isKnown ? SPREAD_MS : 0);
  });
}
