// One order while it is looked at: asks again while money is on its way, and hears of it at once when it came. What it
// shows is what the server keeps: nothing of the address is believed.

import { read } from "./api.js";
import { fill } from "./html.js";
import { t } from "./i18n.js";
import { on, whenMissed } from "./line.js";
import { page } from "./page.js";
import { say } from "./say.js";
import { tag } from "./states.js";

const ASKED_AT_MOST = 120; // with growing waits: an hour and a half, longer than an order lives
const MAX_WAIT_MS = 60000;
const LOOKS = {
  completed: ["ok", "saved"],
  pending: ["info", "clock"],
  failed: ["bad", "refused"],
  refunded: ["hold", "refresh"],
  cancelled: ["", "close"],
  expired: ["", "late"],
};

let status = page.data.status;
let asked = 0;
let timer = 0;

function show(now) {
  if (now === status || !LOOKS[now]) return;
  status = now;
  const place = document.getElementById("state");
  place.dataset.status = now;
  fill(place, tag(t(`payments.order_${now}`), ...LOOKS[now]));
  document.getElementById("words").textContent = t(`payments.order_words_${now}`);
  const open = document.getElementById("open"); // is not there when the course is out of view
  if (open) open.hidden = now !== "completed";
  document.getElementById("acts").hidden = now !== "pending";
  say(t(`payments.order_${now}`));
}

async function look() {
  clearTimeout(timer);
  try {
    show((await read(`/payments/orders/${page.data.order_id}`, { isQuiet: true })).status);
  } catch {
    // asked again below: what is shown is what was last confirmed
  }
  plan();
}

function plan() {
  clearTimeout(timer);
  if (status !== "pending" || asked >= ASKED_AT_MOST) return;
  asked += 1;
  timer = setTimeout(look, Math.min(MAX_WAIT_MS, page.data.poll_ms * (1 + asked / 10)));
}

on("payment_completed", (data) => data.order_id === page.data.order_id && look());
whenMissed(look);
plan();
