// One student's attempt beside the table: where they are, and each answer with its state. It follows while it is open.

import { read } from "./api.js";
import { answerWords } from "./dashboard-answers.js";
import { cellsOf } from "./dashboard-table.js";
import { openDialog } from "./dialog.js";
import { fill, html, icon } from "./html.js";
import { moment, number, t } from "./i18n.js";
import { banner, tag } from "./states.js";

const READ_EVERY_MS = 2000;

export class Drawer {
  constructor(picture) {
    this.picture = picture;
    this.dialog = null;
  }

  open(attemptId) {
    const row = this.picture.students.get(attemptId);
    if (!row || this.dialog) return;
    Object.assign(this, { attemptId, revision: -1, readAtMs: -Infinity, isReading: false, shown: "" });
    this.dialog = openDialog({
      kind: "drawer",
      title: row.full_name,
      body: html`<dl class="facts" data-facts></dl><p data-link></p><h3>${t("dashboard.answers")}</h3><div data-answers><p class="muted">${t("dashboard.loading")}</p></div>`,
      onClose: () => {
        this.dialog = null;
      },
    });
    this.dialog.addEventListener("click", (event) => {
      if (!event.target.closest("[data-again]")) return;
      this.revision = -1;
      this.readAtMs = -Infinity;
      this.#readAgain();
    });
  }

  /** Bring it up to date, when it is open. */
  paint(nowMs) {
    const row = this.dialog && this.picture.students.get(this.attemptId);
    if (!row) return;
    this.#paintFacts(row, nowMs);
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
      started: moment(row.started_at, "time-seconds"),
      last_saved: row.last_saved_at ? moment(row.last_saved_at, "time-seconds") : t("dashboard.never"),
      column_score: cells.score,
    };
    const place = this.dialog.querySelector("[data-facts]");
    const kind = `${cells.where.iconName} ${row.score === null}`;
    if (this.shown !== kind) {
      this.shown = kind;
      fill(place, html`${Object.keys(facts).map((name) => html`<div><dt>${t(`dashboard.${name}`)}</dt><dd>${name === "column_where" ? icon(cells.where.iconName) : ""} <span></span></dd></div>`)}`);
      if (row.score !== null) fill(this.dialog.querySelector("[data-link]"), html`<a href="/attempts/${row.attempt_id}/results">${t("dashboard.results")}</a>`);
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
    } catch (problem) {
      if (this.revision >= 0) return; // what is shown stays; the next change tries again
      this.revision = this.picture.students.get(attemptId)?.revision ?? 0;
      markup = html`${banner("bad", problem.message || t("dashboard.answers_failed"))}<p><button type="button" class="button" data-again>${icon("refresh")}${t("dashboard.again")}</button></p>`;
    } finally {
      this.isReading = false;
    }
    if (this.dialog && this.attemptId === attemptId) fill(this.dialog.querySelector("[data-answers]"), markup);
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
