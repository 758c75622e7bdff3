// The questions' options as the page has them (page.data.options), read again when a question was corrected or edited while
// it is open. Titles come with the figures; keys are whoever shows them's to keep (dashboard-questions.js).

import { read } from "./api.js";
import { wordsOf } from "./html.js";
import { page } from "./page.js";
import { withHtml } from "./question-items.js";

const AGAIN_MS = 2000;
const OPTION_LENGTH = 300;
const TRUTH = [{ id: "true", text: "" }, { id: "false", text: "" }];
const CHOICES = new Set(["multiple_choice", "multiple_select"]);

/** All questions of the quiz, as their author sees them; {text, html} are their options and items. */
export async function fetchQuestions() {
  const found = [];
  for (let n = 1, pages = 1; n <= pages; n += 1) {
    const listed = await read(`/questions?quiz_id=${encodeURIComponent(page.data.quiz_id)}&page_size=100&page=${n}`);
    found.push(...listed.items.map(withHtml));
    pages = listed.pages;
  }
  return found;
}

function optionsOf({ question_type: kind, options }) {
  if (kind === "true_false") return TRUTH;
  return CHOICES.has(kind) ? options.map((option) => ({ id: option.id, text: wordsOf(option).slice(0, OPTION_LENGTH) })) : undefined;
}

let nextMs = 0;
let isReading = false;

/** Has a row another wording than the page? Then read them all, and call `onNews(questions)`. What fails is tried again. */
export async function keepWording(rows, onNews) {
  const isOld = (row) => row.version > (page.data.versions[row.question_id] ?? 0);
  if (isReading || performance.now() < nextMs || ![...rows].some(isOld)) return;
  isReading = true;
  nextMs = performance.now() + AGAIN_MS;
  try {
    const questions = await fetchQuestions();
    for (const question of questions) {
      page.data.options[question.id] = optionsOf(question);
      page.data.versions[question.id] = question.version;
    }
    onNews(questions);
  } catch {
    return; // the next look tries again
  } finally {
    isReading = false;
  }
}
