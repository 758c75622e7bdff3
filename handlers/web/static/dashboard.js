// The live dashboard: keeps what the teacher chose (filter, order, page, name, view; all in the URL), and paints at most
// twice a second what the picture has by then. Rows never move by themselves.

import { Attention } from "./dashboard-attention.js";
import { Controls } from "./dashboard-controls.js";
import { Drawer } from "./dashboard-drawer.js";
import { arranged, comparedTo, countAll, FILTERS, groupsOf, SORTS } from "./dashboard-marks.js";
import { followQuiz, Picture, serverNowMs } from "./dashboard-picture.js";
import { followScreen } from "./dashboard-projector.js";
import { Questions } from "./dashboard-questions.js";
import { Receipts } from "./dashboard-receipts.js";
import { RoomView } from "./dashboard-room.js";
import { Scope, Selection } from "./dashboard-scope.js";
import { StudentTable } from "./dashboard-table.js";
import { fill, html, icon } from "./html.js";
import { moment, number, t } from "./i18n.js";
import { live } from "./line.js";
import { page } from "./page.js";
import { say } from "./say.js";
import { tag } from "./states.js";

const PAINT_MS = 500;
const FIND_MS = 200;
const OFFLINE_AFTER_MS = 2000;
const ROOM_CARDS = 120;
const TIMED = new Set(["flagged", "urgent", "long_away", "stuck"]);
const at = (id) => document.getElementById(id);
const root = at("dash");

const picture = new Picture();
const drawer = new Drawer(picture);
const receipts = new Receipts();
const screen = followScreen(page.data.quiz_id);
const questions = new Questions(picture, { screen });
const selection = new Selection({ onChange: () => paintSelection() });
const hands = { onOpen: (attemptId) => drawer.open(attemptId), selection };
const table = new StudentTable(picture, hands);
const room = new RoomView(picture, hands);
const scope = new Scope(picture, selection, { shown: () => order, onChange: () => paintSelection() });
const controls = new Controls(scope, { onDone: () => receipts.renew() });
const attention = new Attention({ onChoose: (name) => choose({ filter: chosen.filter === name ? "all" : name }) });

const asked = new URLSearchParams(location.search);
const oneOf = (value, all, other) => (all.includes(value) ? value : other);
const chosen = {
  filter: oneOf(asked.get("filter"), FILTERS, "all"),
  sort: oneOf(asked.get("sort")?.replace(/^-/, ""), SORTS, "") ? asked.get("sort") : "began",
  find: (asked.get("find") ?? "").slice(0, 100),
  group: (asked.get("group") ?? "").slice(0, 80),
  view: oneOf(asked.get("view"), ["list", "room"], "list"),
  page: Math.max(1, Math.trunc(Number(asked.get("page"))) || 1),
  tab: oneOf(asked.get("tab"), ["students", "questions"], "students"),
};
let order = [];
let hasNews = false;
let isFrozen = false;
let isStale = false;
let isEnded = false;
let stamped = "none";

// --- choosing ---

function keepInUrl() {
  const plain = { filter: "all", sort: "began", find: "", group: "", view: "list", page: 1, tab: "students" };
  const pairs = Object.entries(chosen).filter(([name, value]) => value !== plain[name]);
  history.replaceState(null, "", pairs.length ? `?${new URLSearchParams(pairs)}` : location.pathname);
}

function showChoice() {
  for (const chip of document.querySelectorAll("#filters [data-filter]")) {
    chip.setAttribute("aria-pressed", String(chip.dataset.filter === chosen.filter));
  }
  const [name, isDown] = [chosen.sort.replace(/^-/, ""), chosen.sort.startsWith("-")];
  for (const head of document.querySelectorAll("th[data-sort]")) {
    if (head.dataset.sort === name) head.setAttribute("aria-sort", isDown ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
    const kind = head.dataset.sort === name ? (isDown ? "down" : "up") : "sort";
    head.querySelector("use").setAttribute("href", `#i-${kind}`);
  }
  at("sort").value = name;
  root.dataset.tab = chosen.tab;
  root.dataset.view = chosen.view;
  for (const view of document.querySelectorAll("[data-view-choice]")) {
    view.setAttribute("aria-pressed", String(view.dataset.viewChoice === chosen.view));
  }
  for (const tab of document.querySelectorAll("[data-tab-choice]")) {
    tab.setAttribute("aria-pressed", String(tab.dataset.tabChoice === chosen.tab));
  }
}

/** The one way in which rows move: somebody asked. */
function choose(wish) {
  Object.assign(chosen, "page" in wish || "tab" in wish ? wish : { ...wish, page: 1 });
  keepInUrl();
  showChoice();
  arrange();
  if ("sort" in wish) say(t("dashboard.said_order", { count: order.length, what: t(`dashboard.column_${chosen.sort.replace(/^-/, "")}`) }));
}

function arrange() {
  if (!picture.isKnown) return;
  order = arranged(picture, standing(), serverNowMs());
  chosen.page = Math.min(chosen.page, Math.max(1, Math.ceil(order.length / pageSize())));
  showPage();
  paint(true);
}

const isRoom = () => chosen.view === "room";
const pageSize = () => (isRoom() ? ROOM_CARDS : page.data.rows);

/** What was chosen, as it arranges the students: the room stands in the order of names. */
function standing() {
  return isRoom() ? { ...chosen, sort: "name" } : chosen;
}

function showPage() {
  const first = (chosen.page - 1) * pageSize();
  const ids = order.slice(first, first + pageSize());
  table.show(isRoom() ? [] : ids, serverNowMs());
  room.show(isRoom() ? ids : [], serverNowMs());
  const isEmpty = order.length === 0;
  at("nobody").hidden = picture.students.size > 0;
  at("no-match").hidden = !isEmpty || picture.students.size === 0;
  at("foot").hidden = isEmpty;
  at("table").hidden = isEmpty || isRoom();
  at("room").hidden = isEmpty || !isRoom();
  const range = { first: number(first + 1), last: number(first + ids.length), total: number(order.length) };
  at("range").textContent = t("dashboard.range", range);
  at("previous").setAttribute("aria-disabled", String(chosen.page === 1));
  at("next").setAttribute("aria-disabled", String(first + pageSize() >= order.length));
}

// --- painting ---

/** Who came since the order was made. By the time they began, they stand at the end and move nobody. */
function takeNewcomers(now) {
  const { isKept, isAtEnd, added } = comparedTo(order, picture, standing(), now);
  if (!isAtEnd) return added.length || -1;
  if (added.length) {
    order = order.concat(added);
    showPage();
  }
  return isKept ? 0 : -1;
}

function paintRefresh(change) {
  const button = at("refresh");
  button.toggleAttribute("data-wanted", change !== 0);
  button.setAttribute("aria-disabled", String(change === 0));
  button.tabIndex = change === 0 && document.activeElement !== button ? -1 : 0;
  const words = change > 0 ? t("dashboard.new_rows", { count: change }) : t("dashboard.order_changed");
  if (change !== 0 && button.lastElementChild.textContent !== words) button.lastElementChild.textContent = words;
}

function set(id, words) {
  if (at(id).textContent !== words) at(id).textContent = words;
}

function paintFigures(endMs) {
  const totals = picture.totals;
  const isHereKnown = totals.connected !== null;
  set("f-here", isHereKnown ? t("dashboard.of", { part: number(totals.connected), whole: number(totals.students) }) : "–");
  set("f-answering", number(totals.in_progress));
  set("f-in", number(totals.submitted + totals.graded));
  set("f-saved", number(totals.answers_saved));
  set("f-ends", endMs === null ? "–" : moment(endMs, "time"));
  const { isEnded, isPaused } = receipts.standing();
  const isHeld = isPaused || (totals.paused > 0 && totals.in_progress === 0);
  const kind = isEnded ? "ended_all" : isHeld ? "paused" : totals.in_progress + totals.paused > 0 ? "running" : "quiet";
  if (root.dataset.running === kind) return;
  root.dataset.running = kind;
  const [tone, name] = { ended_all: ["", "lock"], paused: ["hold", "paused"], running: ["ok", "live"], quiet: ["", ""] }[kind];
  fill(at("running"), tag(t(`dashboard.${kind}`), tone, name));
}

function paintStamp() {
  const kind = isEnded ? "ended" : isStale ? "stale" : live.isDegraded ? "late" : isFrozen ? "frozen" : "none";
  const time = moment(picture.asOfMs || page.server_time_ms, "time-seconds");
  const shown = kind === "late" ? `late ${time}` : kind;
  if (shown === stamped) return;
  stamped = shown;
  at("stamp").dataset.kind = kind;
  const words = { ended: t("dashboard.ended"), stale: t("dashboard.as_of", { time }), late: t("dashboard.late", { time }), frozen: t("dashboard.frozen", { time }), none: "" };
  const more = kind === "late" ? html`<span class="dash-stamp-more"> ${t("dashboard.late_more")}</span>` : "";
  const icons = { ended: "lost", stale: "lost", late: "clock", frozen: "freeze" };
  fill(at("stamp"), kind === "none" ? html`` : html`${icon(icons[kind])}<span>${words[kind]}${more}</span>`);
}

/** Who is selected and for whom the controls are, after a hand has moved. */
function paintSelection() {
  scope.paint();
  controls.paint(isOff(), receipts.standing());
  table.paintTicks();
  room.paint(serverNowMs());
}

/** Controls wait while the line is away: what they would be ordered upon is old. */
const isOff = () => isEnded || isStale || !live.isUp || !picture.isKnown;

let grouped = "";
function paintGroups() {
  const groups = groupsOf(picture);
  if (chosen.group && !groups.includes(chosen.group)) groups.push(chosen.group);
  if (groups.join("\n") === grouped) return;
  grouped = groups.join("\n");
  fill(at("group"), html`<option value="">${t("dashboard.group_all")}</option>${groups.map((group) => html`<option value="${group}" dir="auto">${group}</option>`)}`);
  at("group").value = chosen.group;
  at("group").parentElement.hidden = groups.length === 0;
}

/** Everything that is to be seen; nothing while frozen, unless the teacher did something. */
function paint(isAsked = false) {
  paintStamp();
  scope.paint();
  controls.paint(isOff(), receipts.standing());
  if (!picture.isKnown || (isFrozen && !isAsked) || (document.hidden && !isAsked)) return;
  const now = serverNowMs();
  const { counts, endMs } = countAll(picture, now);
  for (const place of document.querySelectorAll("[data-count]")) {
    const words = number(counts[place.dataset.count]);
    if (place.textContent !== words) place.textContent = words;
  }
  attention.paint(counts, chosen.filter);
  paintFigures(endMs);
  if (hasNews || isAsked) paintGroups();
  if (hasNews || isAsked || TIMED.has(chosen.filter)) paintRefresh(takeNewcomers(now));
  table.paint(now);
  room.paint(now);
  drawer.paint(now, isOff());
  if (hasNews || isAsked) questions.paint();
  hasNews = false;
}

// --- wiring ---

at("filters").addEventListener("click", (event) => {
  const chip = event.target.closest("[data-filter]");
  if (chip) choose({ filter: chip.dataset.filter });
});
document.querySelector("thead").addEventListener("click", (event) => {
  const name = event.target.closest("th[data-sort] .sort")?.parentElement.dataset.sort;
  if (name) choose({ sort: chosen.sort === name ? `-${name}` : name });
});
at("sort").addEventListener("change", () => choose({ sort: at("sort").value }));
let finding = 0;
at("find").value = chosen.find;
at("find").addEventListener("input", () => {
  clearTimeout(finding);
  finding = setTimeout(() => choose({ find: at("find").value }), FIND_MS);
});
at("group").addEventListener("change", () => choose({ group: at("group").value }));
const isIdle = (button) => button.getAttribute("aria-disabled") === "true";
at("previous").addEventListener("click", (event) => isIdle(event.currentTarget) || choose({ page: chosen.page - 1 }));
at("next").addEventListener("click", (event) => isIdle(event.currentTarget) || choose({ page: chosen.page + 1 }));
at("refresh").addEventListener("click", (event) => isIdle(event.currentTarget) || arrange());
at("views").addEventListener("click", (event) => {
  const view = event.target.closest("[data-view-choice]");
  if (view) choose({ view: view.dataset.viewChoice });
});
document.querySelector(".dash-tabs").addEventListener("click", (event) => {
  const tab = event.target.closest("[data-tab-choice]");
  if (tab) choose({ tab: tab.dataset.tabChoice });
});
at("freeze").addEventListener("click", () => {
  isFrozen = !isFrozen;
  at("freeze").setAttribute("aria-pressed", String(isFrozen));
  at("freeze").lastElementChild.textContent = t(isFrozen ? "dashboard.frozen_button" : "dashboard.freeze");
  say(t(isFrozen ? "dashboard.said_frozen" : "dashboard.said_moving"));
  paint(!isFrozen);
});

live.addEventListener("offline", () => setTimeout(() => {
  isStale = !live.isUp;
  paintStamp();
}, OFFLINE_AFTER_MS));
live.addEventListener("ended", () => {
  isEnded = true;
  paintStamp();
});

showChoice();
receipts.renew();
followQuiz(picture, page.data.quiz_id, {
  onWord: (frame) => {
    receipts.hear(frame);
    if (frame.event === "integrity") drawer.hear(frame.data);
  },
  onMissed: () => receipts.renew(),
  onNews: () => {
    const isFirst = !order.length && !hasNews;
    hasNews = true;
    isStale = false;
    if (isFirst && !isFrozen) arrange();
  },
  onRefused: () => {
    isEnded = true;
    paintStamp();
  },
});
setInterval(paint, PAINT_MS);
