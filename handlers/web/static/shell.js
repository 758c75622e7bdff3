// What the shell does in the browser: menus, theme, times in the reader's zone, the connection word, signing in again in
// place. Works without: menus are <details>, theme and language are links.

import { leaveActing } from "./acting.js";
import { onSessionEnd } from "./api.js";
import { openDialog } from "./dialog.js";
import { fill, html, icon } from "./html.js";
import { moment, t } from "./i18n.js";
import { keepCookie, cookie, page } from "./page.js";
import { signInForm } from "./signing.js";
import { showKeptToast } from "./toast.js";

function closeMenus(except = null) {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (menu !== except) menu.open = false;
}

document.addEventListener("click", (event) => {
  closeMenus(event.target.closest?.("details.menu"));
  const choice = event.target.closest?.("[data-theme-choice]");
  if (choice && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    chooseTheme(choice);
  }
});

document.addEventListener("keydown", (event) => {
  const open = document.querySelector("details.menu[open]");
  if (event.key !== "Escape" || !open) return;
  open.open = false;
  if (open.contains(document.activeElement)) open.querySelector("summary").focus();
});

document.addEventListener("focusin", (event) => closeMenus(event.target.closest?.("details.menu")));

function chooseTheme(choice) {
  const theme = choice.dataset.themeChoice;
  keepCookie("lms_theme", theme);
  document.documentElement.dataset.theme = theme;
  document.querySelector('meta[name="color-scheme"]').content = theme === "system" ? "light dark" : theme;
  for (const other of document.querySelectorAll("[data-theme-choice]")) {
    other.querySelector(".tick-mark")?.remove();
    other.removeAttribute("aria-current");
  }
  choice.setAttribute("aria-current", "true");
  choice.append(tickMark());
  closeMenus();
  choice.closest("details").querySelector("summary").focus();
}

function tickMark() {
  const holder = fill(document.createElement("span"), icon("saved"));
  holder.firstElementChild.classList.add("tick-mark");
  return holder.firstElementChild;
}

/** Times were written in the zone that the cookie names; a browser in another one writes them again, and tells it. */
export function localiseTimes(root = document) {
  for (const element of root.querySelectorAll("time[data-kind]")) {
    element.textContent = moment(element.dateTime, element.dataset.kind);
  }
}

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && cookie("lms_zone") !== zone) {
  keepCookie("lms_zone", zone);
  localiseTimes();
}

const LINE_ICONS = { live: "live", late: "clock", lost: "lost" };

/** How the live line stands, in the shell: "live", "late" (it stands, and has nothing to tell for now), "lost" or "none". */
export function showConnection(line) {
  const place = document.getElementById("connection");
  if (!place || place.dataset.line === line) return;
  place.dataset.line = line;
  if (line === "none") place.replaceChildren();
  else fill(place, html`${icon(LINE_ICONS[line])}<span class="connection-word">${t(`client.line_${line}`)}</span>`);
}

let asking = null;

/** Sign in without leaving the page; resolves true once the same reader has, false when they would not. */
export function askToSignIn() {
  if (page.acting) return leaveActing();
  asking ??= new Promise((resolve) => {
    let isDone = false;
    const dialog = openDialog({
      title: t("client.sign_in_again"),
      body: html`<p>${t("client.sign_in_again_why")}</p><div data-place></div>`,
      onClose: () => {
        asking = null;
        resolve(isDone);
      },
    });
    signInForm(dialog.querySelector("[data-place]"), (reply) => {
      isDone = reply.user.id === page.user?.id;
      dialog.close();
      if (!isDone) location.reload();
    });
  });
  return asking;
}

if (page.user) onSessionEnd(askToSignIn);
showKeptToast();
