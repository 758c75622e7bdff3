// The recovery codes: a button that copies them. Keeping them as a file works without scripts.

import { t } from "./i18n.js";
import { say } from "./say.js";

const button = document.getElementById("codes-copy");
const told = document.getElementById("codes-told");

async function copy() {
  const codes = [...document.querySelectorAll("#codes code")].map((code) => code.textContent).join("\n");
  let words = t("client.copied");
  try {
    await navigator.clipboard.writeText(codes);
  } catch {
    words = t("client.not_copied");
  }
  told.textContent = words;
  say(words);
}

if (navigator.clipboard) {
  button.hidden = false;
  button.addEventListener("click", copy);
}
