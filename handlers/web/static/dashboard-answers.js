// Answers and keys in a few words, for the dashboard: letters for what is chosen, texts for what is written.

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

const textOf = (items, id) => items.find((item) => item.id === id)?.text ?? id;
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

function keyWords(question, kind, key) {
  if (kind === "short_answer") return together(key.accepted.map((one) => one.text));
  if (kind === "numeric") return together((key.accepted ?? [key]).map((one) => digits(Number(one.tolerance) ? `${one.value} ± ${one.tolerance}` : one.value)));
  if (kind === "ordering") return answerWords(question, key.sequence);
  return kind === "matching" ? answerWords(question, key.pairs) : "";
}
