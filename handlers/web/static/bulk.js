// Work on many things: a table of people is foretold row by row before it is brought in, a course is made of an archive, and
// runs in the background are followed live. What a run is over for is shown at once; its links come with the page.

import { call, post, read } from "./api.js";
import { clearErrors, showProblem, westernDigits } from "./forms.js";
import { fill, html, icon } from "./html.js";
import { hasWords, t } from "./i18n.js";
import { on } from "./line.js";
import { leaving, page } from "./page.js";
import { say } from "./say.js";
import "./sending.js";
import { tag } from "./states.js";
import { toastAfter } from "./toast.js";

const people = document.getElementById("people-form");
const course = document.getElementById("course-form");
const report = document.getElementById("report");
const SEND_MS = 30 * 60_000;
const TONES = { added: ["ok", "saved"], enrolled: ["ok", "saved"], returned: ["ok", "saved"], invited: ["info", "clock"], present: ["", ""], refused: ["bad", "refused"] };
let isRunning = false;

/** One thing at a time; what is refused is shown in the form. */
async function once(form, act) {
  if (isRunning) return;
  isRunning = true;
  clearErrors(form);
  try {
    await act();
  } catch (problem) {
    showProblem(form, problem);
  } finally {
    isRunning = false;
  }
}

// ------------------------------------------------------------- people

function sendTable(isDry) {
  const body = new FormData();
  body.set("file", people.elements.namedItem("file").files[0] ?? new File([], "empty.csv"));
  const invite = people.elements.namedItem("invite").checked;
  const path = `/courses/${encodeURIComponent(page.data.course_id)}/students/import?dry_run=${isDry}&invite=${invite}`;
  const key = isDry ? undefined : (people.dataset.key ??= crypto.randomUUID?.() ?? String(Math.random()));
  return call("POST", path, body, { timeoutMs: 60_000, idempotencyKey: key });
}

function reasonOf(row) {
  const key = `bulk.fault_${row.code}`;
  if (row.code && hasWords(key)) return t(key);
  return row.reason ?? "";
}

function tableRow(row) {
  const [tone, name] = TONES[row.outcome];
  return html`<tr>
    <td class="number" data-label="${t("teach.line")}">${row.line}</td>
    <th scope="row"><bdi dir="ltr">${row.email}</bdi></th>
    <td data-label="${t("teach.name")}"><bdi>${row.full_name ?? ""}</bdi></td>
    <td data-label="${t("teach.outcome")}">${tag(t(`bulk.would_${row.outcome}`), tone, name)}</td>
    <td data-label="${t("teach.reason")}">${reasonOf(row)}</td>
  </tr>`;
}

function show(told) {
  const names = Object.keys(TONES);
  const usable = told.total - told.counts.refused - told.counts.present;
  const figures = names.map((name) => html`<div class="figure"><dt>${t(`bulk.would_${name}`)}</dt><dd>${told.counts[name]}</dd></div>`);
  const go = usable > 0
    ? html`<p><button type="button" class="button button-main" id="bring-in">${icon("upload")}${t("bulk.bring_in", { count: usable })}</button></p>`
    : html`<p>${t("bulk.nothing")}</p>`;
  const cut = told.is_cut ? html`<p class="small muted">${t("bulk.is_cut", { count: told.total })}</p>` : "";
  const table = html`<div class="table-scroll table-cards" tabindex="0" role="region" aria-labelledby="report-title"><table class="table">
    <thead><tr><th scope="col">${t("teach.line")}</th><th scope="col">${t("bulk.address")}</th><th scope="col">${t("teach.name")}</th><th scope="col">${t("teach.outcome")}</th><th scope="col">${t("teach.reason")}</th></tr></thead>
    <tbody>${told.rows.map(tableRow)}</tbody></table></div>`;
  fill(report, html`<h3 id="report-title" tabindex="-1">${t("teach.import_would")}</h3><dl class="figures">${figures}</dl>${go}${cut}${table}`);
  report.hidden = false;
  report.querySelector("h3").focus();
  report.querySelector("#bring-in")?.addEventListener("click", () => once(people, bringIn));
  say(t("bulk.summary", { count: usable, refused: told.counts.refused }));
}

async function bringIn() {
  await sendTable(false);
  toastAfter(t("bulk.begun"));
  await leaving(() => location.reload());
}

people?.addEventListener("submit", (event) => {
  event.preventDefault();
  once(people, async () => show(await sendTable(true)));
});
people?.addEventListener("input", () => {
  delete people.dataset.key;
  report.hidden = true;
});

// ------------------------------------------------------------- a course out of a file

async function sendCourse() {
  const fields = course.elements;
  const body = new FormData();
  body.set("file", fields.namedItem("file_id").files[0] ?? new File([], "empty.zip"));
  document.getElementById("sending").textContent = t("bulk.sending");
  say(t("bulk.sending"));
  try {
    const file = await call("POST", "/files/upload", body, { timeoutMs: SEND_MS });
    const title = fields.namedItem("title").value.trim();
    const days = Number(westernDigits(fields.namedItem("shift_days").value || "0"));
    await post("/courses/import", { file_id: file.id, shift_days: days, ...(title ? { title } : {}) });
    toastAfter(t("bulk.begun"));
    await leaving(() => location.reload());
  } finally {
    document.getElementById("sending").textContent = "";
  }
}

course?.addEventListener("submit", (event) => {
  event.preventDefault();
  once(course, sendCourse);
});

// ------------------------------------------------------------- runs

const STATUS = { finished: ["ok", "saved"], failed: ["bad", "refused"], cancelled: ["warn", "clock"], running: ["info", "clock"], waiting: ["info", "clock"] };

function rowOf(data) {
  return document.querySelector(`[data-run="${CSS.escape(data.import_id ?? data.id)}"]`);
}

function follow(data) {
  const row = rowOf(data);
  if (!row) return;
  const bar = row.querySelector("progress");
  if (bar) {
    bar.max = data.total || 1;
    bar.value = data.done;
  }
  const counts = Object.entries(data.counts).filter(([, count]) => count);
  row.querySelector("[data-part=counts]").textContent = counts.map(([name, count]) => ` · ${t(`bulk.count_${name}`, { count })}`).join("");
  if (row.dataset.status !== data.status) {
    row.dataset.status = data.status;
    fill(row.querySelector("[data-part=status]"), tag(t(`bulk.status_${data.status}`), ...STATUS[data.status]));
  }
}

function finish(data) {
  const row = rowOf(data);
  if (!row) return;
  follow(data);
  row.querySelector("progress")?.remove();
  row.querySelector("form")?.remove();
  say(t(`bulk.status_${data.status}`));
  const more = row.querySelector(".row");
  const made = data.made_course_id;
  if (made) fill(more, html`<a class="button" href="/teach/courses/${made}/details">${icon("book")}${t("bulk.open")}</a>`);
  else if (!more.querySelector("a")) fill(more, html`<a class="button" href="${location.pathname}">${t("bulk.show")}</a>`);
}

on("import_progress", follow);
on("import_finished", finish);

/** A run that was over before the page listened: asked for once. */
for (const row of document.querySelectorAll("[data-status=waiting], [data-status=running]")) {
  read(`/imports/${encodeURIComponent(row.dataset.run)}`, { isQuiet: true })
    .then((run) => (["waiting", "running"].includes(run.status) ? follow(run) : finish(run)))
    .catch(() => null);
}
