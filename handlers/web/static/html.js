// The one door through which markup enters the page: escapes by default, and holds the only Trusted Types policy.
// Not for text alone: use textContent.

const policy = globalThis.trustedTypes
  ? globalThis.trustedTypes.createPolicy("lms", { createHTML: (text) => text, createScriptURL: ownWorker })
  : { createHTML: (text) => text, createScriptURL: ownWorker };

/** The one script that a page may start by its address. */
function ownWorker(address) {
  if (address !== "/sw.js") throw new TypeError("only our own service worker");
  return address;
}

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;", "`": "&#96;" };

/** Markup that is known to be safe. Made by `html` and `fromServer` only. */
class Markup {
  constructor(text) {
    this.text = text;
    Object.freeze(this);
  }
}

function escaped(value) {
  if (value instanceof Markup) return value.text;
  if (Array.isArray(value)) return value.map(escaped).join("");
  if (value === null || value === undefined || value === false) return "";
  return String(value).replace(/[&<>"'`]/g, (character) => ESCAPES[character]);
}

/** html`<p>${text}</p>`: values are escaped; Markup, and arrays of it, go in as they are; null and false are nothing. */
export function html(strings, ...values) {
  return new Markup(strings.reduce((all, part, i) => all + escaped(values[i - 1]) + part));
}

/** HTML that our own server rendered and cleaned (question_html, content_html). Never for anything else. */
export function fromServer(text) {
  return new Markup(String(text ?? ""));
}

/** Put the markup into the element, in place of what it held. */
export function fill(element, markup) {
  if (!(markup instanceof Markup)) throw new TypeError("fill() takes what html`` makes");
  element.innerHTML = policy.createHTML(markup.text);
  return element;
}

/** The first element of the markup, not yet in the page. */
export function make(markup) {
  const template = document.createElement("template");
  template.innerHTML = policy.createHTML(markup.text);
  return template.content.firstElementChild;
}

/** The words of an item of a question ({text, html}) without its marks, for where only text can stand; images by theirs. */
export function wordsOf({ text, html: rendered }) {
  if (rendered === undefined) return text;
  const shown = make(html`<div>${fromServer(rendered)}</div>`);
  for (const image of shown.querySelectorAll("img")) image.replaceWith(` ${image.alt} `);
  return shown.textContent.replace(/\s+/g, " ").trim() || "…";
}

/** An icon of the page's sprite; `mirrored` for those that follow the reading direction. */
export function icon(name, { mirrored = false } = {}) {
  const names = mirrored ? "icon icon-mirrored" : "icon";
  return html`<svg class="${names}" aria-hidden="true" focusable="false"><use href="#i-${name}"></use></svg>`;
}

/** Register the site's service worker. */
export function registerWorker() {
  return navigator.serviceWorker.register(policy.createScriptURL("/sw.js"));
}
