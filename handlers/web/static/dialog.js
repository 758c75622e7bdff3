// Dialogs and the drawer: native <dialog>, so that Esc closes and the rest of the page is out of reach. Focus returns to
// the opener. Never opened by a live event.

import { fill, html, icon, make } from "./html.js";
import { t } from "./i18n.js";

let count = 0;

/** Open a dialog and give back its element. `body` is Markup; kind: dialog, drawer, "dialog sheet". */
export function openDialog({ title, body, kind = "dialog", onClose = null }) {
  const id = `dialog-${++count}`;
  const opener = document.activeElement;
  const dialog = make(html`<dialog class="${kind}" aria-labelledby="${id}">
    <div class="dialog-body">
      <div class="dialog-head">
        <h2 id="${id}" tabindex="-1">${title}</h2>
        <button type="button" class="button button-quiet button-square" data-close aria-label="${t("client.close")}">${icon("close")}</button>
      </div>
      <div class="stack dialog-content"></div>
    </div>
  </dialog>`);
  fill(dialog.querySelector(".dialog-content"), body);
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-close]")) dialog.close();
  });
  dialog.addEventListener("close", () => {
    // this event comes a little after the closing: what has taken the focus meanwhile keeps it
    const isFree = document.activeElement === document.body || dialog.contains(document.activeElement);
    dialog.remove();
    if (isFree && opener?.isConnected) opener.focus();
    onClose?.(dialog.returnValue);
  });
  document.body.append(dialog);
  dialog.showModal();
  (dialog.querySelector("[autofocus]") ?? dialog.querySelector("h2")).focus();
  return dialog;
}

/** Ask before what cannot be undone. Resolves true only for the confirming button. `typed`: text to be typed first. */
export function confirmAct({ title, words, action, typed = "" }) {
  return new Promise((resolve) => {
    const field = typed
      ? html`<div class="field"><label for="confirm-typed">${t("client.type_to_confirm", { text: typed })}</label>
          <input class="input input-medium" id="confirm-typed" autocomplete="off" dir="auto"></div>`
      : "";
    const dialog = openDialog({
      title,
      body: html`<p>${words}</p>${field}<div class="dialog-actions">
        <button type="button" class="button" data-close>${t("client.cancel")}</button>
        <button type="button" class="button button-danger" data-confirm>${action}</button></div>`,
      onClose: (value) => resolve(value === "confirmed"),
    });
    dialog.querySelector("[data-confirm]").addEventListener("click", () => {
      const input = dialog.querySelector("#confirm-typed");
      if (input && input.value.trim() !== typed) {
        input.setAttribute("aria-invalid", "true");
        input.focus();
        return;
      }
      dialog.close("confirmed");
    });
  });
}
