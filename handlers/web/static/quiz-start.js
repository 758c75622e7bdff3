// Before a quiz: the line check, Start, and unlocking: at the opening time by the server's clock, or when the teacher goes on.

import { post, read } from "./api.js";
import { fill, html, icon } from "./html.js";
import { countdown, hasWords, t } from "./i18n.js";
import { live, on } from "./line.js";
import { page } from "./page.js";
import { leaseKey } from "./room-line.js";
import { say } from "./say.js";
import { banner } from "./states.js";

const SLOW_MS = 800;
const LIVE_WAIT_MS = 5000;
const ASK_MS = 8000;
const WATCHED = new Set(["waiting", "paused", "ended"]);
const WHY_ICONS = { waiting: "clock", paused: "paused" };
const REFUSED = { quiz_paused: "paused", quiz_not_open: "waiting" };
const start = document.getElementById("start");
const why = document.getElementById("why-not");

function showLine(kind, ms = 0) {
  const place = document.getElementById("line-check");
  const name = { good: "live", slow: "alert", plain: "info", none: "lost" }[kind];
  place.dataset.line = kind;
  fill(place, html`<p class="row small">${icon(name)}<span>${t(`quiz.line_${kind}`, { ms: Math.max(1, Math.round(ms)) })}</span></p>`);
}

async function checkLine() {
  const began = performance.now();
  try {
    await read("/health", { isQuiet: true, timeoutMs: 8000 });
  } catch {
    showLine("none");
    return;
  }
  const ms = performance.now() - began;
  await new Promise((resolve) => {
    if (live.isUp) resolve();
    live.addEventListener("open", resolve, { once: true });
    setTimeout(resolve, LIVE_WAIT_MS);
  });
  showLine(live.isUp ? (ms > SLOW_MS ? "slow" : "good") : "plain", ms);
}

/** The server's clock: measured by the line once it stands, until then as it was when the page was made. */
function serverNowMs() {
  const sincePage = page.server_time_ms + performance.now();
  return Number.isFinite(live.clock.errorMs) ? live.clock.nowMs() : sincePage;
}

/** It may begin: the button works, and that is said. */
function unlock() {
  if (start.dataset.state === "start") return;
  clearInterval(counting);
  clearTimeout(asking);
  why.hidden = true;
  start.dataset.state = "start";
  start.removeAttribute("aria-disabled");
  start.removeAttribute("aria-describedby");
  say(t("quiz.unlocked"));
}

/** It may not, for now: why, and by what it will be unlocked. */
function lock(state) {
  start.dataset.state = state;
  start.setAttribute("aria-disabled", "true");
  start.setAttribute("aria-describedby", "why-not");
  why.hidden = false;
  fill(why, html`${icon(WHY_ICONS[state] ?? "lock")}<span>${t(`quiz.state_${state}`)}</span>`);
  say(t(`quiz.state_${state}`));
  watch();
}

let opensMs = Date.parse(page.data.opens_at);
let counting = 0;
let asking = 0;

function countDown() {
  const leftMs = opensMs - serverNowMs();
  if (leftMs <= 0) unlock();
  else if (leftMs < 3600000) why.querySelector("span").textContent = t("quiz.opens_in", { time: countdown(leftMs + 999) });
}

/** The teacher may go on, or move the opening time: asked now and then, not by all pages at once. */
async function ask() {
  asking = setTimeout(ask, ASK_MS * (0.75 + Math.random() / 2));
  if (document.hidden) return;
  const quiz = await read(`/quizzes/${encodeURIComponent(page.data.quiz_id)}`, { isQuiet: true }).catch(() => null);
  if (!quiz) return;
  opensMs = Date.parse(quiz.opens_at);
  const isHeld = quiz.live_state === "paused" || quiz.live_state === "ended";
  if (start.dataset.state === "paused" && !isHeld) unlock();
  else if (start.dataset.state === "ended" && !isHeld) location.reload();
}

/** Unlock when its time has come, or when the teacher goes on. */
function watch() {
  const { state } = start.dataset;
  clearInterval(counting);
  clearTimeout(asking);
  if (state === "waiting") counting = setInterval(countDown, 1000);
  if (WATCHED.has(state)) asking = setTimeout(ask, ASK_MS);
}

/** The lease goes along to the room, in this tab alone; without it the room would ask to take over. */
function keepLease(attempt) {
  try {
    if (attempt.lease) sessionStorage.setItem(leaseKey(attempt.id), attempt.lease);
  } catch {
    // A blocked store costs one press of "Continue here".
  }
}

const key = crypto.randomUUID ? crypto.randomUUID() : String(Math.random()).slice(2);
let isStarting = false;

async function begin() {
  if (start.getAttribute("aria-disabled") === "true" || isStarting) return;
  if (start.dataset.attempt) {
    location.assign(`/attempts/${encodeURIComponent(start.dataset.attempt)}`);
    return;
  }
  isStarting = true;
  document.getElementById("start-error").replaceChildren();
  try {
    const attempt = await post("/attempts", { quiz_id: page.data.quiz_id }, { idempotencyKey: key });
    keepLease(attempt);
    location.assign(`/attempts/${encodeURIComponent(attempt.id)}`);
  } catch (problem) {
    isStarting = false;
    if (REFUSED[problem.code]) {
      if (problem.data?.opens_at) opensMs = Date.parse(problem.data.opens_at);
      lock(REFUSED[problem.code]);
      return;
    }
    const words = hasWords(`errors.${problem.code}`) ? t(`errors.${problem.code}`) : problem.message;
    const place = document.getElementById("start-error");
    fill(place, banner("bad", words));
    say(words);
  }
}

on("progress_updated", (data) => {
  if (start.dataset.state === "locked" && data.unlocked_lesson_ids?.length) location.reload();
});
start.addEventListener("click", begin);
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
watch();
checkLine();
