// The questions as the room answers them: here now, answered, median, bars with letter and number; as a table; the key
// on request. Values change in place. Not for one student's answers (dashboard-drawer.js).

import { fill, html, icon } from "./html.js";
import { countdown, letter, number, t } from "./i18n.js";
import { keyOf, optionName } from "./dashboard-answers.js";
import { fetchQuestions, keepWording } from "./dashboard-wording.js";
import { page } from "./page.js";
import { say } from "./say.js";
import { banner } from "./states.js";

const list = document.getElementById("question-list");
const table = document.getElementById("question-table");
const medianOf = (row) => (row.median_seconds === null ? "–" : countdown(row.median_seconds * 1000));

function optionMarkup(option, n) {
  const name = option.text ? letter(n) : t(`dashboard.${option.id}`);
  const hint = option.text ? html`<span class="unseen" dir="auto">${option.text}</span>` : "";
  return html`<li class="dash-bar" data-option="${option.id}"><span class="dash-letter" title="${option.text}">${name}</span>${hint}<progress max="1" value="0" aria-hidden="true"></progress><span class="dash-number-of"></span><span class="dash-key" hidden>${icon("saved")}<span class="unseen">${t("dashboard.key")}</span></span></li>`;
}

function questionMarkup(row) {
  return html`<li class="dash-question" data-question="${row.question_id}">
    <div class="dash-question-head"><span class="dash-number"></span><span class="clamp grow" dir="auto"></span><button type="button" class="button button-small button-quiet dash-project" aria-pressed="false" hidden>${icon("board")}<span class="unseen"></span></button></div>
    <p class="dash-question-figures small"><span></span><span></span><span></span></p>
    <ul class="dash-bars" hidden></ul>
    <p class="dash-key-words small" hidden dir="auto"></p>
    <p class="dash-reveal" hidden><button type="button" class="button button-small" aria-pressed="false">${t("dashboard.reveal")}</button></p></li>`;
}

function set(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

export class Questions {
  constructor(picture, { screen }) {
    this.picture = picture;
    this.screen = screen;
    screen.onChange(() => this.paint());
    list.addEventListener("click", (event) => {
      const { question } = event.target.closest("[data-question]")?.dataset ?? {};
      if (event.target.closest(".dash-project")) screen.show(question);
      if (event.target.closest(".dash-reveal")) screen.reveal();
    });
    this.keys = null;
    this.isTable = false;
    this.hasKey = false;
    this.#button("as-table", () => {
      this.isTable = !this.isTable;
      list.hidden = this.isTable;
      table.hidden = !this.isTable;
      this.paint();
      return this.isTable;
    });
    this.#button("show-key", () => this.#toggleKey());
  }

  /** Bring the panel up to date. */
  paint() {
    const rows = [...this.picture.questions.values()].sort((a, b) => a.order - b.order);
    keepWording(rows, (questions) => {
      if (this.keys) this.keys = keysOf(questions);
      this.paint();
    });
    if (this.isTable) this.#paintTable(rows);
    else this.#paintList(rows);
  }

  #button(id, act) {
    const button = document.getElementById(id);
    button.addEventListener("click", async () => button.setAttribute("aria-pressed", String(await act())));
  }

  async #toggleKey() {
    const error = document.getElementById("questions-error");
    try {
      this.keys ??= keysOf(await fetchQuestions());
      this.hasKey = !this.hasKey;
      this.paint();
      error.replaceChildren();
    } catch {
      fill(error, banner("bad", t("dashboard.key_failed")));
      say(t("dashboard.key_failed"));
    }
    return this.hasKey;
  }

  #paintList(rows) {
    if (this.drawn !== rows.map((row) => row.question_id).join()) {
      this.drawn = rows.map((row) => row.question_id).join();
      fill(list, html`${rows.map(questionMarkup)}`);
    }
    rows.forEach((row, n) => this.#paintQuestion(list.children[n], row));
  }

  /** Its place, words and options, which may be corrected while the page is open. */
  #paintWording(element, row) {
    set(element.querySelector(".dash-number"), t("dashboard.q", { number: row.order }));
    set(element.querySelector(".dash-question-head .clamp"), row.title);
    set(element.querySelector(".dash-project .unseen"), t("dashboard.project", { number: row.order }));
    const options = page.data.options[row.question_id] ?? [];
    const wanted = JSON.stringify(options);
    if (element.dataset.options === wanted) return;
    element.dataset.options = wanted;
    const bars = element.querySelector(".dash-bars");
    bars.hidden = !options.length;
    fill(bars, html`${options.map(optionMarkup)}`);
  }

  #paintQuestion(element, row) {
    this.#paintWording(element, row);
    const [viewing, answered, median] = element.querySelector(".dash-question-figures").children;
    set(viewing, t("dashboard.viewing", { count: row.viewing }));
    set(answered, t("dashboard.answered", { count: row.answered }));
    set(median, t("dashboard.median", { time: medianOf(row) }));
    const key = this.hasKey ? this.keys?.get(row.question_id) : null;
    for (const bar of element.querySelectorAll(".dash-bar")) {
      const count = row.options[bar.dataset.option] ?? 0;
      const progress = bar.querySelector("progress");
      const most = Math.max(1, row.answered);
      if (progress.max !== most) progress.max = most;
      if (progress.value !== count) progress.value = count;
      set(bar.querySelector(".dash-number-of"), number(count));
      bar.querySelector(".dash-key").hidden = !key?.optionIds.has(bar.dataset.option);
      bar.toggleAttribute("data-key", Boolean(key?.optionIds.has(bar.dataset.option)));
    }
    this.#paintScreen(element, row.question_id);
    const words = element.querySelector(".dash-key-words");
    words.hidden = !key?.words;
    if (key?.words) set(words, t("dashboard.key_is", { key: key.words }));
  }

  /** What the projector shows of it, while there is one. */
  #paintScreen(element, questionId) {
    const { isThere, shown, isRevealed } = this.screen.state;
    const isShown = shown === questionId;
    const project = element.querySelector(".dash-project");
    project.hidden = !isThere;
    project.setAttribute("aria-pressed", String(isShown));
    const reveal = element.querySelector(".dash-reveal");
    reveal.hidden = !isThere || !isShown;
    reveal.firstElementChild.setAttribute("aria-pressed", String(isRevealed));
  }

  #paintTable(rows) {
    const options = (row) => (page.data.options[row.question_id] ?? []).map((option, n) => {
      const isKey = this.hasKey && this.keys?.get(row.question_id)?.optionIds.has(option.id);
      return html`<span class="dash-choice">${optionName(option, n)} ${number(row.options[option.id] ?? 0)}${isKey ? html`${icon("saved")}<span class="unseen">${t("dashboard.key")}</span>` : ""}</span>`;
    });
    const key = this.hasKey && [...(this.keys ?? [])].map(([id, { optionIds }]) => [id, ...optionIds]);
    const wanted = JSON.stringify([rows, key, page.data.versions]);
    if (wanted === this.tabled) return;
    this.tabled = wanted;
    const head = ["number", "viewing", "answered", "median"].map((name) => html`<th scope="col">${t(`dashboard.column_${name}`)}</th>`);
    fill(
      table,
      html`<table class="table dash-question-table"><caption class="unseen">${t("dashboard.questions")}</caption>
        <thead><tr>${head}<th scope="col">${t("dashboard.choices")}</th></tr></thead>
        <tbody>${rows.map((row) => html`<tr><th scope="row">${t("dashboard.q", { number: row.order })}</th><td>${number(row.viewing)}</td><td>${number(row.answered)}</td><td>${medianOf(row)}</td><td><span class="dash-choices">${options(row)}</span></td></tr>`)}</tbody></table>`,
    );
  }
}

/** The keys of questions, by question: {optionIds, words}. */
function keysOf(questions) {
  return new Map(questions.map((question) => [question.id, keyOf(question)]));
}
