// The time that somebody spends in a lesson without a video: while the page is in front and somebody is there, told once a
// minute and when they leave. The server counts no more than passed.

import { post } from "./api.js";

const TELL_EVERY_SECONDS = 60;
const IDLE_MS = 5 * 60000;

/** Count the seconds of this page, and tell them. */
export function countTime(enrollmentId, lessonId) {
  let seconds = 0;
  let touchedMs = Date.now();
  const path = `/enrollments/${encodeURIComponent(enrollmentId)}/progress`;

  async function tell(keepalive = false) {
    if (!seconds) return;
    const spent = seconds;
    seconds = 0;
    try {
      await post(path, { lesson_id: lessonId, time_spent_seconds: spent }, { keepalive, isQuiet: true });
    } catch {
      seconds += spent;
    }
  }

  for (const sign of ["pointerdown", "keydown", "scroll", "pointermove"]) {
    addEventListener(sign, () => (touchedMs = Date.now()), { passive: true });
  }
  setInterval(() => {
    if (!document.hidden && Date.now() - touchedMs < IDLE_MS) seconds += 1;
    if (seconds >= TELL_EVERY_SECONDS && seconds % TELL_EVERY_SECONDS === 0) tell();
  }, 1000);
  document.addEventListener("visibilitychange", () => document.hidden && tell(true));
  addEventListener("pagehide", () => tell(true));
}
