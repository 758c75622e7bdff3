// The status line of the quiz room, always there, and the messages behind it. Many things may be so at once: the most
// important is shown, the rest waits in Messages. Not for the state of one answer.

import { openDialog } from "./dialog.js";
import { fill, html, icon } from "./html.js";
import { moment, t } from "./i18n.js";

/** From the most important down. */
const ORDER = ["timeup", "readonly", "paused", "conflict", "offline", "notsent", "changed", "announcement", "late", "saving", "saved"];
const LOOKS = {
  timeup: ["hold", "clock"],
  readonly: ["hold", "device"],
  paused: ["hold", "paused"],
  conflict: ["hold", "conflict"],
  offline: ["warn", "lost"],
  notsent: ["warn", "waiting"],
  changed: ["info", "clock"],
  announcement: ["info", "mail"],
  late: ["warn", "clock"],
  saving: ["", "saving"],
  saved: ["ok", "saved"],
};

/** The line. `set` says that something is so, `clear` that it is no longer. */
export class StatusLine {
  constructor(element) {
    this.element = element;
    this.items = new Map();
    this.timers = new Map();
    this.shown = "";
    element.addEventListener("click", (event) => {
      if (event.target.closest("[data-act]")) this.items.get(this.kind)?.act?.();
    });
  }

  /** What is shown now. */
  get kind() {
    return ORDER.find((kind) => this.items.has(kind)) ?? "saved";
  }

  /** `action` are the words of a button, `act` what it does; `forMs` lets it go by itself. */
  set(kind, words, { action = "", act = null, forMs = 0, look = null } = {}) {
    clearTimeout(this.timers.get(kind));
    this.items.set(kind, { words, action, act, look: look ?? LOOKS[kind] });
    if (forMs) this.timers.set(kind, setTimeout(() => this.clear(kind), forMs));
    this.#show();
  }

  clear(kind) {
    if (this.items.delete(kind)) this.#show();
  }

  has(kind) {
    return this.items.has(kind);
  }

  focus() {
    this.element.focus();
  }

  #show() {
    const { words = "", action = "", look: [tone, name] = LOOKS.saved } = this.items.get(this.kind) ?? {};
    const shown = JSON.stringify([this.kind, words, action]);
    if (shown === this.shown) return;
    this.shown = shown;
    this.element.dataset.kind = this.kind;
    this.element.dataset.tone = tone;
    const button = action ? html`<button type="button" class="button button-main button-small" data-act>${action}</button>` : "";
    const hadFocus = this.element.contains(document.activeElement) && document.activeElement !== this.element;
    fill(this.element, html`${icon(name)}<span class="status-words">${words}</span>${button}`);
    if (hadFocus) this.element.focus();
  }
}

/** What was said to this reader, newest last, with the number of those not looked at. */
export class Messages {
  constructor(button) {
    Object.assign(this, { button, rows: [], unread: 0, onRead: null });
    button.addEventListener("click", () => this.#open());
  }

  add(words, at = Date.now()) {
    this.rows.push({ words, at });
    this.unread += 1;
    this.#count();
  }

  #count() {
    const badge = this.button.querySelector(".badge");
    badge.textContent = this.unread ? String(this.unread) : "";
    badge.hidden = this.unread === 0;
    this.button.setAttribute("aria-label", this.unread ? t("room.messages_count", { count: this.unread }) : t("room.messages"));
  }

  #open() {
    this.unread = 0;
    this.#count();
    const rows = this.rows.toReversed().map(({ words, at }) => html`<li><bdi class="muted small" dir="ltr">${moment(at, "time")}</bdi><p dir="auto">${words}</p></li>`);
    openDialog({
      title: t("room.messages"),
      kind: "drawer",
      body: rows.length ? html`<ol class="plain stack stack-16 message-list">${rows}</ol>` : html`<p class="muted">${t("room.no_messages")}</p>`,
    });
    this.onRead?.();
  }
}
