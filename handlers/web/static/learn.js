// The lesson player: what is watched is told (learn-watching.js), Complete is confirmed by the server before it shows,
// progress moves in place on every device, and lessons open by themselves.

import { post, read } from "./api.js";
import { countdown, hasWords, percent, t } from "./i18n.js";
import { fill, html, icon } from "./html.js";
import { countTime } from "./learn-time.js";
import { sendLeftOver, Watching } from "./learn-watching.js";
import { follow, live, on, whenMissed } from "./line.js";
import { page } from "./page.js";
import { showProgress } from "./progress.js";
import { say } from "./say.js";
import { banner, state } from "./states.js";
import { toast } from "./toast.js";

const FURTHEST_TIMER_MS = 86400000;
const MARKS = { completed: "saved", in_progress: "part", not_started: "empty", locked: "lock" };
const { course_id: courseId, enrollment_id: enrollmentId, lesson_id: lessonId } = page.data;
const video = document.getElementById("video");

// ------------------------------------------------------------- the list

function linkOf(id) {
  return document.querySelector(`[data-lesson="${CSS.escape(id)}"]`);
}

function markLesson(id, status) {
  const link = linkOf(id);
  if (!link || link.dataset.status === status) return;
  link.dataset.status = status;
  fill(link.querySelector(".lesson-mark"), html`${icon(MARKS[status])}<span class="unseen">${t(`learn.status_${status}`)}</span>`);
}

/** A lesson has opened: in the list, and where it is the one that is looked at. */
function unlock(id) {
  const link = linkOf(id);
  if (id === lessonId && page.data.is_locked) location.reload();
  if (!link || link.dataset.status !== "locked") return;
  markLesson(id, "not_started");
  say(t("learn.unlocked", { title: link.lastElementChild.textContent }));
}

async function askWhetherOpen(id) {
  const isOpen = await read(`/lessons/${encodeURIComponent(id)}`, { isQuiet: true }).then(() => true, () => false);
  if (isOpen) unlock(id);
}

/** The server's clock: measured by the line once it stands, until then as it was when the page was made. */
function serverNowMs() {
  return Number.isFinite(live.clock.errorMs) ? live.clock.nowMs() : page.server_time_ms + performance.now();
}

function openInTime() {
  for (const { lesson_id: id, unlocks_ms: atMs } of page.data.moments) {
    const leftMs = atMs - serverNowMs();
    // A second later, and not all pages at once.
    if (leftMs < FURTHEST_TIMER_MS) setTimeout(() => askWhetherOpen(id), Math.max(0, leftMs) + 1000 + Math.random() * 2000);
  }
}

// ------------------------------------------------------------- this lesson

function showCompleted() {
  markLesson(lessonId, "completed");
  const done = document.getElementById("complete-state");
  if (!done) return;
  const button = document.getElementById("complete");
  const hadFocus = button !== null && document.activeElement === button;
  done.hidden = false;
  if (button) button.hidden = true;
  if (hadFocus) (document.getElementById("following") ?? document.getElementById("main")).focus();
}

function showRow(row) {
  if (!row) return;
  markLesson(row.lesson_id, row.status);
  if (row.lesson_id !== lessonId) return;
  if (row.status === "completed") showCompleted();
  const place = document.getElementById("watched");
  if (!place) return;
  place.querySelector("progress").value = Number(row.completion_percentage);
  place.querySelector(".slot bdi").textContent = percent(row.completion_percentage);
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

function followVideo() {
  const line = document.getElementById("watch-state");
  const watching = new Watching(video, {
    enrollmentId,
    lessonId,
    onRow: showRow,
    onKept: (isKept) => (isKept ? fill(line, state("waiting", t("learn.kept"))) : line.querySelector("[data-state]") && line.replaceChildren()),
  });
  const goOn = () => goOnAt(watching.leftAt ?? page.data.position_seconds, line);
  if (video.readyState >= HTMLMediaElement.HAVE_METADATA) goOn(); // known before this script ran: nothing tells it again
  else video.addEventListener("loadedmetadata", goOn, { once: true });
}

/** Back to where it was left, on whichever device; and a way to the beginning. */
function goOnAt(from, line) {
  if (!(from > 5 && from < video.duration - 10) || video.currentTime > 1) return;
  video.currentTime = from;
  fill(line, html`<span>${t("learn.from_start", { time: countdown(from * 1000) })}</span> <button type="button" class="button button-quiet">${t("learn.begin_again")}</button>`);
  line.querySelector("button").addEventListener("click", () => {
    video.currentTime = 0;
    line.replaceChildren();
    video.focus();
  });
}

/** A link to a file holds for a while: when it is over, the video goes on by a new one. */
function renewLink() {
  let renewedMs = 0;
  video.addEventListener("error", async () => {
    if (Date.now() - renewedMs < 10000) return;
    renewedMs = Date.now();
    const [at, isPlaying] = [video.currentTime, !video.paused];
    const path = `/files/${encodeURIComponent(page.data.file_id)}/signed-url`;
    const link = await post(path, { disposition: "inline" }, { isQuiet: true }).catch(() => null);
    if (!link) return;
    video.src = link.url;
    video.currentTime = at;
    if (isPlaying) video.play().catch(() => {});
  });
}

function followCourse() {
  follow(`course:${courseId}`);
  on("course_updated", (data) => {
    if (data.course_id !== courseId || !data.changes?.lessons?.includes(lessonId)) return;
    if (page.data.is_locked) {
      askWhetherOpen(lessonId);
      return;
    }
    const changed = document.getElementById("changed");
    if (!changed.hidden) return;
    changed.hidden = false;
    say(changed.textContent.trim());
  });
}

/** All of it again, when something was missed. */
async function catchUp() {
  const enrollment = await read(`/enrollments/${encodeURIComponent(enrollmentId)}`, { isQuiet: true });
  showProgress({ ...enrollment, enrollment_id: enrollment.id });
  for (const row of enrollment.progress) if (row.status !== "not_started") showRow(row);
  if (page.data.is_locked) await askWhetherOpen(lessonId);
}

function learn() {
  document.getElementById("complete-form")?.addEventListener("submit", complete);
  on("lesson_completed", (data) => (data.lesson_id === lessonId ? showCompleted() : markLesson(data.lesson_id, "completed")));
  on("progress_updated", (data) => {
    if (data.enrollment_id !== enrollmentId) return;
    showRow(data.progress);
    for (const id of data.unlocked_lesson_ids ?? []) unlock(id);
  });
  whenMissed(catchUp);
  followCourse();
  openInTime();
  sendLeftOver(enrollmentId, lessonId).then((isAnySent) => isAnySent && catchUp());
  if (page.data.is_locked) return;
  if (video) followVideo();
  else countTime(enrollmentId, lessonId);
  // Opened: the lesson has begun, and the course is the one to go on with.
  post(`/enrollments/${encodeURIComponent(enrollmentId)}/progress`, { lesson_id: lessonId }, { isQuiet: true }).catch(() => {});
}

if (enrollmentId) learn();
if (video && page.data.file_id) renewLink();
