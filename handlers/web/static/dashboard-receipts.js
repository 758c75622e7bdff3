// What was ordered and whom it has reached: the newest in one line, all in a dialog, and who has not seen one. It is read
// from the server, so that another device shows the same. Not for ordering (dashboard-orders.js).

import { read } from "./api.js";
import { openDialog } from "./dialog.js";
import { fill, html, icon, make } from "./html.js";
import { moment, number, t } from "./i18n.js";
import { minuteWords } from "./dashboard-orders.js";
import { page } from "./page.js";
import { banner } from "./states.js";

const AGAIN_MS = 400;
const LISTED = 50;
const line = document.getElementById("receipt");
const ICONS = { pause: "paused", resume: "video", extend: "clock", announce: "mail", end: "lock", correct: "edit" };
const path = `/quizzes/${encodeURIComponent(page.data.quiz_id)}/live/controls`;
const countOf = (value) => (Array.isArray(value) ? value.length : value);

/** A control in a few words. */
export function controlWords(control) {
  const values = { minutes: control.seconds ? minuteWords(control.seconds) : "", text: control.text ?? "" };
  const key = control.kind === "correct" && control.seconds ? "control_correct_time" : `control_${control.kind}`;
  return t(`dashboard.${key}`, values);
}

export class Receipts {
  constructor() {
    Object.assign(this, { controls: [], dialog: null, timer: 0, shown: "" });
    line?.addEventListener("click", (event) => event.target.closest("button") && this.#open());
  }

  /** A word of the channel that may concern a control. */
  hear(frame) {
    if (frame.event === "control_applied") this.renew();
    if (frame.event !== "receipts") return;
    const { control_id: id, applied, seen } = frame.data;
    const control = this.controls.find((one) => one.control_id === id);
    if (!control) this.renew();
    else {
      Object.assign(control, { applied_count: countOf(applied), seen_count: countOf(seen) });
      this.#paint();
    }
  }

  /** How the quiz stands for who would begin now: paused or ended for all, until it is resumed for all. */
  standing() {
    const decisive = this.controls.filter((one) => one.scope.kind === "all");
    const last = decisive.find((one) => ["pause", "resume", "end"].includes(one.kind));
    const lastHold = decisive.find((one) => ["pause", "resume"].includes(one.kind));
    return { isEnded: last?.kind === "end", isPaused: lastHold?.kind === "pause" };
  }

  /** Read them again, soon: several words at once are read for once. */
  renew() {
    if (!line || this.timer) return;
    this.timer = setTimeout(async () => {
      this.timer = 0;
      try {
        this.controls = (await read(`${path}?page_size=${LISTED}`)).items;
      } catch {
        return; // what is shown stays; the next word reads again
      }
      this.#paint();
    }, AGAIN_MS);
  }

  #paint() {
    const [newest] = this.controls;
    this.onChange?.();
    if (!newest) return;
    const words = this.#words(newest);
    // the button stays, or who opened the list by it would not be led back to it
    if (!line.firstElementChild) fill(line, html`<button type="button" class="button button-quiet dash-receipt-open"><i></i><span></span></button>`);
    if (this.shown !== newest.control_id) {
      this.shown = newest.control_id;
      line.querySelector("span").previousElementSibling.replaceWith(make(icon(ICONS[newest.kind])));
    }
    const place = line.querySelector("span");
    if (place.textContent !== words) place.textContent = words;
    if (this.dialog) this.#fillList();
  }

  #words(control) {
    return t("dashboard.receipt", { what: controlWords(control), seen: number(control.seen_count), applied: number(control.applied_count) });
  }

  #open() {
    this.dialog = openDialog({
      title: t("dashboard.receipts"),
      body: html`<ul class="dash-orders plain" data-orders></ul>`,
      onClose: () => {
        this.dialog = null;
      },
    });
    this.#fillList();
    this.dialog.addEventListener("click", (event) => {
      const button = event.target.closest("[data-unseen]");
      if (button) this.#showUnseen(button.closest("li"), button.dataset.unseen);
    });
  }

  /** A row stays as long as its control does: whoever was asked after beneath it stays in sight when another one comes. */
  #fillList() {
    const list = this.dialog.querySelector("[data-orders]");
    const rows = new Map([...list.children].map((row) => [row.dataset.control, row]));
    this.controls.forEach((one, n) => {
      const row = rows.get(one.control_id) ?? make(controlRow(one));
      rows.delete(one.control_id);
      if (list.children[n] !== row) list.insertBefore(row, list.children[n] ?? null);
      const isAll = one.seen_count >= one.applied_count;
      row.querySelector("[data-seen]").textContent = t("dashboard.seen", { seen: number(one.seen_count), applied: number(one.applied_count) });
      row.querySelector("[data-unseen]").hidden = isAll;
      if (isAll) row.querySelector("[data-rest]").replaceChildren();
    });
    for (const row of rows.values()) row.remove();
  }

  async #showUnseen(row, controlId) {
    const place = row.querySelector("[data-rest]");
    fill(place, html`<p class="muted small">${t("dashboard.loading")}</p>`);
    try {
      const { unseen } = await read(`${path}/${encodeURIComponent(controlId)}`);
      const rows = unseen.items ?? unseen;
      const more = (unseen.total ?? rows.length) - rows.length;
      fill(
        place,
        html`<h3 class="small">${t("dashboard.unseen")}</h3><ul class="dash-unseen">${rows.map((one) => html`<li dir="auto">${one.full_name}</li>`)}</ul>${more > 0 ? html`<p class="small muted">${t("dashboard.unseen_more", { count: more })}</p>` : ""}`,
      );
    } catch (problem) {
      fill(place, banner("bad", problem.message || t("client.failed")));
    }
  }
}

function controlRow(one) {
  const about = { time: moment(one.at, "time-seconds"), name: one.by_name, scope: scopeWords(one) };
  return html`<li data-control="${one.control_id}"><p class="row">${icon(ICONS[one.kind])}<strong dir="auto">${controlWords(one)}</strong></p>
      <p class="small muted">${t("dashboard.order_by", about)}${one.reason ? html` · <bdi>${one.reason}</bdi>` : ""}</p>
      <p class="row row-spread"><span data-seen></span><button type="button" class="button button-small" data-unseen="${one.control_id}">${t("dashboard.unseen_show")}</button></p><div data-rest></div></li>`;
}

function scopeWords({ scope, applied_count: count }) {
  if (scope?.kind === "group") return scope.group;
  return scope?.kind === "attempts" ? t("dashboard.scope_some", { count: scope.attempts_count ?? count }) : t("dashboard.scope_all");
}
