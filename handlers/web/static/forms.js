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

/** What is typed in minor units of the currency that the form names now; what is no amount of it is sent as it is, and refused. */
function minorUnits(control) {
  const currency = control.form.elements.namedItem(control.dataset.currency).value.trim();
  const [, places = 2] = control.dataset.places.split(" ").map((row) => row.split(":")).find(([code]) => code === currency) ?? [];
  const typed = westernDigits(control.value || "0").replace("٫", ".");
  const [, whole = "", parts = ""] = /^([0-9]{0,13})(?:\.([0-9]{0,30}))?$/.exec(typed) ?? [];
  const isAmount = whole + parts !== "" && !/[^0]/.test(parts.slice(Number(places)));
  return isAmount ? Number(whole + parts.slice(0, Number(places)).padEnd(Number(places), "0")) : typed;
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

/** Local times for datetime-local fields, whose values have no zone. */
export function fillMoments(form) {
  for (const field of form.querySelectorAll("[data-moment]")) {
    if (!field.dataset.moment) continue;
    const at = new Date(field.dataset.moment);
    field.value = new Date(at.getTime() - at.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
  }
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

/** Say of the control what stands in the element with this id, too. */
export function describe(control, id) {
  control.setAttribute("aria-describedby", `${control.getAttribute("aria-describedby") ?? ""} ${id}`.trim());
}

/** Take that back; what else is said of the control stays. */
export function describeNoMore(control, id) {
  const described = (control.getAttribute("aria-describedby") ?? "").split(" ").filter((one) => one !== id);
  if (described.join("")) control.setAttribute("aria-describedby", described.join(" "));
  else control.removeAttribute("aria-describedby");
}

const NO_AMOUNT = new Set(["int_type", "int_parsing"]);

function wordsOf(error, control) {
  const isAmount = control?.dataset.kind === "money" && NO_AMOUNT.has(error.code);
  const key = isAmount ? "errors.amount" : `errors.${error.code}`;
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
    describe(control, id);
  }
  fill(line, html`${icon("refused")}<span>${wordsOf(error, control)}</span>`);
  return control.id;
}

/** Take away what the last refusal showed. */
export function clearErrors(form) {
  form.querySelector(".error-summary")?.remove();
  for (const line of form.querySelectorAll(".field-error")) line.remove();
  for (const control of form.querySelectorAll("[aria-invalid]")) {
    control.removeAttribute("aria-invalid");
    describeNoMore(control, `${control.id}-error`);
  }
  document.title = document.title.replace(`${t("client.error_title")} `, "");
}

function wordsOfProblem(problem) {
  const key = [`errors.${problem.code}`, `client.${problem.code}`].find(hasWords);
  return key ? t(key) : problem.message;
}

/** Say above the fields what is to be seen to, where nothing is said any more; it takes focus, its links lead to the fields. */
export function showSummary(form, label, words) {
  const box = document.createElement("div");
  box.className = "error-summary";
  box.tabIndex = -1;
  box.setAttribute("aria-label", label);
  box.setAttribute("role", "group");
  fill(box, words);
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

/** Show why the form was refused. */
export function showProblem(form, problem) {
  clearErrors(form);
  const rows = (problem.errors ?? []).map((error) => ({ words: wordsOf(error, controlOf(form, error.field)), id: markField(form, error), field: error.field }));
  const missing = (problem.data?.missing ?? []).map((item) => ({ words: hasWords(`errors.missing_${item}`) ? t(`errors.missing_${item}`) : item }));
  const list = [...rows, ...missing].map((row) =>
    row.id ? html`<li><a href="#${row.id}">${row.words}</a></li>` : html`<li>${row.words}</li>`,
  );
  const reference = problem.requestId && problem.status >= 500 ? html`<p class="small muted">${t("client.request_id")} <bdi dir="ltr">${problem.requestId}</bdi></p>` : "";
  const words = list.length ? t("client.summary") : wordsOfProblem(problem);
  showSummary(form, t("client.summary"), html`<h2>${icon("refused")}${words}</h2>${list.length ? html`<ul>${list}</ul>` : ""}${reference}`);
}

/**
 * Send the form by the API when it is submitted: `data-method`, `data-path`, `data-version` (If-Match).
 * `onDone(reply, form)` follows; a second press while it runs is nothing. `comparison` (compare.js) sees to it that somebody
 * else has saved the same in the meantime.
 */
export function enhance(form, onDone, { values = valuesOf, comparison = null } = {}) {
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
      const sent = comparison?.state();
      const reply = await call(form.dataset.method ?? "POST", form.dataset.path, values(form), {
        ifMatch: form.dataset.version,
        idempotencyKey: form.dataset.once,
      });
      comparison?.remember(sent);
      await onDone(reply, form);
    } catch (problem) {
      if (problem.status !== 412 || !(await comparison?.show())) showProblem(form, problem);
    } finally {
      isRunning = false;
      button?.removeAttribute("aria-disabled");
    }
  });
}
