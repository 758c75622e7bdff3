// The teacher's word on time that a student lost with the line: how much of it is given back, and why.

import { post } from "./api.js";
import { openDialog } from "./dialog.js";
import { showProblem, westernDigits } from "./forms.js";
import { html } from "./html.js";
import { countdown, t } from "./i18n.js";
import { toast } from "./toast.js";

/** "2:30" or "150" as seconds; null for anything else. */
function secondsOf(text) {
  const [minutes, seconds, ...rest] = westernDigits(text).split(":");
  const value = seconds === undefined ? Number(minutes) : Number(minutes) * 60 + Number(seconds);
  return rest.length === 0 && Number.isInteger(value) && value > 0 && value <= 86_400 ? value : null;
}

export function openCredit(row, { onDone }) {
  const asked = row.credit_asked_seconds ?? 0;
  const dialog = openDialog({
    title: t("dashboard.credit"),
    body: html`<form class="stack" novalidate><p>${t("dashboard.credit_why", { name: row.full_name, time: countdown(asked * 1000) })}</p>
      <div class="field"><label for="credit-time">${t("dashboard.credit_time")}</label><input class="input input-short" id="credit-time" name="time" value="${countdown(asked * 1000)}" dir="ltr" autocomplete="off"></div>
      <div class="field"><label for="credit-reason">${t("dashboard.reason")}</label><input class="input" id="credit-reason" name="reason" maxlength="500" autocomplete="off" dir="auto"></div>
      <div class="dialog-actions"><button type="button" class="button" data-close>${t("client.cancel")}</button>
        <button type="submit" class="button" value="decline">${t("dashboard.credit_decline")}</button>
        <button type="submit" class="button button-main" value="approve">${t("dashboard.credit_approve")}</button></div></form>`,
  });
  const form = dialog.querySelector("form");
  form.elements.time.focus();
  let isSending = false;
  let sent = "";
  let idempotencyKey;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (isSending) return;
    const approve = event.submitter?.value !== "decline";
    const seconds = secondsOf(form.elements.time.value);
    if (approve && seconds === null) return showProblem(form, { errors: [{ field: "time", message: t("dashboard.credit_wrong") }] });
    isSending = true;
    try {
      const reason = form.elements.reason.value.trim();
      const body = { approve, ...(approve ? { seconds } : {}), ...(reason ? { reason } : {}) };
      const words = JSON.stringify(body);
      if (words !== sent) [sent, idempotencyKey] = [words, crypto.randomUUID?.() ?? String(Math.random())];
      await post(`/attempts/${encodeURIComponent(row.attempt_id)}/time-credit`, body, { idempotencyKey });
      dialog.close();
      toast(t(approve ? "dashboard.credit_given" : "dashboard.credit_declined", { time: countdown((seconds ?? 0) * 1000) }));
      onDone();
    } catch (problem) {
      showProblem(form, problem);
    } finally {
      isSending = false;
    }
  });
}
