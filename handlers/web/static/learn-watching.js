// What was watched of a video: remembered place, heartbeats every 15 seconds and whenever it stops, and words that could not
// be sent, which stay on this device until they can. What counts is decided by the server's clock, not here.

import { post } from "./api.js";
import { live } from "./line.js";

const HEARTBEAT_MS = 15000;
const KEEP_EVERY_MS = 5000;
const KEPT_AFTER_MS = 25000;
const [SLOWEST, FASTEST] = [0.25, 2];
const MOST_RANGES = 100;
const LATER = new Set(["offline", "unavailable", "busy", "rate_limited", "unauthenticated", "token_expired"]);
const PREFIX = "lms_watched:";

/** The same stretches in order, those that touch as one. */
export function joined(ranges) {
  const all = [];
  for (const [from, to] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const last = all.at(-1);
    if (last && from <= last[1] + 0.5) last[1] = Math.max(last[1], to);
    else all.push([from, to]);
  }
  return all.sort((a, b) => b[1] - b[0] - (a[1] - a[0])).slice(0, MOST_RANGES);
}

/** What this device keeps of one lesson. A browser that keeps nothing loses what the last page could not send. */
class Kept {
  constructor(enrollmentId, lessonId) {
    this.key = `${PREFIX}${enrollmentId}:${lessonId}`;
  }

  read() {
    try {
      const found = JSON.parse(localStorage.getItem(this.key) ?? "null");
      return Array.isArray(found?.ranges) ? { rate: 1, ...found } : { ranges: [], position: 0, rate: 1 };
    } catch {
      return { ranges: [], position: 0, rate: 1 };
    }
  }

  write(ranges, position, rate = 1) {
    try {
      if (ranges.length) localStorage.setItem(this.key, JSON.stringify({ ranges, position, rate }));
      else localStorage.removeItem(this.key);
    } catch {
      // Then what is in memory has to do.
    }
  }
}

/** What counts as one word: how fast it was played, and whether it was kept while there was no line. */
function playedOf(ranges, rate, isKept) {
  return { watched: ranges, rate, is_kept_offline: isKept };
}

const rateOf = (video) => Math.min(FASTEST, Math.max(SLOWEST, video.playbackRate || 1));

/** What other pages of this course left behind on this device goes now; resolves to whether anything did. */
export async function sendLeftOver(enrollmentId, butOf) {
  const prefix = `${PREFIX}${enrollmentId}:`;
  let keys = [];
  let isAnySent = false;
  try {
    keys = Object.keys(localStorage).filter((key) => key.startsWith(prefix));
  } catch {
    return false;
  }
  for (const lessonId of keys.map((key) => key.slice(prefix.length)).filter((id) => id !== butOf)) {
    const kept = new Kept(enrollmentId, lessonId);
    const { ranges, position, rate } = kept.read();
    const body = { lesson_id: lessonId, last_position_seconds: Math.floor(position), ...playedOf(ranges, rate, true) };
    try {
      if (ranges.length) await post(`/enrollments/${encodeURIComponent(enrollmentId)}/progress`, body, { isQuiet: true });
      isAnySent ||= ranges.length > 0;
      kept.write([], 0);
    } catch (problem) {
      if (!LATER.has(problem.code)) kept.write([], 0);
    }
  }
  return isAnySent;
}

/** Follows one video, and tells of it. `onRow(row)` gets the lesson's progress, `onKept(isKept)` whether something waits. */
export class Watching {
  #ranges;
  #open = null;
  #restedAt = null;
  #flying = new Map();
  #keptAtMs = 0;
  #rate = 1;
  #sinceMs = null;

  constructor(video, { enrollmentId, lessonId, onRow, onKept }) {
    Object.assign(this, { video, enrollmentId, lessonId, onRow, onKept });
    this.kept = new Kept(enrollmentId, lessonId);
    const left = this.kept.read();
    this.#ranges = left.ranges;
    this.#rate = left.ranges.length ? left.rate : rateOf(video);
    this.#sinceMs = left.ranges.length ? 0 : null;
    this.leftAt = left.ranges.length ? left.position : null;
    if (video.paused) this.#restedAt = video.currentTime;
    this.#follow();
  }

  #follow() {
    const { video } = this;
    video.addEventListener("playing", () => this.#begin());
    video.addEventListener("pause", () => this.tell());
    video.addEventListener("ended", () => this.tell());
    video.addEventListener("waiting", () => this.#close());
    video.addEventListener("seeking", () => this.#leave());
    video.addEventListener("seeked", () => (video.paused ? (this.#restedAt = video.currentTime) : this.#begin()));
    video.addEventListener("ratechange", () => this.tell());
    video.addEventListener("timeupdate", () => this.#keepNow());
    live.addEventListener("open", () => this.tell());
    addEventListener("online", () => this.tell());
    addEventListener("pagehide", () => this.tell({ keepalive: true }));
    document.addEventListener("visibilitychange", () => document.hidden && this.tell({ keepalive: true }));
    setInterval(() => this.tell(), HEARTBEAT_MS);
    if (this.#ranges.length) this.tell();
  }

  /** A stretch begins where the player rested: on a slow device it has gone on for a while when that it plays is heard. */
  #begin() {
    this.#close();
    this.#sinceMs ??= Date.now();
    this.#rate = this.#ranges.length ? Math.max(this.#rate, rateOf(this.video)) : rateOf(this.video);
    const at = this.video.currentTime;
    this.#open = { from: Math.min(this.#restedAt ?? at, at), to: at };
  }

  /** A stretch ends where it was last seen to play: a jump tells the new place before it tells that it jumped. */
  #close() {
    if (!this.#open) return;
    const { from, to } = this.#open;
    if (to > from) this.#ranges = joined([...this.#ranges, [from, to]]);
    [this.#open, this.#restedAt] = [null, to];
  }

  #reach() {
    const { video } = this;
    if (this.#open && !video.seeking) this.#open.to = Math.max(this.#open.to, video.currentTime);
  }

  #leave() {
    this.#close();
    this.#restedAt = null;
  }

  #keepNow() {
    this.#reach();
    if (!this.#open || Date.now() - this.#keptAtMs < KEEP_EVERY_MS) return;
    this.#keptAtMs = Date.now();
    this.#keep([this.#open.from, this.#open.to]);
  }

  /** Tell where the player stands, and what was watched since the last word; what was not heard is told again. */
  async tell({ keepalive = false } = {}) {
    const { video } = this;
    const isPlaying = this.#open !== null && !video.paused && !video.ended;
    this.#reach();
    this.#close();
    const ranges = keepalive ? this.#unheard() : this.#ranges;
    this.#keep();
    const isTold = ranges.length > 0 && (!this.#flying.size || keepalive);
    const sinceMs = Math.min(this.#sinceMs ?? Date.now(), ...(keepalive ? this.#flying.values() : []));
    const played = playedOf(ranges, this.#rate, Date.now() - sinceMs > KEPT_AFTER_MS);
    if (isTold) [this.#ranges, this.#sinceMs] = [[], null];
    if (isPlaying) this.#begin();
    if (!isTold) return;
    this.#flying.set(ranges, sinceMs);
    try {
      this.onRow(await this.#send(played, video.currentTime, keepalive));
    } catch (problem) {
      if (LATER.has(problem.code) || !problem.code) {
        this.#ranges = joined([...ranges, ...this.#ranges]);
        this.#rate = Math.max(this.#rate, played.rate);
        this.#sinceMs = sinceMs;
      }
    } finally {
      this.#flying.delete(ranges);
      this.#keep();
      this.onKept(this.#ranges.length > 0);
    }
  }

  /** What the server has not confirmed: what waits, and what is on its way. Told twice it counts once. */
  #unheard(...more) {
    return joined([...this.#flying.keys()].flat().concat(this.#ranges, more));
  }

  #keep(...more) {
    this.kept.write(this.#unheard(...more), this.video.currentTime, this.#rate);
  }

  async #send(played, position, keepalive) {
    if (live.isUp && !keepalive) {
      return live.command("lesson.progress", {
        enrollment_id: this.enrollmentId,
        lesson_id: this.lessonId,
        position_seconds: Math.floor(position),
        ...played,
      });
    }
    const path = `/enrollments/${encodeURIComponent(this.enrollmentId)}/progress`;
    const body = { lesson_id: this.lessonId, last_position_seconds: Math.floor(position), ...played };
    const reply = await post(path, body, { keepalive, isQuiet: true });
    return reply.progress.find((row) => row.lesson_id === this.lessonId);
  }
}
