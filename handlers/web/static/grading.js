// Marking: Ctrl+Enter saves and goes on, levels add up to the points, and what is before one stays one's own while the page
// is open. Before a form goes the session is renewed if it has run out, and without a line it stays. In the queue what is handed in meanwhile waits behind a line.

import { post, read } from "./api.js";
import { fill, html } from "./html.js";
import { t } from "./i18n.js";
import { follow, on } from "./line.js";
import { page } from "./page.js";
import { say } from "./say.js";
import { banner } from "./states.js";

const KEEP_MS = 5 * 60 * 1000;
const form = document.getElementById("mark-form");
const place = document.getElementById("new-answers");

function sum() {
  const groups = [...form.querySelectorAll("fieldset")];
  const chosen = groups.map((group) => group.querySelector("input:checked"));
  if (groups.length === 0 || chosen.includes(null)) return;
  const hundredths = chosen.reduce((all, input) => all + Math.round(Number(input.dataset.points) * 100), 0);
  form.elements.points.value = (hundredths / 100).toFixed(2);
}

if (form) {
  form.addEventListener("change", (event) => {
    if (event.target.type === "radio") sum();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.repeat) return;
    event.preventDefault();
    form.requestSubmit(document.getElementById("save"));
  });
}

async function holdsSession() {
  try {
    await read("/auth/me");
    return true;
  } catch {
    return false;
  }
}

function tellUnsent() {
  const unsent = document.getElementById("unsent");
  fill(unsent, banner("warn", html`<p>${t("grading.unsent")}</p>`));
  unsent.hidden = false;
  say(t("grading.unsent"));
}

for (const one of document.querySelectorAll("main form[method=post]")) {
  let isSure = false;
  one.addEventListener("submit", async (event) => {
    if (isSure) return;
    event.preventDefault();
    isSure = await holdsSession();
    if (isSure) one.requestSubmit(event.submitter);
    else tellUnsent();
  });
}

if (page.data.is_mine) {
  const path = page.data.claim_path ?? `/grading-queue/${encodeURIComponent(page.data.item_id)}/claim`;
  setInterval(() => post(path).catch(() => {}), KEEP_MS);
}

if (place) {
  let count = 0;
  follow(`quiz:${page.data.quiz_id}:live`);
  on("attempt_submitted", () => {
    count += 1;
    const words = t("grading.new", { count });
    fill(place, banner("info", html`<p>${words} <a href="${location.href}">${t("grading.show")}</a></p>`));
    if (place.hidden) say(words);
    place.hidden = false;
  });
}
