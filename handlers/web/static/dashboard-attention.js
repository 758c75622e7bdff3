// Who needs the teacher: at most one chip for each reason, which shows those students; one change is spoken in 30 s.

import { fill, html, icon } from "./html.js";
import { t } from "./i18n.js";
import { MARKS } from "./dashboard-marks.js";
import { say } from "./say.js";

const SPEAK_EVERY_MS = 30_000;
const ICONS = { urgent: "clock", long_away: "alert", conflict: "conflict", credit: "lost", stuck: "flag" };
const TONES = { conflict: "hold", credit: "warn", stuck: "warn" };
const place = document.getElementById("attention");

export class Attention {
  constructor({ onChoose }) {
    this.shown = "";
    this.spoken = "";
    this.spokenAtMs = -Infinity;
    place.addEventListener("click", (event) => {
      const chip = event.target.closest("[data-filter]");
      if (chip) onChoose(chip.dataset.filter);
    });
  }

  paint(counts, filter) {
    const marks = MARKS.filter((name) => counts[name] > 0);
    const wanted = `${marks.map((name) => `${name} ${counts[name]}`).join()} ${filter}`;
    if (wanted === this.shown) return;
    this.shown = wanted;
    if (place.childElementCount === marks.length && marks.every((name, n) => place.children[n].firstElementChild.dataset.filter === name)) {
      marks.forEach((name, n) => this.#renew(place.children[n].firstElementChild, name, counts[name], filter));
    } else this.#draw(marks, counts, filter);
    this.#speak(marks, counts);
  }

  #draw(marks, counts, filter) {
    const focused = document.activeElement?.closest?.("#attention [data-filter]")?.dataset.filter;
    fill(
      place,
      marks.length
        ? html`${marks.map((name) => html`<li><button type="button" class="chip dash-chip" data-filter="${name}" data-tone="${TONES[name] ?? "bad"}">${icon(ICONS[name])}<span></span></button></li>`)}`
        : html`<li class="dash-calm muted">${icon("saved")}<span>${t("dashboard.calm")}</span></li>`,
    );
    for (const chip of place.querySelectorAll("[data-filter]")) this.#renew(chip, chip.dataset.filter, counts[chip.dataset.filter], filter);
    if (focused) (place.querySelector(`[data-filter="${focused}"]`) ?? document.querySelector('#filters [data-filter="all"]')).focus();
  }

  #renew(chip, name, count, filter) {
    chip.querySelector("span").textContent = t(`dashboard.mark_${name}`, { count });
    chip.setAttribute("aria-pressed", String(filter === name));
  }

  /** The newest change waits until its half minute has come; a calmer class is not worth a word. */
  #speak(marks, counts) {
    this.words = marks.map((name) => t(`dashboard.mark_${name}`, { count: counts[name] })).join(". ");
    if (this.timer) return;
    const waitMs = Math.max(0, this.spokenAtMs + SPEAK_EVERY_MS - performance.now());
    this.timer = setTimeout(() => {
      this.timer = 0;
      if (this.words === this.spoken) return;
      this.spoken = this.words;
      if (!this.words) return;
      this.spokenAtMs = performance.now();
      say(this.words);
    }, waitMs);
  }
}
