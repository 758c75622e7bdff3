// The status line of the quiz room, always there, and the messages behind it. Many things may be so at once: the most
// important is shown, the rest waits in Messages. Not for the state of one answer.

import { openDialog } from "./dialog.js";
import { fill, html, icon } from "./html.js";
import { moment, number, t } from "./i18n.js";

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

/** What was said to this reader, newest first, with the number of those not looked at. `now` is the server's time. */
export class Messages {
  constructor(button, now) {
    Object.assign(this, { button, now, rows: [], unread: 0, onRead: null });
    button.addEventListener("click", () => this.#open());
  }

  /** `places` are questions that it is about. */
  add(words, { at = this.now(), isRead = false, places = [] } = {}) {
    this.rows.push({ words, at: new Date(at).getTime(), places });
    this.rows.sort((a, b) => a.at - b.at);
    if (!isRead) this.unread += 1;
    this.#count();
  }

  #count() {
    const badge = this.button.querySelector(".badge");
    badge.textContent = this.unread ? number(this.unread) : "";
    badge.hidden = this.unread === 0;
    this.button.setAttribute("aria-label", this.unread ? t("room.messages_count", { count: this.unread }) : t("room.messages"));
  }

  #row({ words, at, places }) {
    const links = places.map((place) => html`<a class="button button-small" href="#q${place}">${t("room.question", { number: place })}</a>`);
    return html`<li><bdi class="muted small" dir="ltr">${moment(at, "time")}</bdi><p class="pre-line" dir="auto">${words}</p>${links.length ? html`<p class="row">${links}</p>` : ""}</li>`;
  }

  #open() {
    this.unread = 0;
    this.#count();
    const rows = this.rows.toReversed().map((row) => this.#row(row));
    const dialog = openDialog({
      title: t("room.messages"),
      kind: "drawer",
      body: rows.length ? html`<ol class="plain stack stack-16 message-list">${rows}</ol>` : html`<p class="muted">${t("room.no_messages")}</p>`,
    });
    dialog.addEventListener("click", (event) => event.target.closest("a") && dialog.close());
    this.onRead?.();
  }
}
