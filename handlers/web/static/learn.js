// The lesson player: where the video stands is told every 15 seconds, Complete is confirmed by the server before it
// shows, and progress moves in place.

import { post } from "./api.js";
import { hasWords, t } from "./i18n.js";
import { fill, html, icon } from "./html.js";
import { live, on } from "./line.js";
import { page } from "./page.js";
import { showProgress } from "./progress.js";
import { banner } from "./states.js";
import { toast } from "./toast.js";

const HEARTBEAT_MS = 15000;
const { enrollment_id: enrollmentId, lesson_id: lessonId } = page.data;
const video = document.getElementById("video");
let watched = [];
let open = null;

function closeRange() {
  if (open !== null && video.currentTime > open) watched.push([open, video.currentTime]);
  open = null;
}

/** Tell where the player stands, and what was watched since the last word; what was not heard is told again. */
async function tell(keepalive = false) {
  const isPlaying = open !== null;
  closeRange();
  if (isPlaying && !video.paused) open = video.currentTime;
  if (!watched.length) return;
  const ranges = watched.splice(0, 100);
  const position = Math.floor(video.currentTime);
  try {
    if (live.isUp && !keepalive) {
      await live.command("lesson.progress", {
        enrollment_id: enrollmentId,
        lesson_id: lessonId,
        position_seconds: position,
        watched: ranges,
      });
    } else {
      const spent = Math.round(ranges.reduce((sum, [from, to]) => sum + to - from, 0));
      const body = { lesson_id: lessonId, last_position_seconds: position, time_spent_seconds: spent };
      await post(`/enrollments/${encodeURIComponent(enrollmentId)}/progress`, body, { keepalive, isQuiet: true });
    }
  } catch {
    watched = [...ranges, ...watched];
  }
}

function followVideo() {
  const begin = () => {
    open = video.currentTime;
  };
  video.addEventListener("play", begin);
  video.addEventListener("pause", () => tell());
  video.addEventListener("seeking", closeRange);
  video.addEventListener("seeked", () => video.paused || begin());
  video.addEventListener("loadedmetadata", () => {
    const from = page.data.position_seconds;
    if (from > 5 && from < video.duration - 10) video.currentTime = from;
  });
  setInterval(tell, HEARTBEAT_MS);
  addEventListener("pagehide", () => tell(true));
}

function markLesson(id, status) {
  const link = document.querySelector(`[data-lesson="${CSS.escape(id)}"]`);
  if (!link || link.dataset.status === status) return;
  link.dataset.status = status;
  fill(
    link.querySelector(".lesson-mark"),
    html`${icon(status === "completed" ? "saved" : "part")}<span class="unseen">${t(`learn.status_${status}`)}</span>`,
  );
}

function showCompleted() {
  markLesson(lessonId, "completed");
  const form = document.getElementById("complete-form");
  if (!form) return;
  const button = form.querySelector("#complete");
  const hadFocus = document.activeElement === button;
  form.querySelector("#complete-state").hidden = false;
  button.hidden = true;
  if (hadFocus) (document.getElementById("following") ?? document.getElementById("main")).focus();
}

async function complete(event) {
  event.preventDefault();
  const place = document.getElementById("complete-error");
  place.replaceChildren();
  try {
    await post(`/enrollments/${encodeURIComponent(enrollmentId)}/lessons/${encodeURIComponent(lessonId)}/complete`);
    showCompleted();
    toast(t("learn.completed"));
  } catch (problem) {
    const key = `errors.${problem.code}`;
    fill(place, banner("bad", hasWords(key) ? t(key) : problem.message));
  }
}

if (enrollmentId) {
  document.getElementById("complete-form")?.addEventListener("submit", complete);
  if (video) followVideo();
  on("lesson_completed", (data) => {
    if (data.lesson_id === lessonId) showCompleted();
    else markLesson(data.lesson_id, "completed");
  });
  on("progress_updated", (data) => {
    if (data.enrollment_id === enrollmentId && data.progress) markLesson(data.progress.lesson_id, data.progress.status);
    showProgress(data);
  });
}
