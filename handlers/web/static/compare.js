// Somebody else has saved the same in the meantime (412): what stands in the fields is held against what is stored now, and both
// against what they began with. What only the others changed is taken over; where both did, both are seen, and who reads chooses.

import { fieldsOf, stateOf } from "./compare-fields.js";
import { drawn } from "./drawn.js";
import { clearErrors, describe, describeNoMore, fillMoments, showSummary } from "./forms.js";
import { html, icon, make } from "./html.js";
import { t } from "./i18n.js";

const SHORT = 80;

function idOf({ name, of }) {
  const control = of.control();
  control.id ||= `compared-${name}`;
  return control.id;
}

/** Take away what stands beside the fields. */
export function dropStored(form) {
  for (const block of form.querySelectorAll(".stored")) {
    const control = document.getElementById(block.dataset.of);
    if (control) describeNoMore(control, `${block.id}-words`);
    block.remove();
  }
}

function blockOf(field) {
  const { label, words, direction = "auto" } = field.of;
  const id = `stored-${field.name}`;
  const isShort = words.length <= SHORT && !words.includes("\n");
  const said = isShort && (words ? html` <bdi dir="${direction}">${words}</bdi>` : html` ${t("compare.nothing")}`);
  const name = t("compare.stored_of", { field: label });
  const long = !isShort && html`<div class="stored-words" tabindex="0" role="region" aria-label="${name}" dir="${direction}">${words}</div>`;
  return make(html`<div class="stored" id="${id}" data-of="${idOf(field)}">
    <p class="stored-said" id="${id}-words">${icon("conflict")}<span>${t("compare.stored")}${said}</span></p>${long}
    <p><button type="button" class="button button-small">${t("compare.take")}<span class="unseen"> <bdi>${label}</bdi></span></button></p></div>`);
}

function follow(field) {
  field.of.take();
  document.getElementById(idOf(field))?.dispatchEvent(new Event("input", { bubbles: true }));
}

function showStored(form, field) {
  const block = blockOf(field);
  if (field.of.after) field.of.after.after(block);
  else field.of.holder.append(block);
  describe(field.of.control(), `${block.id}-words`);
  block.querySelector("button").addEventListener("click", () => {
    describeNoMore(field.of.control(), `${block.id}-words`);
    block.remove();
    follow(field);
    field.of.control().focus();
  });
}

function listOf(key, fields) {
  const rows = fields.map((field) => html`<li><a href="#${idOf(field)}"><bdi>${field.of.label}</bdi></a></li>`);
  return rows.length > 0 && html`<p>${t(key)}</p><ul>${rows}</ul>`;
}

/** Take over what only others changed, show both where both did, and say so above the fields. */
export function settle(form, fields) {
  const news = fields.filter(({ base, mine, theirs }) => theirs !== base && mine !== theirs);
  const followed = news.filter(({ base, mine }) => mine === base);
  const clashes = news.filter((field) => !followed.includes(field));
  clearErrors(form);
  dropStored(form);
  followed.forEach(follow);
  for (const field of clashes) showStored(form, field);
  const lists = [listOf("compare.clashes", clashes), listOf("compare.followed", followed)];
  const end = t(news.length > 0 ? "compare.keeps" : "compare.elsewhere");
  showSummary(form, t("compare.title"), html`<h2>${icon("conflict")}${t("compare.title")}</h2>${lists}<p>${end}</p>`);
}

/** A form as the server made it, whatever the browser has put back into its fields since. */
function asMade(form) {
  const copy = form.cloneNode(true);
  copy.reset();
  fillMoments(copy);
  return copy;
}

/** What `enhance` asks for: how a form with a `data-version` stands to what the page would show of it now. */
export function comparisonOf(form) {
  let base = stateOf(asMade(form));
  return {
    state: () => stateOf(form),
    /** That was saved: now it is what both begin with. */
    remember(state) {
      base = state;
      dropStored(form);
    },
    /** False when there is nothing to compare with: the page cannot be had, or has no such form any more. */
    async show() {
      const page = await drawn(location.pathname + location.search).catch(() => null);
      const forms = [...(page?.querySelectorAll("form[data-version]") ?? [])];
      const fresh = forms.find((one) => one.dataset.path === form.dataset.path);
      if (!fresh) return false;
      fillMoments(fresh);
      const fields = fieldsOf(form, fresh, base);
      base = stateOf(fresh);
      form.dataset.version = fresh.dataset.version;
      settle(form, fields);
      return true;
    },
  };
}
