// What changed about one's work while a page shows it: said, and waiting behind a line for the reader.

import { fill, html } from "./html.js";
import { points, t } from "./i18n.js";
import { say } from "./say.js";
import { banner } from "./states.js";

/** A grade in words: how many of the points, where there are any to be had. */
export function gradeWords(data) {
  if (!Number(data.points)) return t("assignments.told_graded");
  return t("assignments.told", { grade: points(data.grade), points: points(data.points) });
}

/** Say it, beside a link to where it is shown. */
export function tell(words, address) {
  const place = document.getElementById("changed");
  fill(place, banner("info", html`<p>${words} <a href="${address}">${t("assignments.show")}</a></p>`));
  place.hidden = false;
  say(words);
}
