// The projector: title, clock, end, counts, the last announcement, and one question's bars when the teacher reveals them.
// It keeps no names, whatever the snapshot holds. Not for controlling anything but itself.

import { read } from "./api.js";
import { optionName } from "./dashboard-answers.js";
import { beScreen } from "./dashboard-projector.js";
import { keepWording } from "./dashboard-wording.js";
import { fill, html, icon } from "./html.js";
import { moment, number, t } from "./i18n.js";
import { live } from "./line.js";
import { Ear } from "./live.js";
import { page } from "./page.js";
import { say } from "./say.js";

const PAINT_MS = 500;
const ENOUGH = 5;
const OPEN = new Set(["in_progress", "paused"]);
const at = (id) => document.getElementById(id);
const path = `/quizzes/${encodeURIComponent(page.data.quiz_id)}/live`;

const known = { version: 0, totals: page.data.totals, questions: new Map(page.data.questions.map((row) => [row.question_id, row])), ends: null };
const asked = new URLSearchParams(location.search);
const shown = { id: asked.get("question"), isRevealed: asked.get("revealed") === "1" };
let announcement = null;
let isStale = false;

function nowMs() {
  return Number.isFinite(live.clock.errorMs) ? live.clock.nowMs() : page.server_time_ms + performance.now();
}

// --- what is known ---

/** Of a student only the end of their time. */
function takeRow(row) {
  known.ends ??= new Map();
  const held = known.ends.get(row.attempt_id);
  if (held && held.revision > row.revision) return;
  const endMs = row.deadline_at ? Date.parse(row.deadline_at) : Infinity;
  known.ends.set(row.attempt_id, { revision: row.revision, endMs: OPEN.has(row.status) ? endMs : null });
}

function take(data) {
  for (const row of data.students) takeRow(row);
  for (const row of data.questions) known.questions.set(row.question_id, row);
  for (const id of data.removed ?? []) known.questions.delete(id);
  Object.assign(known, { version: data.version, totals: data.totals });
  isStale = false;
}

let reading = null;
async function snapshot() {
  reading ??= read(path).finally(() => {
    reading = null;
  });
  const view = await reading;
  known.ends = new Map();
  known.questions.clear();
  take(view);
  paint();
}

async function readAnnouncement() {
  try {
    const { items } = await read(`${path}/controls?page_size=50`);
    announcement = items.find((one) => one.kind === "announce" && (one.scope?.kind ?? "all") === "all") ?? null;
  } catch {
    return; // what is shown stays
  }
  paint();
}

// --- what is seen ---

function set(id, words) {
  if (at(id).textContent !== words) at(id).textContent = words;
}

function lastEndMs() {
  const ends = [...known.ends.values()].map((row) => row.endMs).filter((ms) => ms !== null);
  const last = ends.reduce((most, ms) => Math.max(most, ms), 0);
  return Number.isFinite(last) && last > 0 ? last : null;
}

function paint() {
  set("screen-clock", moment(nowMs(), "time"));
  at("screen-stale").hidden = !isStale;
  const { totals } = known;
  keepWording(known.questions.values(), paintQuestion);
  if (known.ends) {
    const endMs = lastEndMs();
    set("screen-end", endMs === null ? "" : t("screen.ends", { time: moment(endMs, "time") }));
  }
  const closed = totals.submitted + totals.graded;
  set("screen-here", t("screen.here", { part: number(totals.connected), whole: number(totals.students) }));
  set("screen-in", t("screen.in", { part: number(closed), whole: number(closed + totals.in_progress + totals.paused) }));
  at("screen-paused").hidden = totals.paused === 0 || totals.in_progress > 0;
  at("screen-announcement").hidden = announcement === null;
  set("screen-words", announcement?.text ?? "");
  paintQuestion();
}

function ordered() {
  return [...known.questions.values()].sort((a, b) => a.order - b.order);
}

let drawn = "";
function paintQuestion() {
  const row = known.questions.get(shown.id);
  at("screen-question").hidden = !row;
  at("reveal").setAttribute("aria-pressed", String(shown.isRevealed));
  at("reveal").setAttribute("aria-disabled", String(!row));
  if (!row) return;
  const options = page.data.options[row.question_id] ?? [];
  const isOpen = shown.isRevealed && row.answered >= ENOUGH && options.length > 0;
  const kind = JSON.stringify([row.question_id, row.order, row.title, isOpen && options]);
  if (drawn !== kind) {
    drawn = kind;
    set("screen-number", t("dashboard.q", { number: row.order }));
    set("screen-title", row.title);
    fill(at("screen-bars"), html`${isOpen ? options.map((option, n) => html`<li class="screen-bar"><span class="screen-letter">${optionName(option, n)}</span><span class="screen-option" dir="auto">${option.text}</span><progress max="1" value="0" aria-hidden="true"></progress><span class="screen-count"></span></li>`) : ""}`);
  }
  const isSoon = shown.isRevealed && options.length > 0 && row.answered < ENOUGH;
  set("screen-answered", isSoon ? t("screen.too_few", { count: row.answered, enough: ENOUGH }) : t("dashboard.answered", { count: row.answered }));
  if (!isOpen) return;
  options.forEach((option, n) => {
    const bar = at("screen-bars").children[n];
    const count = row.options[option.id] ?? 0;
    bar.querySelector("progress").max = Math.max(1, row.answered);
    bar.querySelector("progress").value = count;
    const place = bar.querySelector(".screen-count");
    if (place.textContent !== number(count)) place.textContent = number(count);
  });
}

// --- what is chosen, here or in the dashboard's window ---

const tell = beScreen(page.data.quiz_id, {
  onShow: (id) => choose({ id, isRevealed: false }),
  onReveal: (isRevealed) => choose({ isRevealed }),
});

function choose(wish) {
  Object.assign(shown, wish);
  if (!shown.id) shown.isRevealed = false;
  const query = new URLSearchParams();
  if (shown.id) query.set("question", shown.id);
  if (shown.isRevealed) query.set("revealed", "1");
  history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
  tell({ shown: shown.id, isRevealed: shown.isRevealed });
  paint();
}

/** One on, one back; beyond the ends there is none, and from none it goes to the nearest end. */
function step(by) {
  const rows = ordered();
  const place = rows.findIndex((row) => row.question_id === shown.id);
  const row = rows[place < 0 && by < 0 ? rows.length - 1 : place + by] ?? null;
  choose({ id: row?.question_id ?? null, isRevealed: false });
  say(row ? `${t("dashboard.q", { number: row.order })} ${row.title}` : t("screen.no_question"));
}

at("previous").addEventListener("click", () => step(-1));
at("next").addEventListener("click", () => step(1));
at("reveal").addEventListener("click", () => shown.id && choose({ isRevealed: !shown.isRevealed }));
at("whole").hidden = !document.fullscreenEnabled;
at("whole").addEventListener("click", () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen()));
fill(at("screen-paused"), html`${icon("paused")}<span>${t("screen.paused")}</span>`);

const ear = new Ear(`quiz:${page.data.quiz_id}:live`, {
  onEvent: (frame) => frame.event === "control_applied" && readAnnouncement(),
  onState: (frame) => {
    if (frame.event !== "dashboard") return;
    if (reading || frame.data.follows > known.version) snapshot().catch(() => {});
    else take(frame.data);
  },
  onReset: () => Promise.all([snapshot(), readAnnouncement()]),
});
live.subscribe(ear);
live.addEventListener("offline", () => {
  isStale = true;
  ear.forgetPosition();
});
tell({ shown: shown.id, isRevealed: shown.isRevealed });
setInterval(() => document.hidden || paint(), PAINT_MS);
paint();
