// The questions as the room answers them: here now, answered, median, bars with letter and number; as a table; the key
// on request. Values change in place. Not for one student's answers (dashboard-drawer.js).

import { read } from "./api.js";
import { fill, html, icon } from "./html.js";
import { countdown, letter, number, t } from "./i18n.js";
import { keyOf, optionName } from "./dashboard-answers.js";
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
  const options = page.data.options[row.question_id];
  return html`<li class="dash-question" data-question="${row.question_id}">
    <div class="dash-question-head"><span class="dash-number">${t("dashboard.q", { number: row.order })}</span><span class="clamp" dir="auto">${row.title}</span></div>
    <p class="dash-question-figures small"><span></span><span></span><span></span></p>
    ${options ? html`<ul class="dash-bars">${options.map(optionMarkup)}</ul>` : ""}
    <p class="dash-key-words small" hidden dir="auto"></p></li>`;
}

function set(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

export class Questions {
  constructor(picture) {
    this.picture = picture;
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
      this.keys ??= await fetchKeys();
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

  #paintQuestion(element, row) {
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
    const words = element.querySelector(".dash-key-words");
    words.hidden = !key?.words;
    if (key?.words) set(words, t("dashboard.key_is", { key: key.words }));
  }

  #paintTable(rows) {
    const options = (row) => (page.data.options[row.question_id] ?? []).map((option, n) => {
      const isKey = this.hasKey && this.keys?.get(row.question_id)?.optionIds.has(option.id);
      return html`<span class="dash-choice">${optionName(option, n)} ${number(row.options[option.id] ?? 0)}${isKey ? html`${icon("saved")}<span class="unseen">${t("dashboard.key")}</span>` : ""}</span>`;
    });
    const wanted = JSON.stringify([rows, this.hasKey]);
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

/** The keys of all questions, by question: {optionIds, words}. */
async function fetchKeys() {
  const keys = new Map();
  for (let n = 1, pages = 1; n <= pages; n += 1) {
    const listed = await read(`/questions?quiz_id=${encodeURIComponent(page.data.quiz_id)}&page_size=100&page=${n}`);
    for (const question of listed.items) keys.set(question.id, keyOf(question));
    pages = listed.pages;
  }
  return keys;
}
