// Webhooks: made, changed, given a new secret. A secret is shown here once, and with the page it is gone.
// Testing, sending again, switching and removing are plain forms (sending.js).

import { comparisonOf } from "./compare.js";
import { enhance, valuesOf } from "./forms.js";
import { fill, html, icon } from "./html.js";
import { t } from "./i18n.js";
import { say } from "./say.js";
import { toast } from "./toast.js";

const place = document.getElementById("secret");

async function copy(input) {
  try {
    await navigator.clipboard.writeText(input.value);
    toast(t("webhooks.copied"));
  } catch {
    input.select();
  }
}

function showSecret(reply, isNew) {
  const link = isNew ? html`<p><a class="alone" href="/admin/webhooks/${reply.id}">${t("webhooks.open")}</a></p>` : "";
  fill(
    place,
    html`<div class="banner" data-tone="warn">${icon("lock")}<div class="stack stack-12 grow">
      <h2 tabindex="-1">${t(isNew ? "webhooks.made" : "webhooks.rotated")}</h2>
      <p>${t("webhooks.once")}</p>
      <div class="field"><label for="secret-text">${t("webhooks.secret")}</label>
        <input class="input" id="secret-text" readonly dir="ltr" value="${reply.secret}"></div>
      <p><button type="button" class="button" id="copy">${icon("copy")}${t("webhooks.copy")}</button></p>
      ${link}</div></div>`,
  );
  place.hidden = false;
  const input = place.querySelector("#secret-text");
  place.querySelector("#copy").addEventListener("click", () => copy(input));
  place.querySelector("h2").focus();
  say(t("webhooks.once"));
}

const AFTER = {
  make(reply, form) {
    form.reset();
    showSecret(reply, true);
  },
  rotate(reply) {
    for (const form of document.querySelectorAll("form[data-version]")) {
      // else somebody has changed it meanwhile, too: the form is still of what they changed
      if (reply.version === Number(form.dataset.version) + 1) form.dataset.version = reply.version;
    }
    showSecret(reply, false);
  },
  change(reply, form) {
    form.dataset.version = reply.version;
    toast(t("webhooks.saved"));
  },
};

for (const form of document.querySelectorAll("form[data-hook]")) {
  const kind = form.dataset.hook;
  enhance(form, AFTER[kind], {
    values: kind === "rotate" ? () => ({ rotate_secret: true }) : valuesOf,
    comparison: form.dataset.version ? comparisonOf(form) : null,
  });
}
