// One order while it is looked at: hears of it when its money moves, and asks again while money is on its way. What it shows
// is what the server keeps, as the server would show it: nothing of the address is believed.

import { read } from "./api.js";
import { drawn } from "./drawn.js";
import { t } from "./i18n.js";
import { on, whenMissed } from "./line.js";
import { page } from "./page.js";
import { say } from "./say.js";
import { localiseTimes } from "./shell.js";

const ASKED_AT_MOST = 120; // with growing waits: an hour and a half, longer than an order lives
const MAX_WAIT_MS = 60000;
const LOOKS_OWED = 2;

let { status, version } = page.data;
let asked = 0;
let timer = 0;
let owed = 0; // so many looks after a move, whatever the order's version says
let turn = 0;

/** This page's own part that moves, as it is now. */
async function movesNow() {
  const order = await drawn(`/payments/orders/${page.data.order_id}`); // the address of a form that was refused shows nothing
  return order.querySelector("#moves");
}

/** What a part says, in whatever zone and words its times stand. */
function said(part) {
  const copy = part.cloneNode(true);
  for (const time of copy.querySelectorAll("time")) time.textContent = time.dateTime;
  return copy.textContent;
}

/** In place of what stands there; who stood in it stands at the state. */
function put(place, moves) {
  const hadFocus = place.contains(document.activeElement);
  place.replaceWith(moves);
  localiseTimes(moves);
  if (hadFocus) document.getElementById("state").focus();
}

function show(order, moves) {
  const place = document.getElementById("moves");
  const isOther = order.status !== status;
  if (moves && (isOther || said(moves) !== said(place))) {
    put(place, moves);
    say(t(isOther ? `payments.order_${order.status}` : "payments.order_moved"));
  }
  if (isOther) owed = LOOKS_OWED; // the order is completed before its payment is, and paid back after it
  ({ status, version } = order);
}

async function look() {
  clearTimeout(timer);
  const mine = (turn += 1);
  try {
    const order = await read(`/payments/orders/${page.data.order_id}`, { isQuiet: true });
    const moves = owed > 0 || order.version !== version ? await movesNow() : null;
    if (mine !== turn) return; // somebody told of another move: that look shows more
    owed = Math.max(0, owed - 1);
    show(order, moves);
  } catch {
    if (mine !== turn) return; // else asked again below: what is shown is what was last confirmed
  }
  plan();
}

function plan() {
  clearTimeout(timer);
  if ((status !== "pending" && owed === 0) || asked >= ASKED_AT_MOST) return;
  asked += 1;
  timer = setTimeout(look, Math.min(MAX_WAIT_MS, page.data.poll_ms * (1 + asked / 10)));
}

function moved() {
  owed = LOOKS_OWED;
  look();
}

for (const name of ["payment_completed", "payment_changed"]) {
  on(name, (data) => data.order_id === page.data.order_id && moved());
}
whenMissed(moved);
plan();
