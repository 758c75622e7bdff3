// A regrade on its way: how far it is, asked every second until it is over. Without scripts there is "Look again".

import { read } from "./api.js";
import { number, t } from "./i18n.js";
import { page } from "./page.js";
import { say } from "./say.js";

const MOVING = new Set(["applying", "undoing"]);
const EVERY_MS = 1000;
const { quiz_id: quizId, regrade_id: regradeId, status } = page.data;
const bar = document.getElementById("progress");
const words = document.getElementById("progress-words");

function show(regrade) {
  bar.max = regrade.total || 1;
  bar.value = regrade.done;
  words.textContent = t("regrade.done_of", { done: number(regrade.done), total: number(regrade.total) });
  for (const [name, count] of Object.entries(regrade.counts)) {
    const figure = document.getElementById(`count-${name}`);
    if (figure) figure.textContent = number(count);
  }
}

async function look() {
  try {
    const regrade = await read(`/quizzes/${quizId}/regrades/${regradeId}`);
    show(regrade);
    if (!MOVING.has(regrade.status)) {
      say(t("regrade.over"));
      location.replace(location.href);
      return;
    }
  } catch {
    // offline for a moment: the next look finds out
  }
  setTimeout(look, EVERY_MS);
}

if (regradeId && MOVING.has(status)) setTimeout(look, EVERY_MS);
