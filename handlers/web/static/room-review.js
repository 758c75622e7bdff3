// Review and submit, and what is shown when the attempt is closed: each question as counted, empty or late. Never says more
// than the server has confirmed.

import { confirmAct } from "./dialog.js";
import { fill, html, icon } from "./html.js";
import { moment, t } from "./i18n.js";
import { isUnreached } from "./room-line.js";
import { say, sayNow } from "./say.js";
import { banner, state as stateMarkup, tag } from "./states.js";

const byId = (id) => document.getElementById(id);
const SENDING_MS = 10_000;
const SUBMIT_TRIES = 4;

const link = (question, isMarked) => html`<li><a class="review-link" href="#q${question.place}">${t(question.question_type === "description" ? "room.text_number" : "room.question", { number: question.place })}${isMarked ? icon("flag") : ""}</a></li>`;

/** The page before handing in. `room` as for the question's view. */
export class ReviewView {
  constructor(room) {
    this.room = room;
    this.place = byId("review-view");
    this.isBusy = false;
    this.problem = null;
    this.place.addEventListener("click", (event) => event.target.closest("[data-submit]") && this.#submit());
  }

  show(isFocused) {
    this.#draw();
    document.title = [t("room.review_heading"), this.room.titleRest].filter(Boolean).join(" · ");
    if (!isFocused) return;
    byId("review-heading").focus({ preventScroll: true });
    document.scrollingElement.scrollTop = 0;
  }

  refresh() {
    if (!this.place.hidden) this.#draw();
  }

  #groups() {
    const { questions, ledger, marked } = this.room;
    const counted = questions.filter((question) => question.question_type !== "description");
    const of = (...kinds) => counted.filter((question) => kinds.includes(ledger.state(question.id).kind));
    return [
      ["waiting", "warn", "waiting", of("waiting", "saving", "hush")],
      ["open", "hold", "conflict", of("conflict", "refused")],
      ["empty", "", "empty", of("empty")],
      ["marked", "info", "flag", counted.filter((question) => marked.has(question.id))],
    ].filter(([, , , rows]) => rows.length > 0);
  }

  #draw() {
    const { ledger, marked, isWritable } = this.room;
    const { saved, total } = ledger.counts;
    const groups = this.#groups();
    const markup = html`<h2 id="review-heading" tabindex="-1">${t("room.review_heading")}</h2>
      <p class="lead">${t("room.review_saved", { saved, total })}</p>
      ${this.problem ? banner("warn", this.problem) : ""}
      ${groups.length === 0 ? banner("ok", t("room.review_all")) : ""}
      ${groups.map(
        ([name, tone, symbol, rows]) => html`<section class="stack stack-8 review-group"><h3>${tag(t(`room.review_${name}`, { count: rows.length }), tone, symbol)}</h3>
          <ul class="plain review-links">${rows.map((question) => link(question, marked.has(question.id)))}</ul></section>`,
      )}
      <div class="row review-actions"><button type="button" class="button button-main" data-submit${isWritable && !this.isBusy ? "" : html` aria-disabled="true"`}>${this.isBusy ? t("room.submitting") : t("room.submit")}</button>
      <a class="button" href="#q${this.room.lastPlace}">${t("room.review_back")}</a></div>`;
    if (this.shown === markup.text) return;
    this.shown = markup.text;
    const focused = this.place.contains(document.activeElement) ? document.activeElement : null;
    const mark = focused?.dataset.submit !== undefined ? "[data-submit]" : focused?.id ? `#${focused.id}` : focused ? `[href="${focused.getAttribute("href")}"]` : "";
    fill(this.place, markup);
    if (focused) (this.place.querySelector(mark) ?? byId("review-heading")).focus({ preventScroll: true });
  }

  async #submit() {
    const { room } = this;
    if (this.isBusy || !room.isWritable) return;
    this.problem = null;
    room.drafts.flushAll();
    const { empty } = room.ledger.counts;
    const words = empty ? t("room.submit_words_empty", { count: empty }) : t("room.submit_words");
    if (!(await confirmAct({ title: t("room.submit_title"), words, action: t("room.submit") })) || !room.isWritable) return;
    this.isBusy = true;
    this.#draw();
    this.problem = await this.#handIn().catch((error) => t(isUnreached(error) ? "room.submit_offline" : "room.submit_failed"));
    this.isBusy = false;
    if (this.problem && !room.isClosed) {
      sayNow(this.problem);
      this.#draw();
    }
  }

  /** Not-sent answers first; then one look at what is stored; then the submission of just that. The problem, or null. */
  async #handIn() {
    const { room } = this;
    room.ledger.sendAll();
    await settled(room.ledger, SENDING_MS);
    if (room.ledger.waiting.length) return t(room.isOffline ? "room.submit_offline" : "room.submit_unsent");
    const synced = await room.line.sync([]);
    if (this.#hasNews(synced) && synced.status === "in_progress") return t("room.submit_changed");
    for (let tries = 1; ; tries += 1) {
      try {
        room.closed(await room.line.submit(room.ledger.revision), "student");
        return null;
      } catch (error) {
        if (error.code !== "conflict") throw error;
        // the teacher's controls move the revision too: only what another screen wrote is to be looked at first
        if (!error.data?.answers || this.#hasNews(error.data) || tries === SUBMIT_TRIES) return t("room.submit_changed");
      }
    }
  }

  /** Take what is stored; is there an answer that this screen has not seen? */
  #hasNews(told) {
    const isNews = this.room.ledger.isNews(told.answers);
    this.room.ledger.take(told);
    return isNews;
  }
}

/** Wait until nothing is under way, or until it takes too long. */
function settled(ledger, timeoutMs) {
  return new Promise((resolve) => {
    const done = () => {
      ledger.removeEventListener("change", look);
      clearTimeout(timer);
      resolve();
    };
    const look = () => ledger.waiting.length === 0 && done();
    const timer = setTimeout(done, timeoutMs);
    ledger.addEventListener("change", look);
    look();
  });
}

/** The end: while it is being checked, and each question once that is done. */
export class ClosedView {
  constructor(room) {
    this.room = room;
    this.place = byId("closed-view");
  }

  /** The time is up; what arrived is not known yet. */
  checking(isOffline) {
    this.#fill(
      t("room.time_up_heading"),
      html`<p class="lead">${t(isOffline ? "room.checking_offline" : "room.checking_words")}</p>${this.#rows(false)}`,
    );
  }

  /** How it ended, in words; `by`: student, deadline or instructor. */
  words(attempt, by) {
    if (by === "student") return t("room.submitted", { time: moment(attempt.submitted_at ?? attempt.server_time, "time-seconds") });
    return t(by === "instructor" ? "room.ended_by_teacher" : "room.time_up_checked");
  }

  /** Closed, as the server says. */
  done(attempt, by) {
    const words = this.words(attempt, by);
    const { room } = this;
    const { saved, total } = room.ledger.counts;
    const { reason } = room.controls;
    const path = `/attempts/${encodeURIComponent(room.attempt.id)}`;
    this.#fill(
      t(`room.${{ student: "submitted_heading", instructor: "ended_heading" }[by] ?? "time_up_heading"}`),
      html`<p class="lead">${words}</p>${by === "instructor" && reason ? html`<p dir="auto">${t("room.reason", { reason })}</p>` : ""}
        <p>${t("room.closed_counts", { saved, total })} ${t("room.receipt_words")}</p>
        <p class="row"><a class="button button-main" href="${path}/results">${t("room.see_results")}${icon("forward", { mirrored: true })}</a>
        <a class="button" href="${path}/receipt">${t("room.see_receipt")}</a><a class="button" href="${path}/log">${t("room.see_log")}</a></p>${this.#rows(true)}`,
    );
    say(words);
  }

  #fill(title, content) {
    const isNew = this.title !== title;
    this.title = title;
    const markup = html`<h2 id="closed-heading" tabindex="-1">${title}</h2>${content}`;
    if (this.shown === markup.text) return;
    this.shown = markup.text;
    const hadFocus = this.place.contains(document.activeElement);
    fill(this.place, markup);
    if (isNew || hadFocus) byId("closed-heading").focus({ preventScroll: !isNew });
    document.title = [title, this.room.titleRest].filter(Boolean).join(" · ");
  }

  #rows(isKnown) {
    const rows = this.room.questions.filter((question) => question.question_type !== "description");
    return html`<ol class="plain outcomes">${rows.map((question) => html`<li class="outcome"><span>${t("room.question", { number: question.place })}</span>${this.#outcome(question, isKnown)}</li>`)}</ol>`;
  }

  #outcome({ id }, isKnown) {
    const { kind, savedAt } = this.room.ledger.state(id);
    const stored = this.room.ledger.entries.get(id).stored;
    if (kind === "saved") return stateMarkup("saved", t(isKnown ? "room.outcome_counted" : "room.state_saved", { time: moment(savedAt, "time-seconds") }));
    if (kind === "empty" || (kind === "refused" && !stored)) return html`<span class="state muted">${icon("empty")}<span>${t("room.outcome_empty")}</span></span>`;
    if (isKnown && kind !== "late" && stored) return stateMarkup("saved", t("room.outcome_counted", { time: moment(stored.saved_at, "time-seconds") }));
    return isKnown ? stateMarkup("late", t("room.outcome_late")) : stateMarkup("waiting", t("room.outcome_unknown"));
  }
}

