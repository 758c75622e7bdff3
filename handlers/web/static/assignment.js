// One's own work: text and files are kept as a draft while one writes, and a grade that comes or changes is said.
// What is kept says so only once the server has it. Handing in is the form's own.

import { call, read } from "./api.js";
import { fill, html, icon } from "./html.js";
import { points, t } from "./i18n.js";
import { on, whenMissed } from "./line.js";
import { page } from "./page.js";
import { say } from "./say.js";
import { banner, state } from "./states.js";

const REST_MS = 1500;
const UPLOAD_MS = 30 * 60 * 1000;
const { assignment_id: assignmentId } = page.data;
const path = `/assignments/${encodeURIComponent(assignmentId)}`;
const form = document.getElementById("work");
const place = document.getElementById("changed");

// ------------------------------------------------------------- the grade

function graded(data) {
  if (data.assignment_id !== assignmentId || data.grade === page.data.grade) return;
  const words = t("assignments.told", { grade: points(data.grade), points: points(data.points) });
  fill(place, banner("info", html`<p>${words} <a href="${location.pathname}">${t("assignments.show")}</a></p>`));
  place.hidden = false;
  say(words);
}

on("assignment_graded", graded);
on("grade_taken_back", (data) => {
  if (data.assignment_id !== assignmentId) return;
  const words = t("assignments.told_back", { reason: data.reason });
  fill(place, banner("info", html`<p>${words} <a href="${location.pathname}">${t("assignments.show")}</a></p>`));
  place.hidden = false;
  say(words);
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
let isHandingIn = false;

const fileIds = () => [...form.querySelectorAll("input[name=file]")].map((input) => input.value);
const work = () => ({ content: form.elements.content.value, file_ids: fileIds() });
let kept = form ? JSON.stringify(work()) : "";

function show(kind, words) {
  fill(line, html`${state(kind, words)}`);
}

async function keep() {
  const now = work();
  const text = JSON.stringify(now);
  if (text === kept || isHandingIn) return;
  show("saving", t("assignments.draft_saving"));
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
  }
}

function keepNow() {
  clearTimeout(timer);
  saving = saving.then(keep);
  return saving;
}

// ------------------------------------------------------------- files

function showFile(file) {
  const row = document.createElement("li");
  row.className = "row";
  row.dataset.file = file.id;
  fill(row, html`<input type="hidden" name="file" value="${file.id}"><a href="${file.file_url}" download><bdi>${file.original_filename}</bdi></a><button type="button" class="button button-quiet" data-drop>${icon("remove")}${t("assignments.drop")}<span class="unseen"> <bdi>${file.original_filename}</bdi></span></button>`);
  document.getElementById("chosen").append(row);
}

async function upload(file) {
  const told = document.getElementById("upload-state");
  fill(told, html`${state("saving", t("assignments.uploading", { name: file.name }))}`);
  const body = new FormData();
  body.append("file", file);
  try {
    showFile(await call("POST", "/files/upload", body, { timeoutMs: UPLOAD_MS }));
    fill(told, html`${state("saved", t("assignments.uploaded", { name: file.name }))}`);
    say(t("assignments.uploaded", { name: file.name }));
  } catch (problem) {
    const words = problem.code === "too_large" ? t("assignments.upload_large") : t("assignments.upload_failed", { name: file.name });
    fill(told, html`${state("refused", words)}`);
    say(words);
  }
}

if (form) {
  const picker = document.getElementById("picker");
  picker.hidden = false;
  for (const button of form.querySelectorAll("[data-drop]")) button.hidden = false;
  form.elements.content.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(keepNow, REST_MS);
  });
  form.elements.content.addEventListener("blur", keepNow);
  document.getElementById("upload").addEventListener("change", async (event) => {
    const input = event.target;
    for (const file of [...input.files]) await upload(file);
    input.value = "";
    keepNow();
  });
  form.addEventListener("click", (event) => {
    const button = event.target.closest("[data-drop]");
    if (!button) return;
    button.closest("li").remove();
    document.getElementById("upload").focus();
    keepNow();
  });
  form.addEventListener("submit", () => {
    isHandingIn = true;
    clearTimeout(timer);
  });
  addEventListener("pagehide", () => {
    const now = work();
    if (isHandingIn || JSON.stringify(now) === kept) return;
    call("PUT", `${path}/draft`, { ...now, revision }, { keepalive: true, isQuiet: true }).catch(() => {});
  });
}
