// After a quiz: goes on by itself once the grade is there; a grade that changes later is said, and waits for the reader.

import { read } from "./api.js";
import { fill, html } from "./html.js";
import { points, t } from "./i18n.js";
import { on, whenMissed } from "./line.js";
import { page } from "./page.js";
import { say } from "./say.js";
import { banner } from "./states.js";

function graded(data) {
  if (data.attempt_id !== page.data.attempt_id) return;
  if (page.data.is_waiting) {
    location.reload();
    return;
  }
  if (data.score === null || data.score === page.data.score) return;
  const before = page.data.score === null ? "…" : points(page.data.score);
  const words = t("results.changed", { before, after: points(data.score) });
  const place = document.getElementById("changed");
  const why = data.reason ? html`<span dir="auto">${data.reason}</span> ` : "";
  fill(place, banner("info", html`<p>${words} ${why}<a href="${location.pathname}">${t("results.show_changed")}</a></p>`));
  place.hidden = false;
  say(words);
}

async function look() {
  const attempt = await read(`/attempts/${encodeURIComponent(page.data.attempt_id)}`, { isQuiet: true });
  if (attempt.grading === "done" || attempt.grading === "manual") graded({ attempt_id: attempt.id, score: attempt.score });
}

on("attempt_graded", graded);
whenMissed(look);
if (page.data.is_waiting) setInterval(() => look().catch(() => {}), 5000);
