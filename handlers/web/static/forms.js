// Forms that send JSON to the REST API: what is typed stays, faults come as a summary that takes focus and links to the
// fields, and the title begins with "Error:". Not for forms that work without scripts (sign in, search).

import { call } from "./api.js";
import { fill, html, icon } from "./html.js";
import { hasWords, t } from "./i18n.js";

const READERS = {
  number: (control) => (control.value.trim() === "" ? null : Number(westernDigits(control.value))),
  decimal: (control) => (control.value.trim() === "" ? null : westernDigits(control.value).replace("٫", ".")),
  money: (control) => minorUnits(control),
  boolean: (control) => control.checked,
  choice: (control) => control.value === "true",
  list: (control) => control.value.split(/[,،\n]/).map((part) => part.trim()).filter(Boolean),
  draw: (control) => control.value.split("\n").map((line) => line.trim()).filter(Boolean).map(drawRule),
  moment: (control) => (control.value === "" ? null : new Date(control.value).toISOString()),
  optional: (control) => (control.value === "" ? null : control.value),
  text: (control) => control.value,
};

/** What is typed in minor units of the currency that the form names now; what has more places is sent as it is, and refused. */
function minorUnits(control) {
  const currency = control.form.elements.namedItem(control.dataset.currency).value.trim();
  const [, places = 2] = control.dataset.places.split(" ").map((row) => row.split(":")).find(([code]) => code === currency) ?? [];
  const exact = Number(westernDigits(control.value || "0").replace("٫", ".")) * 10 ** Number(places);
  const whole = Math.round(exact);
  return Math.abs(exact - whole) < 0.001 ? whole : exact;
}

/** "5 #lines" or "5 Week 1/Lines": so many questions with a tag, or of a category. */
function drawRule(line) {
  const [, count, rest] = /^(\S+)\s+(.*)$/.exec(line) ?? [null, line, ""];
  const of = rest.startsWith("#") ? { tag: rest.slice(1).trim() } : { category: rest };
  return { count: Number(westernDigits(count)), ...of };
}

/** ٣٫٥ → 3.5: both kinds of digits are read. */
export function westernDigits(text) {
  return String(text)
    .trim()
    .replace(/[٠-٩]/g, (digit) => String(digit.charCodeAt(0) - 0x0660))
    .replace(/[۰-۹]/g, (digit) => String(digit.charCodeAt(0) - 0x06f0));
}

/** The form's named controls as the API's fields; `data-kind` says how each is read, `data-skip-empty` leaves it out. */
export function valuesOf(form) {
  const values = {};
  for (const control of form.elements) {
    if (!control.name || control.disabled || control.name === "csrf") continue;
    if (control.type === "radio" && !control.checked) continue;
    if (control.dataset.kind === "member") {
      values[control.name] ??= [];
      if (control.checked || (control.type === "hidden" && control.value)) values[control.name].push(control.value);
      continue;
    }
    if (control.dataset.skipEmpty !== undefined && control.value === "") continue;
    values[control.name] = (READERS[control.dataset.kind ?? "text"] ?? READERS.text)(control);
  }
  return values;
}

function controlOf(form, field) {
  const name = String(field).split(".")[0];
  const control = form.elements.namedItem(field) ?? form.elements.namedItem(name);
  return control instanceof RadioNodeList ? control[0] : control;
}

function wordsOf(error) {
  const key = `errors.${error.code}`;
  return error.code && hasWords(key) ? t(key) : error.message;
}

function markField(form, error) {
  const control = controlOf(form, error.field);
  if (!control?.id) return null;
  control.setAttribute("aria-invalid", "true");
  const id = `${control.id}-error`;
  let line = document.getElementById(id);
  if (!line) {
    line = document.createElement("p");
    line.id = id;
    line.className = "field-error";
    (control.closest(".field") ?? control.parentElement).append(line);
    control.setAttribute("aria-describedby", `${control.getAttribute("aria-describedby") ?? ""} ${id}`.trim());
  }
  fill(line, html`${icon("refused")}<span>${wordsOf(error)}</span>`);
  return control.id;
}

/** Take away what the last refusal showed. */
export function clearErrors(form) {
  form.querySelector(".error-summary")?.remove();
  for (const line of form.querySelectorAll(".field-error")) line.remove();
  for (const control of form.querySelectorAll("[aria-invalid]")) {
    control.removeAttribute("aria-invalid");
    const described = (control.getAttribute("aria-describedby") ?? "").split(" ").filter((id) => id !== `${control.id}-error`);
    if (described.join("")) control.setAttribute("aria-describedby", described.join(" "));
    else control.removeAttribute("aria-describedby");
  }
  document.title = document.title.replace(`${t("client.error_title")} `, "");
}

function wordsOfProblem(problem) {
  const key = [`errors.${problem.code}`, `client.${problem.code}`].find(hasWords);
  return key ? t(key) : problem.message;
}

/** Show why the form was refused; the summary takes focus. */
export function showProblem(form, problem) {
  clearErrors(form);
  const rows = (problem.errors ?? []).map((error) => ({ words: wordsOf(error), id: markField(form, error), field: error.field }));
  const missing = (problem.data?.missing ?? []).map((item) => ({ words: hasWords(`errors.missing_${item}`) ? t(`errors.missing_${item}`) : item }));
  const list = [...rows, ...missing].map((row) =>
    row.id ? html`<li><a href="#${row.id}">${row.words}</a></li>` : html`<li>${row.words}</li>`,
  );
  const box = document.createElement("div");
  box.className = "error-summary";
  box.tabIndex = -1;
  box.setAttribute("aria-label", t("client.summary"));
  box.setAttribute("role", "group");
  const reference = problem.requestId && problem.status >= 500 ? html`<p class="small muted">${t("client.request_id")} <bdi dir="ltr">${problem.requestId}</bdi></p>` : "";
  fill(box, html`<h2>${icon("refused")}${list.length ? t("client.summary") : wordsOfProblem(problem)}</h2>${list.length ? html`<ul>${list}</ul>` : ""}${reference}`);
  form.prepend(box);
  box.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (!link) return;
    event.preventDefault();
    document.getElementById(link.getAttribute("href").slice(1))?.focus();
  });
  document.title = `${t("client.error_title")} ${document.title}`;
  box.focus();
}

/**
 * Send the form by the API when it is submitted: `data-method`, `data-path`, `data-version` (If-Match).
 * `onDone(reply, form)` follows; a second press while it runs is nothing.
 */
export function enhance(form, onDone, { values = valuesOf } = {}) {
  let isRunning = false;
  form.noValidate = true;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (isRunning) return;
    isRunning = true;
    const button = event.submitter ?? form.querySelector("[type=submit]");
    button?.setAttribute("aria-disabled", "true");
    clearErrors(form);
    try {
      const reply = await call(form.dataset.method ?? "POST", form.dataset.path, values(form), {
        ifMatch: form.dataset.version,
        idempotencyKey: form.dataset.once,
      });
      await onDone(reply, form);
    } catch (problem) {
      showProblem(form, problem);
    } finally {
      isRunning = false;
      button?.removeAttribute("aria-disabled");
    }
  });
}
