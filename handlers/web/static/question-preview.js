// The preview of a question in both directions. Until it is saved, its text is shown plainly; saved text is shown as the
// server rendered it.

import { fill, fromServer, html, icon } from "./html.js";
import { t } from "./i18n.js";

const LETTERS = { en: "ABCDEFGHIJKLMNOPQRSTUVWXYZ", ar: "أبجدهوزحطيكلمنسعفصقرشتثخذضظغ" };

function options(type, shown, language) {
  const letter = (index) => LETTERS[language][index] ?? String(index + 1);
  if (type === "matching") {
    return shown.left.map(
      (text, index) => html`<div class="option"><span class="option-text" dir="auto">${text}</span>${icon("forward", { mirrored: true })}<span class="option-text muted" dir="auto">${shown.right[index] ?? ""}</span></div>`,
    );
  }
  return shown.list.map(
    (text, index) => html`<div class="option"><span class="option-letter">${type === "ordering" ? index + 1 : letter(index)}</span><span class="option-text" dir="auto">${text}</span></div>`,
  );
}

function answer(type, shown, language) {
  if (shown.list.length || shown.left.length) return html`<div class="options">${options(type, shown, language)}</div>`;
  if (type === "description") return "";
  return html`<div class="preview-field ${type === "essay" ? "preview-tall" : ""}"></div>`;
}

/** Draw both panes. `shown`: {list: [text], left: [text], right: [text]}. */
export function preview(place, { type, text, stored, shown }) {
  const isSaved = stored && stored.question_text === text;
  const body = isSaved ? fromServer(stored.question_html) : html`<p class="pre-line" dir="auto">${text || "…"}</p>`;
  const pane = (language, direction) => html`<section class="card card-tight stack stack-12" lang="${language}" dir="${direction}">
    <p class="small muted">${t(`question.preview_${direction}`)}</p><div class="prose prose-question" dir="auto">${body}</div>${answer(type, shown, language)}</section>`;
  fill(place, html`<h2>${t("question.preview")}</h2>${pane("en", "ltr")}${pane("ar", "rtl")}`);
}
