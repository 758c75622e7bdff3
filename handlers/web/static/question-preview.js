// The preview of a question in both directions. What is not saved yet is shown plainly; text and options that are saved, as
// students see them: as the server rendered them.

import { fill, html, icon, wordsOf } from "./html.js";
import { t } from "./i18n.js";
import { belowHeading, rich, withHtml } from "./question-items.js";

const LETTERS = { en: "ABCDEFGHIJKLMNOPQRSTUVWXYZ", ar: "أبجدهوزحطيكلمنسعفصقرشتثخذضظغ" };

/** What was typed as an item of the question: with its marks, where the saved question has an item of this text. */
function itemsBy(stored) {
  const { options } = stored ? withHtml(stored) : { options: [] };
  const saved = new Map((Array.isArray(options) ? options : [...options.left, ...options.right]).map((item) => [item.text.trim(), item]));
  return (text) => saved.get(text) ?? { text };
}

function options(type, shown, language, itemOf) {
  const letter = (index) => LETTERS[language][index] ?? String(index + 1);
  if (type === "matching") {
    return shown.left.map(
      (text, index) => html`<div class="option">${rich(itemOf(text))}${icon("forward", { mirrored: true })}<span class="option-text muted" dir="auto">${wordsOf(itemOf(shown.right[index] ?? ""))}</span></div>`,
    );
  }
  return shown.list.map(
    (text, index) => html`<div class="option"><span class="option-letter">${type === "ordering" ? index + 1 : letter(index)}</span>${rich(itemOf(text))}</div>`,
  );
}

function answer(type, shown, language, itemOf) {
  if (shown.list.length || shown.left.length) return html`<div class="options">${options(type, shown, language, itemOf)}</div>`;
  if (type === "description") return "";
  return html`<div class="preview-field ${type === "essay" ? "preview-tall" : ""}"></div>`;
}

/** Draw both panes. `shown`: {list: [text], left: [text], right: [text]}. */
export function preview(place, { type, text, stored, shown }) {
  const isSaved = stored && stored.question_text === text;
  const itemOf = itemsBy(stored);
  const body = isSaved ? belowHeading(stored.question_html) : html`<p class="pre-line" dir="auto">${text || "…"}</p>`;
  const pane = (language, direction) => html`<section class="card card-tight stack stack-12" lang="${language}" dir="${direction}">
    <p class="small muted">${t(`question.preview_${direction}`)}</p><div class="prose prose-question" dir="auto">${body}</div>${answer(type, shown, language, itemOf)}</section>`;
  fill(place, html`<h2>${t("question.preview")}</h2>${pane("en", "ltr")}${pane("ar", "rtl")}`);
}
