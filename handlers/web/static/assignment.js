// One's own work: text and files are kept as a draft while one writes, and a grade that comes or changes is said.
// What is kept says so only once the server has it. Handing in is the form's own, uploading file-picker.js's.

import { call, read } from "./api.js";
import { gradeWords, tell } from "./assignment-told.js";
import { fill, html } from "./html.js";
import { t } from "./i18n.js";
import { on, whenMissed } from "./line.js";
import { page } from "./page.js";
import { state } from "./states.js";

const REST_MS = 1500;
const { assignment_id: assignmentId } = page.data;
const path = `/assignments/${encodeURIComponent(assignmentId)}`;
const form = document.getElementById("work");

// ------------------------------------------------------------- the grade

function graded(data) {
  if (data.assignment_id !== assignmentId || data.grade === page.data.grade) return;
  tell(gradeWords(data), location.pathname);
}

on("assignment_graded", graded);
on("grade_taken_back", (data) => {
  if (data.assignment_id === assignmentId) tell(t("assignments.told_back", { reason: data.reason }), location.pathname);
});
whenMissed(async () => {
  const now = await read(path, { isQuiet: true });
  if (now.yours?.grade) graded({ assignment_id: now.id, grade: now.yours.grade, points: now.points });
});

// ------------------------------------------------------------- the draft

const line = document.getElementById("draft-state");
let revision = page.data.revision ?? 0;
let timer = 0;
let saving = Promise.resolve();
let sent = null; // what is on its way
let isHandingIn = false;

const fileIds = () => [...form.querySelectorAll("input[name=file]")].map((input) => input.value);
const work = () => ({ content: form.elements.content.value, file_ids: fileIds() });
const asMade = form?.elements.content.defaultValue; // what was typed before this ran is not kept yet
let kept = form ? JSON.stringify({ ...work(), content: asMade }) : "";

function show(kind, words) {
  fill(line, html`${state(kind, words)}`);
}

async function keep() {
  const now = work();
  const text = JSON.stringify(now);
  if (text === kept || isHandingIn) return;
  show("saving", t("assignments.draft_saving"));
  sent = now.content;
  try {
    const reply = await call("PUT", `${path}/draft`, { ...now, revision });
    revision = reply.draft?.revision ?? revision;
    kept = text;
    show("saved", t("assignments.draft_kept"));
  } catch (problem) {
    if (problem.code === "conflict" && problem.data.stored) {
      revision = problem.data.stored.revision; // what stands here now is what the next save keeps
      show("conflict", t("assignments.draft_conflict"));
    } else show(problem.code === "offline" ? "waiting" : "refused", t("assignments.draft_not_kept"));
  } finally {
    sent = null;
  }
}

function keepNow() {
  clearTimeout(timer);
  saving = saving.then(keep);
  return saving;
}

const LEFT = `lms_work_left:${page.user.id}:${assignmentId}`; // in this tab alone

/** The page goes: what is not kept is told to the server, and left for a page that was made before the server heard it. */
function leave() {
  const now = work();
  const isKept = isHandingIn || JSON.stringify(now) === kept;
  if (!isKept) call("PUT", `${path}/draft`, { ...now, revision }, { keepalive: true, isQuiet: true }).catch(() => {});
  try {
    if (isKept) sessionStorage.removeItem(LEFT);
    else sessionStorage.setItem(LEFT, JSON.stringify({ content: now.content, before: JSON.parse(kept).content, revision, sent }));
  } catch {
    // Then what the server hears has to do.
  }
}

/** What the page before left, unless something else was kept, handed in or typed since. */
function takeLeft() {
  const field = form.elements.content;
  let left = null;
  try {
    left = JSON.parse(sessionStorage.getItem(LEFT));
    sessionStorage.removeItem(LEFT);
  } catch {
    return;
  }
  if (!left || field.value !== asMade) return;
  if (!(left.revision === revision && left.before === asMade) && left.sent !== asMade) return;
  field.value = left.content;
  keepNow();
}

if (form) {
  form.elements.content.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(keepNow, REST_MS);
  });
  form.elements.content.addEventListener("blur", keepNow);
  form.addEventListener("picked", keepNow);
  form.addEventListener("submit", () => {
    isHandingIn = true;
    clearTimeout(timer);
  });
  addEventListener("pagehide", leave);
  takeLeft();
}
