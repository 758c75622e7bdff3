// One student's attempt beside the table: where they are, each answer with its state, what they were told, what happened
// around it, and what the teacher may do about it. It follows while it is open.

import { read } from "./api.js";
import { answerWords } from "./dashboard-answers.js";
import { cellsOf } from "./dashboard-table.js";
import { openDialog } from "./dialog.js";
import { fill, html, icon } from "./html.js";
import { countdown, moment, number, points, t } from "./i18n.js";
import { Facts } from "./dashboard-facts.js";
import { isOpen } from "./dashboard-marks.js";
import { concerned, openOrder } from "./dashboard-orders.js";
import { controlWords } from "./dashboard-receipts.js";
import { openCredit } from "./dashboard-credit.js";
import { page } from "./page.js";
import { banner, tag } from "./states.js";

const READ_EVERY_MS = 2000;
const ORDERS = { extend: "clock", pause: "paused", resume: "video", end: "lock" };

export class Drawer {
  constructor(picture) {
    this.picture = picture;
    this.dialog = null;
  }

  open(attemptId) {
    const row = this.picture.students.get(attemptId);
    if (!row || this.dialog) return;
    Object.assign(this, { attemptId, revision: -1, readAtMs: -Infinity, isReading: false, shown: "", asked: null });
    const loading = html`<p class="muted">${t("dashboard.loading")}</p>`;
    const orders = page.data.may_control
      ? html`<div class="button-group" role="group" aria-label="${t("dashboard.controls")}" data-orders>${Object.entries(ORDERS).map(([kind, name]) => html`<button type="button" class="button button-small ${kind === "end" ? "button-danger" : ""}" data-order="${kind}">${icon(name)}${t(`dashboard.order_${kind}`)}</button>`)}</div>`
      : "";
    this.dialog = openDialog({
      kind: "drawer",
      title: row.full_name,
      body: html`<div data-credit></div>${orders}<dl class="facts" data-facts></dl><dl class="facts" data-more hidden></dl><p data-link></p>
        <section class="stack stack-8"><h3>${t("dashboard.answers")}</h3><div data-answers>${loading}</div></section>
        <section class="stack stack-8" data-told hidden><h3>${t("dashboard.told")}</h3><ul class="dash-told plain"></ul></section>
        <section class="stack stack-8"><h3>${t("dashboard.log")}</h3><p class="small muted">${t("dashboard.log_why")}</p><div data-log>${loading}</div></section>`,
      onClose: () => {
        this.dialog = null;
      },
    });
    this.log = new Facts(this.dialog.querySelector("[data-log]"), attemptId);
    this.dialog.addEventListener("click", (event) => this.#press(event.target));
    this.#paintOrders(row, this.isOff);
  }

  /** Something happened around an attempt. */
  hear({ attempt_id: attemptId }) {
    if (this.dialog && this.attemptId === attemptId) this.log.renew();
  }

  #press(target) {
    const row = this.picture.students.get(this.attemptId);
    const order = target.closest("[data-order]");
    if (order && order.getAttribute("aria-disabled") !== "true") {
      openOrder(order.dataset.order, {
        rows: [row],
        words: () => t("dashboard.for_one", { name: row.full_name }),
        body: () => ({ attempt_ids: [row.attempt_id] }),
        isForAll: false,
        onDone: () => this.#readSoon(),
      });
    }
    if (target.closest("[data-credit-open]")) openCredit(row, { onDone: () => this.#readSoon() });
    if (target.closest("[data-again]")) this.#readSoon();
  }

  #readSoon() {
    this.revision = -1;
    this.readAtMs = -Infinity;
    this.#readAgain();
    this.log.renew();
  }

  #paintOrders(row, isOff) {
    for (const button of this.dialog.querySelectorAll("[data-orders] [data-order]")) {
      const kind = button.dataset.order;
      const isIdle = isOff || concerned(kind, [row]).length === 0;
      if (button.getAttribute("aria-disabled") !== String(isIdle)) button.setAttribute("aria-disabled", String(isIdle));
      button.hidden = kind === (row.status === "paused" ? "pause" : "resume");
    }
    const asked = isOpen(row) && page.data.may_control ? row.credit_asked_seconds : null;
    if (asked === this.asked) return;
    this.asked = asked;
    const words = asked === null ? "" : html`<p>${t("dashboard.credit_asked", { time: countdown(asked * 1000) })}</p><p><button type="button" class="button button-small" data-credit-open>${t("dashboard.credit_decide")}</button></p>`;
    fill(this.dialog.querySelector("[data-credit]"), asked === null ? html`` : banner("warn", words));
  }

  /** Bring it up to date, when it is open; `isOff` while there is no line to order on. */
  paint(nowMs, isOff) {
    this.isOff = isOff;
    const row = this.dialog && this.picture.students.get(this.attemptId);
    if (!row) return;
    this.#paintFacts(row, nowMs);
    this.#paintOrders(row, isOff);
    if (row.revision !== this.revision && performance.now() - this.readAtMs > READ_EVERY_MS) this.#readAgain();
  }

  #paintFacts(row, nowMs) {
    const cells = cellsOf(row, this.picture, nowMs);
    const facts = {
      column_where: cells.where.words,
      devices: number(row.devices),
      column_question: cells.question,
      column_answered: cells.answered.words,
      column_left: cells.left.words,
      ends: row.deadline_at && isOpen(row) && row.pausedMs === null ? moment(row.deadline_at, "time-seconds") : "–",
      started: moment(row.started_at, "time-seconds"),
      last_saved: row.last_saved_at ? moment(row.last_saved_at, "time-seconds") : t("dashboard.never"),
      column_score: cells.score,
      ...(row.group ? { group: row.group } : {}),
    };
    const place = this.dialog.querySelector("[data-facts]");
    const kind = `${cells.where.iconName} ${row.score === null}`;
    if (this.shown !== kind) {
      this.shown = kind;
      fill(place, html`${Object.keys(facts).map((name) => html`<div><dt>${t(`dashboard.${name}`)}</dt><dd dir="auto">${name === "column_where" ? icon(cells.where.iconName) : ""} <span></span></dd></div>`)}`);
      if (row.score !== null) fill(this.dialog.querySelector("[data-link]"), html`<a class="alone" href="/attempts/${row.attempt_id}/results">${t("dashboard.results")}</a>`);
    }
    Object.values(facts).forEach((words, n) => {
      const slot = place.children[n].querySelector("span");
      if (slot.textContent !== words) slot.textContent = words;
    });
  }

  async #readAgain() {
    if (this.isReading) return;
    const { attemptId } = this;
    this.isReading = true;
    this.readAtMs = performance.now();
    let markup;
    try {
      const attempt = await read(`/attempts/${encodeURIComponent(attemptId)}`);
      this.revision = attempt.revision;
      markup = this.#answers(attempt);
      if (this.dialog && this.attemptId === attemptId) this.#paintMore(attempt);
    } catch (problem) {
      if (this.revision >= 0) return; // what is shown stays; the next change tries again
      this.revision = this.picture.students.get(attemptId)?.revision ?? 0;
      markup = html`${banner("bad", problem.message || t("dashboard.answers_failed"))}<p><button type="button" class="button" data-again>${icon("refresh")}${t("dashboard.again")}</button></p>`;
    } finally {
      this.isReading = false;
    }
    if (this.dialog && this.attemptId === attemptId) fill(this.dialog.querySelector("[data-answers]"), markup);
  }

  /** What makes this student's time another than the others': a profile, a lost line; and what they were told. */
  #paintMore({ accommodation, offline, messages = [] }) {
    const facts = [];
    if (accommodation) {
      const parts = [`×${points(accommodation.factor)}`];
      for (const minutes of [accommodation.extra_minutes, accommodation.break_minutes]) if (minutes) parts.push(`+${t("dashboard.minutes", { count: minutes })}`);
      facts.push([t("dashboard.accommodation"), parts.join(" ")]);
    }
    if (offline?.lost_seconds) {
      facts.push([t("dashboard.lost"), countdown(offline.lost_seconds * 1000)], [t("dashboard.credited"), countdown(offline.credited_seconds * 1000)]);
    }
    const place = this.dialog.querySelector("[data-more]");
    place.hidden = facts.length === 0;
    fill(place, html`${facts.map(([name, words]) => html`<div><dt>${name}</dt><dd><bdi dir="ltr">${words}</bdi></dd></div>`)}`);
    this.#paintTold(messages);
  }

  /** What the student was told, and whether it was seen. */
  #paintTold(messages) {
    this.dialog.querySelector("[data-told]").hidden = messages.length === 0;
    fill(
      this.dialog.querySelector(".dash-told"),
      html`${messages.map((one) => html`<li class="row row-spread"><span dir="auto">${controlWords(one)} <span class="muted small">${moment(one.at, "time")}</span></span>${one.is_seen ? tag(t("dashboard.is_seen"), "ok", "saved") : tag(t("dashboard.not_seen"), "warn", "waiting")}</li>`)}`,
    );
  }

  #answers(attempt) {
    const orderOf = (question) => this.picture.questions.get(question.id)?.order ?? Infinity;
    const questions = attempt.questions.filter((question) => question.question_type !== "description");
    questions.sort((a, b) => orderOf(a) - orderOf(b));
    return html`<ol class="dash-answers">${questions.map((question, n) => {
      const answer = attempt.answers[question.id];
      const words = answerWords(question, answer?.value);
      const state = words ? tag(t("dashboard.answer_saved", { time: moment(answer.saved_at, "time-seconds") }), "ok", "saved") : tag(t("dashboard.answer_empty"), "", "empty");
      const order = Number.isFinite(orderOf(question)) ? orderOf(question) : n + 1;
      return html`<li><span class="dash-number">${t("dashboard.q", { number: order })}</span><span class="dash-answer" dir="auto">${words || "–"}</span>${state}</li>`;
    })}</ol>`;
  }
}
