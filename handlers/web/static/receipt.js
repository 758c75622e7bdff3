// The receipt's page: checks it here, by the keys that came with the page, and files of receipts without asking anybody.
// The rules are in receipt-check.js.

import { read } from "./api.js";
import { fill, html } from "./html.js";
import { number, t } from "./i18n.js";
import { page } from "./page.js";
import { answerFindings, findingsOf, keysOf, unwrapped } from "./receipt-check.js";
import { say } from "./say.js";
import { banner, state } from "./states.js";

const MAX_FILE_BYTES = 16 * 1024 * 1024;
const MOST_SHOWN = 20;
const keys = keysOf(page.data.keys);
const own = page.data.attempt_id;
const place = document.getElementById("verdict");
const input = document.getElementById("receipt-file");

function words({ kind, first, last, place: where }) {
  const values = { first: number(first), last: number(last), place: where };
  return t(first && first !== last ? `receipt.found_${kind}_many` : `receipt.found_${kind}`, values);
}

function facts(receipt) {
  return t("receipt.is_of", {
    name: receipt.student.full_name,
    quiz: receipt.quiz.title,
    attempt: number(receipt.attempt.number),
  });
}

function show(element, found, whole, receipt) {
  if (!found.length) {
    fill(element, banner("ok", html`<p><strong>${whole}</strong></p>${receipt ? html`<p dir="auto">${facts(receipt)}</p>` : ""}`));
    say(whole);
    return;
  }
  const lines = found.slice(0, MOST_SHOWN).map((one) => html`<li data-kind="${one.kind}">${words(one)}</li>`);
  const title = t("receipt.broken");
  fill(element, banner("bad", html`<p><strong>${title}</strong></p><ul>${lines}</ul>`));
  say(`${title} ${found.slice(0, 3).map(words).join(" ")}`);
}

function showAnswers(differing) {
  for (const slot of document.querySelectorAll("[data-question]")) {
    const kind = differing.get(slot.dataset.question);
    const isEmpty = kind === undefined && slot.dataset.saved === "";
    if (isEmpty) continue;
    fill(slot, kind ? state("refused", t("receipt.answer_other")) : state("saved", t("receipt.answer_same")));
  }
}

/** Where the reader's own copy of the answers lies under what the receipt says. */
async function checkOwn() {
  const path = `/attempts/${encodeURIComponent(own)}`;
  const [receipt, attempt] = await Promise.all([read(`${path}/receipt`), read(path)]);
  const found = findingsOf(receipt, keys, own);
  const answers = Object.fromEntries(Object.entries(attempt.answers).map(([id, answer]) => [id, answer.value]));
  const differing = found.some((one) => one.kind === "not_receipt") ? new Map() : answerFindings(receipt, answers);
  showAnswers(differing);
  const other = [...differing].map(([id, kind]) => ({ kind, first: 0, last: 0, place: numberOf(id) }));
  show(place, [...found, ...other], t("receipt.holds_here"), null);
}

function numberOf(questionId) {
  return document.querySelector(`[data-question="${CSS.escape(questionId)}"]`)?.dataset.number ?? questionId;
}

async function textOf(file) {
  return file.size > MAX_FILE_BYTES ? "" : file.text();
}

function wholeWords(attemptId) {
  if (own === null) return "receipt.file_whole";
  return attemptId === own ? "receipt.file_holds" : "receipt.file_holds_other";
}

async function checkFile(file) {
  const element = document.getElementById("file-verdict");
  let receipt = null;
  try {
    receipt = unwrapped(JSON.parse(await textOf(file)));
  } catch {
    receipt = null;
  }
  const found = findingsOf(receipt, keys);
  show(element, found, t(wholeWords(found.length ? null : receipt.attempt.id)), receipt);
}

input.addEventListener("change", () => {
  if (input.files.length) checkFile(input.files[0]);
});
document.getElementById("file-check").hidden = false;
if (own !== null) {
  checkOwn().catch(() => {
    say(t("receipt.not_checked"));
  });
}
