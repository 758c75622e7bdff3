// Rows of an editor that can be added to, taken from and moved, and the fields in them. What they mean is for who uses them.

import { fill, html, icon, make } from "./html.js";
import { letter, t } from "./i18n.js";

let count = 0;
/** An id or name that nothing else on the page has. */
export const nextId = () => `row-${++count}`;
/** A number as an author would type it. */
export const plain = (value) => (value === undefined || value === null ? "" : String(value).replace(/\.0+$/, ""));

function changed(place) {
  place.dispatchEvent(new Event("parts-changed", { bubbles: true }));
}

/** A list of rows that can be added to, taken from and moved. `rowOf(item)` makes Markup; `least` rows stay. */
export function rowList(place, { legend, hint = "", items, rowOf, least, addWords }) {
  fill(
    place,
    html`<fieldset class="field"><legend>${legend}</legend>${hint ? html`<p class="hint">${hint}</p>` : ""}<ol class="plain stack stack-8 rows"></ol></fieldset>
      <p><button type="button" class="button" data-add>${icon("plus")}${addWords}</button></p>`,
  );
  const list = place.querySelector(".rows");
  const add = (item) => {
    list.append(make(html`<li class="edit-row">${rowOf(item)}
      <span class="button-group"><button type="button" class="button button-square" data-row="up" aria-label="${t("question.row_up")}">${icon("up")}</button><button type="button" class="button button-square" data-row="down" aria-label="${t("question.row_down")}">${icon("down")}</button><button type="button" class="button button-square" data-row="remove" aria-label="${t("question.row_remove")}">${icon("remove")}</button></span></li>`));
    relabel(list);
  };
  items.forEach(add);
  place.querySelector("[data-add]").addEventListener("click", () => {
    add({});
    list.lastElementChild.querySelector("input[type=text], textarea").focus();
    changed(place);
  });
  list.addEventListener("click", (event) => {
    const button = event.target.closest("[data-row]");
    if (button) act(list, button, least);
  });
}

function act(list, button, least) {
  const row = button.closest("li");
  if (button.dataset.row === "remove") {
    if (list.children.length <= least) return;
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    next?.querySelector("input[type=text]")?.focus();
  } else if (button.dataset.row === "up") row.previousElementSibling?.before(row);
  else row.nextElementSibling?.after(row);
  if (row.isConnected) button.focus();
  relabel(list);
  changed(list);
}

function relabel(list) {
  [...list.children].forEach((row, index) => {
    for (const place of row.querySelectorAll("[data-letter]")) place.textContent = letter(index);
    for (const place of row.querySelectorAll("[data-label]")) place.setAttribute("aria-label", t(place.dataset.label, { place: letter(index) }));
  });
}

/** The rows of a list. */
export const rowsOf = (place) => [...place.querySelectorAll(".rows > li")];
/** What was typed into a row. */
export const valueOf = (row, name) => row.querySelector(`[data-name="${name}"]`)?.value.trim() ?? "";

/** A line of a row; `label` is a key of words with {place}. */
export function textInput(name, label, value, { wide = true, direction = "auto", mode = "text" } = {}) {
  return html`<input type="text" class="input${wide ? "" : " input-narrow"}" data-name="${name}" data-label="${label}" value="${value ?? ""}" dir="${direction}" inputmode="${mode}" placeholder="${t(`question.place_${name}`)}">`;
}
