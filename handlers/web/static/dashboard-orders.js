// The dialogs of the controls: for whom, how long, why, what it leads to; then the order, and what came of it. An order
// keeps its op_id until it is answered, so that trying again never does it twice. Not for receipts (dashboard-receipts.js).

import { post } from "./api.js";
import { openDialog } from "./dialog.js";
import { showProblem, westernDigits } from "./forms.js";
import { fill, html } from "./html.js";
import { moment, number, t } from "./i18n.js";
import { endOf, isOpen } from "./dashboard-marks.js";
import { serverNowMs } from "./dashboard-picture.js";
import { page } from "./page.js";
import { toast } from "./toast.js";

const MINUTES = [1, 2, 5, 10, 15];
const FIRST_MINUTES = 5;
const MOST_MINUTES = 1440;
const RUNS = {
  pause: (row) => row.status === "in_progress",
  resume: (row) => row.status === "paused",
  extend: isOpen,
  announce: isOpen,
  end: isOpen,
};

/** Which of these rows a control is about. */
export function concerned(kind, rows) {
  return rows.filter(RUNS[kind]);
}

/** Whether it says something to those as well who have not begun. */
const REACHES_LATER = new Set(["pause", "resume", "end"]);

function minutesField() {
  const choices = MINUTES.map(
    (minutes) => html`<label class="chip dash-minutes"><input type="radio" name="minutes" value="${minutes}" ${minutes === FIRST_MINUTES ? "checked" : ""}>${t("dashboard.minutes", { count: minutes })}</label>`,
  );
  return html`<fieldset class="field"><legend>${t("dashboard.how_long")}</legend><div class="chips">${choices}
      <label class="chip dash-minutes"><input type="radio" name="minutes" value="other">${t("dashboard.minutes_other")}</label></div></fieldset>
    <div class="field" data-other hidden><label for="order-other">${t("dashboard.minutes_number")}</label><input class="input input-short" id="order-other" name="other" inputmode="numeric" autocomplete="off"></div>
    <ul class="dash-outlook small" data-outlook></ul>`;
}

function fieldsOf(kind, count) {
  const text = html`<div class="field"><label for="order-text">${t("dashboard.announcement")}</label><textarea class="input" id="order-text" name="text" maxlength="1000" rows="3" dir="auto" required></textarea></div>`;
  const typed = html`<div class="field"><label for="order-typed">${t("dashboard.type_number", { number: number(count) })}</label><input class="input input-short" id="order-typed" name="typed" inputmode="numeric" autocomplete="off" required></div>`;
  const reason = html`<div class="field"><label for="order-reason">${t("dashboard.reason")}</label><input class="input" id="order-reason" name="reason" maxlength="500" autocomplete="off" dir="auto"></div>`;
  return html`${kind === "extend" ? minutesField() : ""}${kind === "announce" ? text : reason}${kind === "end" ? typed : ""}`;
}

/** What more time leads to, in lines: the new end, whom the closing time had cut, whom it goes past, who has no end. */
export function outlook(rows, seconds, nowMs) {
  const timed = rows.filter((row) => row.deadlineMs !== null);
  const closesMs = page.data.closes_at ? Date.parse(page.data.closes_at) : null;
  const limitMs = (page.data.time_limit_minutes ?? 0) * 60_000;
  const isCut = (row) => closesMs !== null && limitMs > 0 && row.deadlineMs <= closesMs && Date.parse(row.started_at) + limitMs > row.deadlineMs;
  const ends = timed.map((row) => endOf(row, nowMs));
  const lastMs = Math.max(...ends);
  const lines = [];
  if (timed.length) {
    const key = timed.length > 1 ? "outlook_ends" : "outlook_end";
    lines.push(t(`dashboard.${key}`, { before: moment(lastMs, "time"), after: moment(lastMs + seconds * 1000, "time") }));
  }
  const counts = {
    outlook_cut: timed.filter(isCut).length,
    outlook_past: closesMs === null ? 0 : ends.filter((endMs) => endMs + seconds * 1000 > closesMs).length,
    outlook_untimed: rows.length - timed.length,
  };
  for (const [key, count] of Object.entries(counts)) {
    if (count) lines.push(t(`dashboard.${key}`, { count, time: closesMs === null ? "" : moment(closesMs, "time") }));
  }
  return lines;
}

function secondsOf(form) {
  const chosen = form.elements.minutes.value;
  const minutes = Number(chosen === "other" ? westernDigits(form.elements.other.value).replace("٫", ".") : chosen);
  return minutes > 0 && minutes <= MOST_MINUTES ? Math.round(minutes * 60) : null;
}

/** What is wrong with what was typed, as the API would say it. */
function faultOf(kind, form, count) {
  const fault = (field, key) => ({ errors: [{ field, message: t(`dashboard.${key}`) }] });
  if (kind === "extend" && !secondsOf(form)) return fault("other", "minutes_wrong");
  if (kind === "announce" && !form.elements.text.value.trim()) return fault("text", "text_missing");
  if (kind === "end" && westernDigits(form.elements.typed.value).replace(/[,٬\s]/g, "") !== String(count)) return fault("typed", "number_wrong");
  return null;
}

function doneWords(kind, reply, seconds) {
  const count = reply.applied.length;
  const words = t(`dashboard.done_${kind}`, { count, minutes: seconds ? minuteWords(seconds) : "" });
  const late = reply.already_closed?.length ?? 0;
  return late ? `${words} ${t("dashboard.done_closed", { count: late })}` : words;
}

/** 300 → "5 min", 90 → "1:30 min". */
export function minuteWords(seconds) {
  const [minutes, rest] = [Math.floor(seconds / 60), seconds % 60];
  return rest ? t("dashboard.seconds_long", { time: `${minutes}:${String(rest).padStart(2, "0")}` }) : t("dashboard.minutes", { count: minutes });
}

/**
 * Ask for a control. `rows`: whom the teacher means, `words`: the same in words, `body(rows)`: the same for the API;
 * `isForAll`: those who begin later too.
 */
export function openOrder(kind, { rows, words, body, isForAll, onDone }) {
  const meant = concerned(kind, rows);
  const count = meant.length;
  const opId = crypto.randomUUID();
  const later = isForAll && REACHES_LATER.has(kind) ? html`<p class="small muted">${t(`dashboard.later_${kind}`)}</p>` : "";
  const dialog = openDialog({
    title: t(`dashboard.order_${kind}`),
    body: html`<form class="stack" data-order-form novalidate>
        <p class="strong">${words(count)}</p>${kind === "end" ? html`<p>${t("dashboard.end_why")}</p>` : ""}${later}
        ${fieldsOf(kind, count)}
        <div class="dialog-actions"><button type="button" class="button" data-close>${t("client.cancel")}</button>
          <button type="submit" class="button ${kind === "end" ? "button-danger" : "button-main"}"></button></div></form>`,
  });
  const form = dialog.querySelector("form");
  const submit = form.querySelector("[type=submit]");

  function renew() {
    const seconds = kind === "extend" ? secondsOf(form) : null;
    submit.textContent = kind === "extend" && seconds ? t("dashboard.do_extend", { minutes: minuteWords(seconds), count }) : t(`dashboard.do_${kind}`, { count, minutes: "" });
    if (kind !== "extend") return;
    form.querySelector("[data-other]").hidden = form.elements.minutes.value !== "other";
    fill(form.querySelector("[data-outlook]"), html`${seconds ? outlook(meant, seconds, serverNowMs()).map((line) => html`<li>${line}</li>`) : ""}`);
  }

  form.addEventListener("input", renew);
  form.addEventListener("change", (event) => event.target.value === "other" && form.elements.other.focus());
  let isSending = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const fault = faultOf(kind, form, count);
    if (fault) showProblem(form, fault);
    if (fault || isSending) return;
    isSending = true;
    submit.setAttribute("aria-disabled", "true");
    try {
      const seconds = kind === "extend" ? secondsOf(form) : null;
      const order = { ...body(meant), op_id: opId };
      if (seconds) order.seconds = seconds;
      if (kind === "announce") order.text = form.elements.text.value.trim();
      else if (form.elements.reason.value.trim()) order.reason = form.elements.reason.value.trim();
      const reply = await post(`/quizzes/${encodeURIComponent(page.data.quiz_id)}/live/${kind}`, order);
      dialog.close();
      toast(doneWords(kind, reply, seconds));
      onDone?.(reply);
    } catch (problem) {
      showProblem(form, problem);
    } finally {
      isSending = false;
      submit.removeAttribute("aria-disabled");
    }
  });
  renew();
  form.querySelector(kind === "extend" ? "[name=minutes]:checked" : ".input").focus();
}
