// The result of your own act: six seconds, held while the pointer or the focus is on it. Never for errors, never for
// what others did.

import { fill, html, icon, make } from "./html.js";
import { t } from "./i18n.js";
import { say } from "./say.js";

const LIFE_MS = 6000;
const UNDO_MS = 10000;

/** Show and speak the words; `undo` (a function) adds a button and keeps the toast for ten seconds. */
export function toast(words, { undo = null } = {}) {
  const box = make(html`<div class="toast">${icon("saved")}<span>${words}</span></div>`);
  let timer = 0;
  const close = () => {
    clearTimeout(timer);
    box.remove();
  };
  const start = () => {
    clearTimeout(timer);
    timer = setTimeout(close, undo ? UNDO_MS : LIFE_MS);
  };
  const hold = () => clearTimeout(timer);
  if (undo) {
    const button = make(html`<button type="button" class="button button-small">${t("client.undo")}</button>`);
    button.addEventListener("click", () => {
      close();
      undo();
    });
    box.append(button);
  }
  for (const name of ["pointerenter", "focusin"]) box.addEventListener(name, hold);
  for (const name of ["pointerleave", "focusout"]) box.addEventListener(name, start);
  const place = document.getElementById("toasts");
  while (place.childElementCount >= 3) place.firstElementChild.remove();
  place.append(box);
  start();
  say(words);
  return close;
}

const KEPT = "lms_toast";

/** Show the words on the page that comes next. */
export function toastAfter(words) {
  try {
    sessionStorage.setItem(KEPT, words);
  } catch {
    // A blocked store only costs the toast.
  }
}

/** Show what the page before left to be shown. */
export function showKeptToast() {
  try {
    const words = sessionStorage.getItem(KEPT);
    sessionStorage.removeItem(KEPT);
    if (words) toast(words);
  } catch {
    fill(document.getElementById("toasts"), html``);
  }
}
