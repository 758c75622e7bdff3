// The chat of a course, live: on its own page, or beside a lesson, where it begins when it is opened. What is sent keeps its
// op_id until it is answered, so that trying again never says it twice. Rows, names and acts are files of their own.

import { read } from "./api.js";
import { followActs, wordsOf } from "./chat-acts.js";
import { Names } from "./chat-names.js";
import { Rows } from "./chat-rows.js";
import { fill, html, icon, make } from "./html.js";
import { t } from "./i18n.js";
import { follow, live, on } from "./line.js";
import { page } from "./page.js";
import { say } from "./say.js";
import { banner } from "./states.js";

const SHOWN = 30;
const TYPING_EVERY_MS = 3000;
const READ_AFTER_MS = 800;
const facts = page.data.chat;
const channel = `course:${facts.course_id}:chat`;
const path = `/courses/${encodeURIComponent(facts.course_id)}/messages`;
const at = (id) => document.getElementById(id);
const [box, list, form, field, fault] = ["chat", "chat-list", "chat-form", "chat-text", "chat-fault"].map(at);
const rows = new Rows(list, facts);
const names = field ? new Names(field, at("chat-names")) : null;
let older = null; // the cursor of what came before
let readTo = 0;
let waiting = 0; // new messages below what is looked at

// ------------------------------------------------------------- reading

const isAtEnd = () => list.scrollHeight - list.scrollTop - list.clientHeight < 48;

function toEnd() {
  list.scrollTop = list.scrollHeight;
  showWaiting(0);
  tellRead();
}

function showWaiting(count) {
  waiting = count;
  const place = at("newest");
  if (!count) return place.replaceChildren();
  fill(place, html`<button type="button" class="button button-small">${icon("down")}${t("chat.new_below", { count })}</button>`);
  place.firstElementChild.addEventListener("click", toEnd);
  return undefined;
}

let readTimer = 0;

/** What stands at the end of a page that is looked at was read; not in somebody else's place. */
function tellRead() {
  if (page.acting || document.hidden || box.hidden || rows.newest <= readTo) return;
  clearTimeout(readTimer);
  readTimer = setTimeout(() => {
    readTo = rows.newest;
    live.command("chat.read", { course_id: facts.course_id, number: readTo }).catch(() => {});
  }, READ_AFTER_MS);
}

function apply(messages) {
  const news = messages.filter((message) => rows.apply(message));
  for (const one of messages) names?.meet(one.sender_id, one.sender_name);
  showEmpty();
  return news;
}

function showEmpty() {
  const isEmpty = !rows.held.size && !rows.pending.size;
  if (!isEmpty) at("chat-empty")?.remove();
  else if (!at("chat-empty")) list.append(make(html`<li class="muted" id="chat-empty">${t("chat.empty")}</li>`));
}

function showOlder(next) {
  older = next;
  let place = at("chat-older");
  if (!place) {
    place = document.createElement("p");
    place.id = "chat-older";
    list.before(place);
  }
  place.hidden = !next;
  if (!next) return;
  fill(place, html`<button type="button" class="button button-small">${icon("up")}${t("chat.older")}</button>`);
  place.firstElementChild.addEventListener("click", fetchOlder);
}

async function fetchOlder() {
  const height = list.scrollHeight;
  const got = await read(`${path}?limit=${SHOWN}&after=${encodeURIComponent(older)}`);
  apply(got.items);
  list.scrollTop += list.scrollHeight - height;
  showOlder(got.next);
  list.focus();
}

/** The newest, after which events follow; whatever lies between them and what is shown is fetched by Older. */
async function refetch() {
  const got = await read(`${path}?limit=${SHOWN}`, { isQuiet: true });
  rows.mayModerate = got.may_moderate;
  const oldest = got.items.at(-1)?.number ?? 0;
  if (!rows.held.size || (got.next && oldest > rows.newest)) {
    rows.clear();
    showOlder(got.next);
  }
  const wasAtEnd = isAtEnd() || !rows.held.size;
  apply(got.items);
  readTo = Math.max(readTo, got.read_number);
  showMuted(got.muted_until);
  if (wasAtEnd) toEnd();
  return Object.fromEntries(got.items.map((one) => [one.id, one.version]));
}

// ------------------------------------------------------------- writing

function showMuted(until) {
  if (!form) return;
  form.hidden = Boolean(until);
  if (until) fault.replaceChildren();
}

async function send(text, mentions, opId = crypto.randomUUID()) {
  const node = rows.addPending(opId, text);
  showEmpty();
  toEnd();
  try {
    const said = await live.insist("chat.send", { course_id: facts.course_id, text, op_id: opId, mentions });
    apply([said]);
    toEnd();
  } catch (refusal) {
    showRefused(node, refusal, () => {
      rows.drop(opId);
      send(text, mentions, opId);
    });
  }
}

function showRefused(node, refusal, again) {
  node.dataset.state = "refused";
  node.querySelector("[data-word]").textContent = t("chat.refused");
  fill(fault, banner("bad", wordsOf(refusal)));
  say(`${t("chat.refused")}: ${wordsOf(refusal)}`);
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button button-small";
  button.textContent = t("chat.again");
  button.addEventListener("click", again);
  node.append(button);
}

function submit() {
  const text = field.value.trim();
  if (!text) return;
  fault.replaceChildren();
  send(text, names.calledIn(text));
  field.value = "";
  names.offer();
}

let typedAt = 0;

function tellTyping() {
  if (Date.now() - typedAt < TYPING_EVERY_MS || !field.value || !live.isUp) return;
  typedAt = Date.now();
  live.command("chat.typing", { course_id: facts.course_id }).catch(() => {});
}

function followForm() {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });
  field.addEventListener("input", tellTyping);
}

// ------------------------------------------------------------- who else is there

const typists = new Map(); // until when, by name

function showTyping() {
  const place = at("chat-typing");
  if (!place) return;
  const now = [...typists].filter(([, { until }]) => until > Date.now()).map(([, { name }]) => name);
  const words = ["", "chat.typing_one", "chat.typing_two"][now.length] ?? "chat.typing_many";
  place.textContent = words && t(words, { name: now[0], other: now[1] });
}

function heardTyping({ user_id: id, full_name: name, for_ms: forMs }) {
  if (id === page.user.id) return;
  names?.meet(id, name);
  typists.set(id, { name, until: Date.now() + forMs });
  showTyping();
  setTimeout(showTyping, forMs + 50);
}

function showHere({ count }) {
  at("chat-here").textContent = t("chat.here", { count });
}

async function meetAll() {
  const { count, users } = await live.command("presence", { channel });
  for (const one of users) names?.meet(one.user_id, one.full_name);
  showHere({ count });
}

// ------------------------------------------------------------- live

const here = (listener) => (data, frame) => frame.channel === channel && listener(data);
const asMessage = (data) => ({ deleted_at: null, deleted_by: null, ...data, id: data.message_id });

function heard(data) {
  const wasAtEnd = isAtEnd();
  typists.delete(data.sender_id);
  showTyping();
  if (!apply([asMessage(data)]).length) return;
  if (data.sender_id === page.user.id) return;
  say(t(data.mentions.includes(page.user.id) ? "chat.called" : "chat.new_from", { name: data.sender_name }));
  if (wasAtEnd) toEnd();
  else showWaiting(waiting + 1);
}

let isBegun = false;

function begin() {
  if (isBegun) return;
  isBegun = true;
  list.replaceChildren();
  names?.meet(facts.instructor.id, facts.instructor.name);
  on("chat_message", here(heard));
  on("chat_edited", here((data) => apply([asMessage(data)])));
  on("chat_deleted", here((data) => rows.remove(data)));
  on("typing", here(heardTyping));
  on("presence", here(showHere));
  on("chat_muted", (data) => data.course_id === facts.course_id && showMuted(data.muted_until));
  on("chat_read", (data) => {
    if (data.course_id === facts.course_id) readTo = Math.max(readTo, data.read_number);
  });
  follow(channel, { onReset: refetch });
  refetch().then(() => live.connected()).then(meetAll).catch(() => {});
  if (form) followForm();
  followActs(rows, fault ?? at("newest"));
  list.addEventListener("scroll", () => isAtEnd() && (showWaiting(0), tellRead()), { passive: true });
  document.addEventListener("visibilitychange", tellRead);
}

async function beside(button) {
  button.hidden = false;
  button.addEventListener("click", () => {
    box.hidden = !box.hidden;
    button.setAttribute("aria-expanded", String(!box.hidden));
    button.lastChild.textContent = t(box.hidden ? "chat.here_below" : "chat.hide");
    if (box.hidden) return;
    begin();
    at("chat-unread").hidden = true;
    toEnd();
  });
  const { unread } = await read(`${path}?limit=1`, { isQuiet: true });
  at("chat-unread").hidden = unread === 0;
  at("chat-unread").textContent = t("chat.unread", { count: unread });
}

const opener = at("chat-open");
if (opener) beside(opener).catch(() => {});
else if (!new URLSearchParams(location.search).has("after")) begin();
