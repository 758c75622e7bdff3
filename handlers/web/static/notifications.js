// The list of notifications while it is looked at: what comes waits behind a line, what is read loses its mark in place.

import { post, read } from "./api.js";
import { fill, html } from "./html.js";
import { t } from "./i18n.js";
import { on, whenMissed } from "./line.js";
import { page } from "./page.js";
import { banner } from "./states.js";

const place = document.getElementById("new-notifications");
const list = document.querySelector(".notices");
const known = new Set();
let count = 0;

function tell(news) {
  if (news <= count) return;
  count = news;
  const words = t("notifications.new", { count });
  fill(place, banner("info", html`<p>${words} <a href="${location.pathname}">${t("notifications.show")}</a></p>`));
  place.hidden = false;
}

/** What came before the line stood, or while it was lost. Its word may come yet, and is no other. */
async function catchUp() {
  const { items, total } = await read("/notifications", { isQuiet: true });
  for (const one of items) known.add(one.id);
  tell(total - page.data.total);
}

function showRead(row) {
  if (!row?.hasAttribute("data-unread")) return;
  const hadFocus = row.contains(document.activeElement) && document.activeElement.matches("button");
  row.removeAttribute("data-unread");
  for (const mark of row.querySelectorAll("[data-mark]")) mark.remove();
  if (hadFocus) (row.querySelector("a") ?? document.getElementById("main")).focus();
  document.getElementById("read-all").hidden = !list.querySelector("[data-unread]") && count === 0;
}

function showAllRead() {
  for (const row of list?.querySelectorAll("[data-unread]") ?? []) showRead(row);
}

async function markRead(event) {
  const button = event.submitter;
  if (!button || !list) return;
  event.preventDefault();
  button.disabled = true;
  try {
    if (button.name === "read") {
      await post(`/notifications/${encodeURIComponent(button.value)}/read`);
      showRead(document.getElementById(button.value));
    } else {
      await post("/notifications/read-all");
      showAllRead();
    }
  } catch {
    event.target.submit(); // the page itself says what is wrong
  }
}

on("notification", (data) => known.has(data.notification_id) || tell(count + 1));
whenMissed(catchUp);
on("notification_read", (data) => showRead(document.getElementById(data.notification_id)));
on("notifications_read", showAllRead);

document.getElementById("main").addEventListener("submit", (event) => {
  if (event.target.method === "post") markRead(event);
});
// Who opens what a notification is about has read it.
list?.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-opens]");
  if (link && link.closest("[data-unread]")) {
    post(`/notifications/${encodeURIComponent(link.dataset.opens)}/read`, {}, { keepalive: true }).catch(() => {});
  }
});
