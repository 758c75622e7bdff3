// Before a quiz: the line check, unlocking at the opening time by the server's clock, and Start.

import { post, read } from "./api.js";
import { fill, html, icon } from "./html.js";
import { countdown, hasWords, t } from "./i18n.js";
import { live } from "./line.js";
import { page } from "./page.js";
import { leaseKey } from "./room-line.js";
import { say } from "./say.js";
import { banner } from "./states.js";

const SLOW_MS = 800;
const LIVE_WAIT_MS = 5000;
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

function unlockInTime() {
  const opensMs = Date.parse(page.data.opens_at);
  const timer = setInterval(() => {
    const leftMs = opensMs - serverNowMs();
    if (leftMs > 0) {
      if (leftMs < 3600000) why.querySelector("span").textContent = t("quiz.opens_in", { time: countdown(leftMs + 999) });
      return;
    }
    clearInterval(timer);
    why.hidden = true;
    start.dataset.state = "start";
    start.removeAttribute("aria-disabled");
    start.removeAttribute("aria-describedby");
    say(t("quiz.start"));
  }, 1000);
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
    const words = hasWords(`errors.${problem.code}`) ? t(`errors.${problem.code}`) : problem.message;
    const place = document.getElementById("start-error");
    fill(place, banner("bad", words));
    say(words);
    isStarting = false;
  }
}

start.addEventListener("click", begin);
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
if (start.dataset.state === "waiting") unlockInTime();
checkLine();
