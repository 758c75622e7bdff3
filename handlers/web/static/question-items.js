// A question's text and items ({text, html}) as students see them: what the room, the live dashboard and the editor's preview
// share.

import { fromServer, html } from "./html.js";

/** HTML of the server below the page's headings. */
export function belowHeading(text) {
  return fromServer(String(text ?? "").replace(/(<\/?)h[12]\b/g, "$1h3"));
}

/** An item with its marks; what was not rendered yet, as it was typed. */
export function rich({ text, html: rendered }) {
  return html`<span class="option-text inline-html" dir="auto">${rendered === undefined ? text : fromServer(rendered)}</span>`;
}

/** A question as its author has it, its options and items with what was rendered of them (`options_html`). */
export function withHtml(question) {
  const { options, options_html: rendered } = question;
  const joined = (items, texts) => items.map((item, n) => ({ ...item, html: texts[n] }));
  if (Array.isArray(options)) return { ...question, options: joined(options, rendered) };
  return { ...question, options: { left: joined(options.left, rendered.left), right: joined(options.right, rendered.right) } };
}
