// The list of assignments: a grade that comes meanwhile is said, and waits for the reader.

import { fill, html } from "./html.js";
import { points, t } from "./i18n.js";
import { on } from "./line.js";
import { say } from "./say.js";
import { banner } from "./states.js";

on("assignment_graded", (data) => {
  const place = document.getElementById("changed");
  const words = Number(data.points) ? t("assignments.told", { grade: points(data.grade), points: points(data.points) }) : t("assignments.told_graded");
  fill(place, banner("info", html`<p>${words} <a href="${location.href}">${t("assignments.show")}</a></p>`));
  place.hidden = false;
  say(words);
});
