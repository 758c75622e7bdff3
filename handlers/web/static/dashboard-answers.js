// Answers and keys in a few words, for the dashboard: letters for what is chosen, texts for what is written.

import { wordsOf } from "./html.js";
import { digits, letter, t } from "./i18n.js";
import { page } from "./page.js";

/** The letter of an option, or True and False. */
export function optionName(option, n) {
  return option.text ? letter(n) : t(`dashboard.${option.id}`);
}

function chosen(questionId, ids) {
  const options = page.data.options[questionId] ?? [];
  return ids.map((id) => {
    const n = options.findIndex((option) => option.id === String(id));
    return n < 0 ? String(id) : optionName(options[n], n);
  });
}

function textOf(items, id) {
  const item = items.find((one) => one.id === id);
  return item ? wordsOf(item) : id;
}
const together = (words) => words.join(page.language === "ar" ? "، " : ", ");

/** What somebody answered. */
export function answerWords(question, value) {
  if (value === null || value === undefined) return "";
  const { question_type: kind, options } = question;
  if (kind === "multiple_choice" || kind === "true_false") return chosen(question.id, [value])[0];
  if (kind === "multiple_select") return together(chosen(question.id, value).sort());
  if (kind === "ordering") return together(value.map((id) => textOf(options, id)));
  if (kind === "matching") {
    return together(Object.entries(value).map(([left, right]) => `${textOf(options.left, left)} – ${textOf(options.right, right)}`));
  }
  return kind === "numeric" ? digits(value) : String(value);
}

/** The key of a question: the options that are right, and words where there are none to mark. */
export function keyOf(question) {
  const { question_type: kind, correct_answer: key } = question;
  const ids = { multiple_choice: () => [key.option_id], multiple_select: () => key.option_ids, true_false: () => [String(key.value)] };
  if (!key) return { optionIds: new Set(), words: "" };
  if (ids[kind]) return { optionIds: new Set(ids[kind]()), words: "" };
  return { optionIds: new Set(), words: keyWords(question, kind, key) };
}

/** A number and how near to it is near enough: in its own unit, in percent of it, or by its figures. */
function numberWords({ value, tolerance, tolerance_type: kind }) {
  const near = Number(tolerance);
  if (!near) return digits(value);
  if (kind === "significant_figures") return t("keys.figures", { number: `\u2066${digits(value)}\u2069`, count: near });
  if (kind === "relative") return t("keys.percent", { number: digits(value), percent: digits(Number((near * 100).toPrecision(12))) });
  return digits(`${value} ± ${tolerance}`);
}

function keyWords(question, kind, key) {
  if (kind === "short_answer") return together([...key.accepted.map((one) => one.text), ...(key.pattern ? [key.pattern] : [])]);
  if (kind === "numeric") return together((key.accepted ?? [key]).map(numberWords));
  if (kind === "ordering") return answerWords(question, key.sequence);
  return kind === "matching" ? answerWords(question, key.pairs) : "";
}
