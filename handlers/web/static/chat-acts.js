// What can be done with a message: other words for one's own, taking it away, and (for teachers) muting who wrote it.

import { post } from "./api.js";
import { confirmAct, openDialog } from "./dialog.js";
import { showProblem } from "./forms.js";
import { fill, html } from "./html.js";
import { hasWords, t } from "./i18n.js";
import { live } from "./line.js";
import { banner } from "./states.js";
import { toast } from "./toast.js";

/** Why a command was refused, in words. */
export function wordsOf(refusal) {
  if (refusal.data?.muted_until) return t("chat.muted_short");
  const key = `errors.${refusal.code}`;
  return hasWords(key) && refusal.code !== "forbidden" ? t(key) : refusal.message;
}

function edit(message, node, rows) {
  const text = node.querySelector(".said-text");
  if (!text || node.querySelector("form")) return;
  const form = document.createElement("form");
  form.className = "stack stack-8";
  const id = `edit-${message.number}`;
  fill(form, html`<div class="field"><label for="${id}">${t("chat.write")}</label><textarea class="input" id="${id}" rows="3" maxlength="${rows.facts.most}" dir="auto" required></textarea></div>
    <div data-fault></div><p class="row"><button type="submit" class="button button-main button-small">${t("chat.save")}</button><button type="button" class="button button-small" data-cancel>${t("chat.cancel")}</button></p>`);
  const field = form.querySelector("textarea");
  field.value = message.text;
  const end = () => {
    form.remove();
    text.hidden = false;
    node.querySelector("[data-act=edit]")?.focus();
  };
  form.addEventListener("keydown", (event) => event.key === "Escape" && end());
  form.querySelector("[data-cancel]").addEventListener("click", end);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const fields = { message_id: message.id, text: field.value, mentions: message.mentions };
      const changed = await live.command("chat.edit", fields);
      end();
      rows.apply(changed);
    } catch (refusal) {
      fill(form.querySelector("[data-fault]"), banner("bad", wordsOf(refusal)));
    }
  });
  text.hidden = true;
  text.after(form);
  field.focus();
}

async function remove(message, node, fault) {
  const words = { title: t("chat.delete_title"), words: t("chat.delete_why"), action: t("chat.delete") };
  if (!(await confirmAct(words))) return;
  try {
    await live.insist("chat.delete", { message_id: message.id });
    toast(t("chat.deleted_done"));
  } catch (refusal) {
    fill(fault, banner("bad", wordsOf(refusal)));
  }
  document.getElementById("chat-text")?.focus();
}

function mute(message) {
  const dialog = openDialog({
    title: t("chat.mute_title", { name: message.sender_name }),
    body: html`<form class="stack stack-16"><p>${t("chat.mute_why")}</p>
      <div class="field"><label for="minutes">${t("chat.mute_minutes")}</label><input class="input input-short" id="minutes" name="minutes" type="number" min="1" max="43200" value="60" dir="ltr" required></div>
      <div class="field"><label for="reason">${t("chat.mute_reason")}</label><input class="input" id="reason" name="reason" maxlength="500" dir="auto" required></div>
      <div class="dialog-actions"><button type="button" class="button" data-close>${t("client.cancel")}</button><button type="submit" class="button button-main">${t("chat.mute")}</button></div></form>`,
  });
  const form = dialog.querySelector("form");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = { student_id: message.sender_id, minutes: Number(form.minutes.value), reason: form.reason.value };
    try {
      await post(`/courses/${encodeURIComponent(message.course_id)}/chat/mutes`, body);
      dialog.close();
      toast(t("chat.muted"));
    } catch (problem) {
      showProblem(form, problem);
    }
  });
}

/** Let the buttons of the rows do what they say; faults are shown in `fault`. */
export function followActs(rows, fault) {
  rows.list.addEventListener("click", (event) => {
    const button = event.target.closest("[data-act]");
    const known = rows.held.get(button?.closest("li")?.dataset.id);
    if (!known) return;
    fault.replaceChildren();
    if (button.dataset.act === "edit") edit(known.message, known.node, rows);
    else if (button.dataset.act === "delete") remove(known.message, known.node, fault);
    else if (button.dataset.act === "mute") mute(known.message);
  });
}
