// Import of questions: first a dry run that tells what would become of every question, then the import itself.

import { call } from "./api.js";
import { clearErrors, showProblem } from "./forms.js";
import { fill, html, icon } from "./html.js";
import { hasWords, t } from "./i18n.js";
import { page } from "./page.js";
import { say } from "./say.js";
import { tag } from "./states.js";

const form = document.getElementById("import-form");
const report = document.getElementById("report");
const TONES = { imported: ["ok", "saved"], degraded: ["warn", "alert"], skipped: ["bad", "wrong"] };
let isRunning = false;

function body() {
  const file = form.elements.namedItem("file").files[0];
  if (!file) return form.elements.namedItem("text").value;
  const data = new FormData();
  data.set("file", file);
  return data;
}

function send(isDry) {
  const content = body();
  const headers = content instanceof FormData ? {} : { "Content-Type": "text/plain" };
  const path = `/quizzes/${encodeURIComponent(page.data.quiz_id)}/questions/import?format=gift&dry_run=${isDry}`;
  const key = isDry ? undefined : (form.dataset.key ??= crypto.randomUUID?.() ?? String(Math.random()));
  return call("POST", path, content, { headers, timeoutMs: 60000, idempotencyKey: key });
}

function row(question) {
  const [tone, name] = TONES[question.status];
  const type = hasWords(`question.type_${question.question_type}`) ? t(`question.type_${question.question_type}`) : "";
  return html`<tr>
    <td class="number" data-label="${t("teach.line")}">${question.line}</td>
    <th scope="row"><bdi>${question.title ?? t("teach.untitled")}</bdi></th>
    <td data-label="${t("teach.kind")}">${type}</td>
    <td data-label="${t("teach.outcome")}">${tag(t(`teach.import_${question.status}`), tone, name)}</td>
    <td data-label="${t("teach.reason")}">${question.reason ? html`<bdi>${question.reason}</bdi>` : ""}</td>
  </tr>`;
}

function show(result) {
  const count = result.questions.length;
  const usable = result.imported + result.degraded;
  const title = result.dry_run ? t("teach.import_would") : t("teach.import_did");
  const figures = ["imported", "degraded", "skipped"].map(
    (name) => html`<div class="figure"><dt>${t(`teach.import_${name}`)}</dt><dd>${result[name]}</dd></div>`,
  );
  const table = html`<div class="table-scroll table-cards" tabindex="0" role="region" aria-labelledby="report-title"><table class="table">
    <thead><tr><th scope="col">${t("teach.line")}</th><th scope="col">${t("teach.question_title")}</th><th scope="col">${t("teach.kind")}</th><th scope="col">${t("teach.outcome")}</th><th scope="col">${t("teach.reason")}</th></tr></thead>
    <tbody>${result.questions.map(row)}</tbody></table></div>`;
  const go = result.dry_run
    ? usable > 0
      ? html`<p><button type="button" class="button button-main" id="import-now">${icon("upload")}${t("teach.import_now", { count: usable })}</button></p>`
      : html`<p>${t("teach.import_nothing")}</p>`
    : html`<p><a class="button button-main" href="/teach/quizzes/${page.data.quiz_id}">${t("teach.to_questions")}</a></p>`;
  fill(report, html`<h2 id="report-title" tabindex="-1">${title}</h2><dl class="figures">${figures}</dl>${go}${count ? table : ""}`);
  report.hidden = false;
  report.querySelector("h2").focus();
  report.querySelector("#import-now")?.addEventListener("click", () => run(false));
  say(t("teach.import_summary", { imported: result.imported, degraded: result.degraded, skipped: result.skipped }));
}

async function run(isDry) {
  if (isRunning) return;
  isRunning = true;
  clearErrors(form);
  try {
    show(await send(isDry));
  } catch (problem) {
    showProblem(form, problem);
  } finally {
    isRunning = false;
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  run(true);
});
form.addEventListener("input", () => {
  delete form.dataset.key;
  report.hidden = true;
});
