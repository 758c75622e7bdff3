// What was said in a chat, as rows in the order of their numbers, each once however often it is heard. Sends nothing.

import { html, icon, make } from "./html.js";
import { moment, t } from "./i18n.js";
import { page } from "./page.js";
import { tag } from "./states.js";

const LINK = /https?:\/\/[^\s<>"']{1,500}/g;
const BEHIND = /[.,;:!?)\]}»”’،؛؟]$/u;

/** The text as Markup: plain words and links, nothing else; a full stop behind a link is none of it. */
export function partsOf(text) {
  const parts = [];
  let end = 0;
  for (const found of text.matchAll(LINK)) {
    let address = found[0];
    while (BEHIND.test(address)) address = address.slice(0, -1);
    parts.push(text.slice(end, found.index));
    parts.push(html`<a href="${address}" rel="nofollow noopener noreferrer ugc" target="_blank">${address}</a>`);
    end = found.index + address.length;
  }
  return [...parts, text.slice(end)];
}

/** The rows of one list. `facts` are the chat's; `mayModerate` says what may be done with others' words. */
export class Rows {
  constructor(list, facts) {
    this.list = list;
    this.facts = facts;
    this.held = new Map(); // message and node, by id
    this.pending = new Map(); // nodes of what is on its way, by op_id
    this.mayModerate = false;
  }

  /** The highest number that is shown. */
  get newest() {
    return Math.max(0, ...[...this.held.values()].map(({ message }) => message.number));
  }

  /** Show only these from now on. */
  clear() {
    this.held.clear();
    this.list.replaceChildren(...this.pending.values());
  }

  /** Show a message, or its newer version; false when it is known already. */
  apply(message) {
    const known = this.held.get(message.id);
    if (known && known.message.version >= message.version) return false;
    this.drop(message.op_id, message.sender_id);
    const node = this.nodeOf(message);
    if (known) known.node.replaceWith(node);
    else this.insert(node, message.number);
    this.held.set(message.id, { message, node });
    return !known;
  }

  /** It was taken away. */
  remove({ message_id: id, deleted_at: at, deleted_by: by, version }) {
    const known = this.held.get(id);
    if (known) this.apply({ ...known.message, text: "", mentions: [], deleted_at: at, deleted_by: by, version });
  }

  insert(node, number) {
    node.dataset.number = String(number);
    const after = [...this.list.children].reverse().find((one) => Number(one.dataset.number ?? Infinity) < number);
    if (after) after.after(node);
    else this.list.prepend(node);
  }

  /** Something of one's own that is on its way. */
  addPending(opId, text) {
    const node = make(html`<li class="said" data-own data-state="sending">
      <p class="said-head"><bdi class="strong">${page.user.full_name}</bdi><span class="small muted" data-word>${t("chat.sending")}</span></p>
      <p class="said-text" dir="auto">${partsOf(text)}</p></li>`);
    this.pending.set(opId, node);
    this.list.append(node);
    return node;
  }

  /** It has arrived, or was given up. */
  drop(opId, senderId = page.user.id) {
    if (senderId !== page.user.id || !this.pending.has(opId)) return;
    this.pending.get(opId).remove();
    this.pending.delete(opId);
  }

  nodeOf(message) {
    const isOwn = message.sender_id === page.user.id;
    const isCalled = (message.mentions ?? []).includes(page.user.id);
    const changed = message.edited_at && !message.deleted_at ? ` · ${t("chat.edited")}` : "";
    const node = make(html`<li class="said" id="m-${message.number}">
      <p class="said-head"><bdi class="strong">${message.sender_name}</bdi>${message.is_staff ? tag(t("chat.staff"), "info") : ""}<span class="small muted"><time datetime="${message.created_at}" data-kind="date-time">${moment(message.created_at)}</time>${changed}</span></p>
      ${this.bodyOf(message, isOwn)}</li>`);
    node.dataset.id = message.id;
    node.dataset.number = String(message.number);
    node.toggleAttribute("data-own", isOwn);
    node.toggleAttribute("data-called", isCalled);
    return node;
  }

  bodyOf(message, isOwn) {
    if (message.deleted_at) {
      return html`<p class="muted">${t(message.deleted_by === message.sender_id ? "chat.deleted" : "chat.removed")}</p>`;
    }
    return html`<p class="said-text" dir="auto">${partsOf(message.text)}</p>${this.actsOf(message, isOwn)}`;
  }

  actsOf(message, isOwn) {
    const isYoung = Date.now() - Date.parse(message.created_at) < this.facts.edit_ms;
    const button = (act, name) => html`<button type="button" class="button button-quiet button-small" data-act="${act}">${icon(name)}${t(`chat.${act}`)}<span class="unseen"> <bdi>${message.sender_name}</bdi></span></button>`;
    const mayMute = this.mayModerate && !isOwn && !message.is_staff;
    const acts = [
      isOwn && isYoung ? button("edit", "edit") : "",
      (isOwn && isYoung) || this.mayModerate ? button("delete", "remove") : "",
      mayMute ? button("mute", "paused") : "",
    ];
    return acts.some(Boolean) ? html`<p class="said-acts">${acts}</p>` : "";
  }
}
