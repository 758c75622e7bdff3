// The controls of an answer, native ones for all eight types, and an answer in a few words. They report each change;
// when it is saved is not their business.

import { fill, fromServer, html, icon, wordsOf } from "./html.js";
import { letter, t } from "./i18n.js";
import { rich } from "./question-items.js";
import { isEmpty } from "./room-ledger.js";
import { readNumber } from "./room-numbers.js";

const MAX_SHORT = 1000;
const MAX_NUMBER = 100;
const MAX_ESSAY = 20000;
const NAMES = "answer-heading";

function choices(question, value, kind) {
  const chosen = new Set(Array.isArray(value) ? value : [value]);
  return html`<fieldset class="options" aria-labelledby="${NAMES}" aria-describedby="answer-state">
    ${question.options.map(
      (option, i) => html`<label class="option"><input type="${kind}" name="answer" value="${option.id}"${checked(chosen.has(option.id))}>
        <span class="option-letter" aria-hidden="true">${letter(i)}</span>${rich(option)}</label>`,
    )}</fieldset>`;
}

const checked = (isChecked) => (isChecked ? html` checked` : "");

function truth(value) {
  const row = (answer, i) => html`<label class="option"><input type="radio" name="answer" value="${String(answer)}"${checked(value === answer)}>
    <span class="option-letter" aria-hidden="true">${letter(i)}</span><span class="option-text">${t(`room.${answer}`)}</span></label>`;
  return html`<fieldset class="options" aria-labelledby="${NAMES}" aria-describedby="answer-state">${[true, false].map(row)}</fieldset>`;
}

function short(value) {
  return html`<div class="field"><label for="answer-text">${t("room.your_answer")}</label>
    <input class="input" id="answer-text" type="text" dir="auto" maxlength="${MAX_SHORT}" autocomplete="off" spellcheck="false" aria-describedby="answer-state" value="${value ?? ""}"></div>`;
}

function numeric(value) {
  return html`<div class="field"><label for="answer-text">${t("room.your_number")}</label>
    <div class="row"><input class="input input-medium number-input" id="answer-text" type="text" inputmode="decimal" dir="ltr" maxlength="${MAX_NUMBER}" autocomplete="off" aria-describedby="read-as answer-state" value="${value ?? ""}">
    <output id="read-as" class="read-as muted" for="answer-text"></output></div></div>`;
}

function essay(value) {
  return html`<div class="field"><label for="answer-text">${t("room.your_text")}</label>
    <textarea class="input essay-input" id="answer-text" dir="auto" rows="10" maxlength="${MAX_ESSAY}" aria-describedby="answer-state">${value ?? ""}</textarea></div>`;
}

function matching(question, value) {
  const { left, right } = question.options;
  const chosen = value ?? {};
  return html`<ul class="plain pairs" aria-labelledby="${NAMES}">${left.map(
    (item, i) => html`<li class="pair"><label for="pair-${i}" class="pair-left" dir="auto">${fromServer(item.html)}</label>
      <select class="input" id="pair-${i}" data-left="${item.id}" aria-describedby="answer-state">
        <option value="">${t("room.choose")}</option>
        ${right.map((other) => html`<option value="${other.id}"${chosen[item.id] === other.id ? html` selected` : ""}>${wordsOf(other)}</option>`)}
      </select></li>`,
  )}</ul>`;
}

function sequenceOf(question, value) {
  const known = question.options.map((option) => option.id);
  const given = (value ?? []).filter((id) => known.includes(id));
  return [...given, ...known.filter((id) => !given.includes(id))];
}

function ordering(question, value) {
  const items = new Map(question.options.map((option) => [option.id, option]));
  const order = sequenceOf(question, value);
  return html`<ol class="plain sequence" aria-labelledby="${NAMES}">${order.map((id, i) => {
    const name = wordsOf(items.get(id));
    return html`<li class="sequence-item" data-id="${id}"><span class="sequence-place">${i + 1}</span>${rich(items.get(id))}
      <span class="sequence-moves">
        <button type="button" class="button button-square" data-move="-1" aria-label="${t("room.move_up", { name })}"${i === 0 ? html` aria-disabled="true"` : ""}>${icon("up")}</button>
        <button type="button" class="button button-square" data-move="1" aria-label="${t("room.move_down", { name })}"${i === order.length - 1 ? html` aria-disabled="true"` : ""}>${icon("down")}</button>
      </span></li>`;
  })}</ol>${isEmpty(value) ? html`<p class="row"><button type="button" class="button" data-keep-order>${t("room.keep_order")}</button><span class="hint">${t("room.keep_order_why")}</span></p>` : ""}`;
}

function markupOf(question, value) {
  switch (question.question_type) {
    case "multiple_choice":
      return choices(question, value, "radio");
    case "multiple_select":
      return choices(question, value, "checkbox");
    case "true_false":
      return truth(value);
    case "short_answer":
      return short(value);
    case "numeric":
      return numeric(value);
    case "matching":
      return matching(question, value);
    case "ordering":
      return ordering(question, value);
    case "essay":
      return essay(value);
    default:
      return html``;
  }
}

/** Put the controls for a question into `form`, showing `value`. */
export function showControls(form, question, value) {
  fill(form, markupOf(question, value));
  if (question.question_type === "numeric") showReading(form);
}

function showReading(form) {
  const typed = form.querySelector("#answer-text").value.trim();
  const number = typed ? readNumber(typed) : "";
  form.querySelector("#read-as").textContent = number ? t("room.read_as", { number: `\u2066${number}\u2069` }) : number === null ? t("room.no_number") : "";
}

/** What the controls say now. */
export function readControls(form, question) {
  const boxes = [...form.querySelectorAll("input:checked")].map((input) => input.value);
  switch (question.question_type) {
    case "multiple_choice":
      return boxes[0] ?? null;
    case "multiple_select":
      return boxes.length ? boxes : null;
    case "true_false":
      return boxes.length ? boxes[0] === "true" : null;
    case "matching": {
      const pairs = [...form.querySelectorAll("select")].filter((select) => select.value).map((select) => [select.dataset.left, select.value]);
      return pairs.length ? Object.fromEntries(pairs) : null;
    }
    case "ordering":
      return [...form.querySelectorAll("[data-id]")].map((item) => item.dataset.id);
    default: {
      const text = form.querySelector("#answer-text").value;
      return text.trim() === "" ? null : text;
    }
  }
}

/** Is it a text that is typed, so that saving waits for the keys to rest? */
export const isTyped = (question) => ["short_answer", "numeric", "essay"].includes(question.question_type);

/** Can the server take this? A number must be one. */
export function isSendable(question, value) {
  return question.question_type !== "numeric" || value === null || readNumber(String(value)) !== null;
}

function move(form, question, button) {
  const items = [...form.querySelectorAll("[data-id]")];
  const item = button.closest("[data-id]");
  const to = items.indexOf(item) + Number(button.dataset.move);
  if (to < 0 || to >= items.length) return false;
  const order = items.map((each) => each.dataset.id);
  order.splice(to, 0, ...order.splice(items.indexOf(item), 1));
  showControls(form, question, order);
  const moved = form.querySelector(`[data-id="${CSS.escape(item.dataset.id)}"]`);
  const same = moved.querySelector(`[data-move="${button.dataset.move}"]`);
  (same.getAttribute("aria-disabled") ? moved.querySelector("[data-move]:not([aria-disabled])") : same).focus();
  return true;
}

/** Report changes of the controls in `form`: `choose(value)` at once, `type(value)` at each key, `leave()` on leaving a text. */
export function watchControls(form, current, { choose, type, leave, moved }) {
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", () => {
    const question = current();
    if (isTyped(question)) leave();
    else choose(readControls(form, question));
  });
  form.addEventListener("input", () => {
    const question = current();
    if (!isTyped(question)) return;
    if (question.question_type === "numeric") showReading(form);
    type(readControls(form, question));
  });
  form.addEventListener("focusout", () => isTyped(current()) && leave());
  form.addEventListener("click", (event) => {
    const button = event.target.closest("[data-move], [data-keep-order]");
    if (!button || form.inert || button.getAttribute("aria-disabled") === "true") return;
    if (button.dataset.move) {
      const name = button.closest("[data-id]").querySelector(".option-text").textContent;
      if (!move(form, current(), button)) return;
      const items = [...form.querySelectorAll("[data-id]")];
      moved(name, items.findIndex((item) => item.contains(document.activeElement)) + 1, items.length);
    }
    const value = readControls(form, current());
    if (button.dataset.keepOrder !== undefined) {
      showControls(form, current(), value);
      form.querySelector("[data-move]:not([aria-disabled])")?.focus();
    }
    choose(value);
  });
}

const clipped = (text) => (text.length > 40 ? `${text.slice(0, 39)}…` : text);

/** An answer in a few words: "B", "A, C", "3.14", "“The first…”". */
export function inWords(question, value) {
  if (isEmpty(value)) return t("room.nothing");
  const letterOf = (id) => letter(question.options.findIndex((option) => option.id === id));
  switch (question.question_type) {
    case "multiple_choice":
      return letterOf(value);
    case "multiple_select":
      return value.map(letterOf).join(t("room.comma"));
    case "true_false":
      return t(`room.${value}`);
    case "matching": {
      const texts = new Map([...question.options.left, ...question.options.right].map((item) => [item.id, wordsOf(item)]));
      return Object.entries(value).map(([left, right]) => clipped(`${texts.get(left)}: ${texts.get(right)}`)).join(t("room.comma"));
    }
    case "ordering": {
      const texts = new Map(question.options.map((item) => [item.id, wordsOf(item)]));
      return value.map((id) => clipped(texts.get(id) ?? id)).join(t("room.comma"));
    }
    default:
      return t("room.quoted", { text: clipped(String(value)) });
  }
}
