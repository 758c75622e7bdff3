// The question that is looked at: its words, its controls, its state, and, when there are two versions of its answer, both.
// Where an answer goes is the ledger's business.

import { fill, html, icon } from "./html.js";
import { moment, t } from "./i18n.js";
import { belowHeading } from "./question-items.js";
import { inWords, isTyped, showControls, watchControls } from "./room-answers.js";
import { isEmpty } from "./room-ledger.js";
import { say } from "./say.js";
import { toast } from "./toast.js";

const byId = (id) => document.getElementById(id);
const WHY = { validation_failed: "invalid", invalid_answer: "invalid", too_many_operations: "too_many", no_number: "no_number" };

/** Why an answer was not accepted, in words. */
export function whyWords(code) {
  return WHY[code] ? t(`room.why_${WHY[code]}`) : t("room.why_other", { code });
}

/** How a control is found again after it was drawn anew. */
function controlMark(control) {
  if (control.id) return `#${CSS.escape(control.id)}`;
  const { move } = control.dataset;
  if (move) return `[data-id="${CSS.escape(control.closest("[data-id]").dataset.id)}"] [data-move="${move}"]`;
  return `[value="${CSS.escape(control.value)}"]`;
}

/** The view of one question. `room` has questions, ledger, drafts, store, marked, isWritable. */
export class QuestionView {
  constructor(room) {
    this.room = room;
    this.question = null;
    this.shownValue = undefined;
    this.form = byId("answer");
    watchControls(this.form, () => this.question, {
      choose: (value) => this.#save(value),
      type: (value) => this.#type(value),
      leave: () => room.drafts.flush(this.question.id),
      moved: (name, place, total) => say(t("room.moved_to", { name: name.trim(), place, total })),
    });
    byId("clear-answer").addEventListener("click", () => this.#clear());
    byId("mark").addEventListener("click", () => this.#toggleMark());
    byId("answer-conflict").addEventListener("click", (event) => this.#settle(event));
  }

  /** Show a question; `isFocused` moves the focus to its heading. */
  show(question, isFocused) {
    this.question = question;
    const isText = question.question_type === "description";
    const heading = byId("question-heading");
    // another question is another page: nothing of the one before moves to a new place
    const section = byId("question-view");
    section.replaceChildren(...section.childNodes);
    this.#showWords();
    byId("mark").hidden = isText;
    this.form.hidden = isText;
    this.#showValue();
    this.refresh();
    this.#showMark();
    if (isFocused) {
      heading.focus({ preventScroll: true });
      document.scrollingElement.scrollTop = 0;
    }
  }

  /** Its heading and its text. */
  #showWords() {
    const { place, points, question_html: text, question_type: type, correction } = this.question;
    const isText = type === "description";
    const name = t(isText ? "room.text_of" : "room.question_of", { number: place, total: this.room.questions.length });
    const worth = isText ? "" : html` <span class="question-points">${t("room.points", { count: Number(points) })}</span>`;
    const changed = correction ? html` <span class="question-changed">${icon("edit")}${t(`room.correction_${correction}`)}</span>` : "";
    fill(byId("question-heading"), html`${name}${worth}${changed}`);
    fill(byId("question-text"), belowHeading(text));
    document.title = [name, this.room.titleRest].filter(Boolean).join(" · ");
  }

  /** It was corrected while it is looked at: its words change in place; the answer stays, and so does the focus. */
  renew() {
    this.#showWords();
    if (isTyped(this.question)) return;
    const mark = this.form.contains(document.activeElement) ? controlMark(document.activeElement) : "";
    this.#showValue();
    this.refresh();
    if (mark) this.form.querySelector(mark)?.focus({ preventScroll: true });
  }

  #showValue() {
    const { id } = this.question;
    const draft = this.room.drafts.peek(id);
    this.shownValue = draft === undefined ? this.room.ledger.value(id) : draft;
    showControls(this.form, this.question, this.shownValue);
  }

  /** The state of its answer, as it is now; the value too when it came from elsewhere. */
  refresh() {
    if (!this.question) return;
    const { id } = this.question;
    const { ledger, drafts } = this.room;
    if (drafts.peek(id) === undefined && !this.#isSame(ledger.value(id)) && !this.form.contains(document.activeElement)) this.#showValue();
    const state = ledger.state(id);
    const isText = this.question.question_type === "description";
    const slot = byId("answer-state");
    const [kind, words] = isText ? ["", ""] : this.#stateWords(state);
    if (slot.dataset.shown !== `${kind} ${words}`) {
      slot.dataset.shown = `${kind} ${words}`;
      slot.dataset.state = kind;
      fill(slot, kind ? html`${icon(kind)}<span>${words}</span>` : html``);
    }
    byId("clear-answer").hidden = isText || !this.room.isWritable || isEmpty(ledger.value(id)) || isTyped(this.question);
    this.#showConflict(state);
    this.form.inert = !this.room.isWritable;
    this.form.dataset.isClosed = String(!this.room.isWritable);
    for (const control of this.form.querySelectorAll("input, select, textarea")) {
      if (control.type === "text" || control.localName === "textarea") control.readOnly = !this.room.isWritable;
      else control.disabled = !this.room.isWritable;
    }
  }

  #isSame(value) {
    return JSON.stringify(value ?? null) === JSON.stringify(this.shownValue ?? null);
  }

  #stateWords({ kind, savedAt, why }) {
    if (kind === "empty" || kind === "hush") return ["", ""];
    if (kind === "saved") return [kind, t("room.state_saved", { time: moment(savedAt, "time-seconds") })];
    if (kind === "refused") return [kind, t("room.state_refused", { why: whyWords(why) })];
    if (kind === "waiting" && this.room.store.isBlocked) return [kind, t("room.state_waiting_unkept")];
    return [kind, t(`room.state_${kind}`)];
  }

  #showConflict(state) {
    const place = byId("answer-conflict");
    const unsent = this.room.isReadOnly && isTyped(this.question) ? this.room.ledger.unsent(this.question.id) : null;
    place.hidden = state.kind !== "conflict" && unsent === null;
    if (unsent !== null) {
      this.#offerCopy(place, unsent);
      return;
    }
    if (place.hidden) {
      place.dataset.shown = "";
      return;
    }
    const saved = inWords(this.question, state.stored.value);
    const here = inWords(this.question, state.value);
    const words = t("room.conflict", { number: this.question.place, saved, here, device: t("room.conflict_other") });
    if (place.dataset.shown === words) return;
    place.dataset.shown = words;
    fill(
      place,
      html`<p>${words}</p>${isTyped(this.question) ? html`<dl class="versions"><div><dt>${t("room.keep_saved", { saved: "" })}</dt><dd dir="auto">${String(state.stored.value ?? "")}</dd></div><div><dt>${t("room.use_here", { here: "" })}</dt><dd dir="auto">${String(state.value ?? "")}</dd></div></dl>` : ""}
      <div class="button-group"><button type="button" class="button" data-settle="saved">${t("room.keep_saved", { saved })}</button>
      <button type="button" class="button" data-settle="here">${t("room.use_here", { here })}</button></div>`,
    );
  }

  #settle(event) {
    const button = event.target.closest("[data-settle]");
    if (!button || !this.room.isWritable) return;
    this.room.ledger.settle(this.question.id, button.dataset.settle === "here");
    this.#showValue();
    this.refresh();
    byId("question-heading").focus();
  }

  #type(value) {
    if (!this.room.isWritable) return;
    this.shownValue = value;
    this.room.ledger.typing(this.question.id);
    this.room.drafts.type(this.question.id, value);
  }

  #save(value) {
    if (!this.room.isWritable) return;
    this.shownValue = value;
    this.room.save(this.question.id, value);
  }

  #clear() {
    this.#save(null);
    this.#showValue();
    this.refresh();
    byId("question-heading").focus();
  }

  #toggleMark() {
    const { marked } = this.room;
    if (!marked.delete(this.question.id)) marked.add(this.question.id);
    this.#showMark();
    this.room.keepSoon();
    this.room.navigator.refresh(this.question.id);
  }

  #showMark() {
    byId("mark").setAttribute("aria-pressed", String(this.room.marked.has(this.question.id)));
  }

  /** What was typed here and can no longer be sent from this page: shown with Copy. */
  #offerCopy(place, value) {
    const words = String(value);
    if (place.dataset.shown === `unsent ${words}`) return;
    place.dataset.shown = `unsent ${words}`;
    fill(place, html`<p dir="auto">${t("room.unsent_here", { words })}</p><div class="button-group"><button type="button" class="button" data-copy>${icon("copy")}${t("room.copy")}</button></div>`);
    place.querySelector("[data-copy]").addEventListener("click", async () => {
      await navigator.clipboard.writeText(words);
      toast(t("room.copied"));
    });
  }
}
