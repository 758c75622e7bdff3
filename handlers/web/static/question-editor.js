// The editor of one question: common fields here, the part that differs by type in question-parts.js. What is typed is
// previewed beside it in both directions; the server decides what is right.

import { call, read, remove } from "./api.js";
import { settle } from "./compare.js";
import { fieldsOf, partField, partSaid, stateOf } from "./compare-fields.js";
import { confirmAct } from "./dialog.js";
import { clearErrors, showProblem, westernDigits } from "./forms.js";
import { fill, html, icon } from "./html.js";
import { t } from "./i18n.js";
import { leaving, page } from "./page.js";
import { partOf } from "./question-parts.js";
import { preview } from "./question-preview.js";
import { toastAfter } from "./toast.js";

const form = document.getElementById("question-form");
const type = page.data.question_type;
const back = `/teach/quizzes/${encodeURIComponent(page.data.quiz_id)}`;
const part = partOf(type);
let stored = page.data.question;

function field(name, label, control, hint = "") {
  const note = hint ? html`<p class="hint" id="${name}-hint">${hint}</p>` : "";
  return html`<div class="field"><label for="${name}">${label}</label>${note}${control}</div>`;
}

/** The common fields of a question, and the place of its part. */
function draw(target, question) {
  const value = (name) => question?.[name] ?? "";
  const points =
    type === "description"
      ? ""
      : field(
          "points",
          t("question.points"),
          html`<input class="input input-short" id="points" name="points" inputmode="decimal" data-kind="decimal" dir="ltr" value="${question ? Number(question.points) : 1}">`,
        );
  return fill(
    target,
    html`
      ${field("question_text", t("question.text"), html`<textarea class="input" id="question_text" name="question_text" rows="5" dir="auto" required aria-describedby="question_text-hint">${value("question_text")}</textarea>`, t("teach.markdown"))}
      <div id="part" class="stack stack-16" data-apart></div>
      <div class="fields fields-two">
        ${points}
        ${field("category", t("question.category"), html`<input class="input" id="category" name="category" maxlength="200" dir="auto" value="${value("category")}">`)}
        ${field("title", t("question.title"), html`<input class="input" id="title" name="title" maxlength="200" dir="auto" value="${value("title")}" aria-describedby="title-hint">`, t("question.title_hint"))}
        ${field("tags", t("teach.tags"), html`<input class="input" id="tags" name="tags" data-kind="list" dir="auto" value="${(question?.tags ?? []).join(", ")}" aria-describedby="tags-hint">`, t("teach.tags_hint"))}
      </div>
      ${type === "description" ? "" : field("explanation", t("question.explanation"), html`<textarea class="input" id="explanation" name="explanation" rows="3" dir="auto" aria-describedby="explanation-hint">${value("explanation")}</textarea>`, t("question.explanation_hint"))}
      <p class="row"><button type="submit" class="button button-main">${t("teach.save")}</button><a class="button" href="${back}">${t("client.cancel")}</a>
        ${question ? html`<button type="button" class="button button-danger" id="remove">${icon("remove")}${t("question.remove")}</button>` : ""}</p>`,
  );
}

function control(name) {
  return form.elements.namedItem(name);
}

function draft() {
  const optional = (name) => control(name)?.value.trim() || null;
  const common = {
    question_text: control("question_text").value,
    title: optional("title"),
    category: optional("category"),
    tags: control("tags").value.split(/[,،]/).map((tag) => tag.trim()).filter(Boolean),
  };
  if (type === "description") return common;
  return { ...common, explanation: optional("explanation"), points: westernDigits(control("points").value || "0"), ...part.read(place) };
}

/** How the question stands to the one that is stored now; false when that cannot be had. */
async function compare() {
  const now = await read(`/questions/${encodeURIComponent(stored.id)}`).catch(() => null);
  if (!now) return false;
  const theirs = partField(part, place, now);
  const fields = [...fieldsOf(form, draw(document.createElement("form"), now), base), { name: "part", base: basePart, ...theirs }];
  base = Object.fromEntries(fields.map((one) => [one.name, one.theirs]));
  basePart = theirs.theirs;
  stored = now;
  settle(form, fields);
  show();
  return true;
}

async function save(event) {
  event.preventDefault();
  if (form.dataset.isRunning) return;
  form.dataset.isRunning = "yes";
  clearErrors(form);
  try {
    const body = draft();
    if (stored) {
      const saved = await call("PATCH", `/questions/${encodeURIComponent(stored.id)}`, body, { ifMatch: stored.version });
      if (saved.regrade_offered) {
        // somebody has sat it by the old key: who would gain and lose is on the next page
        toastAfter(t("question.saved"));
        await leaving(() => location.assign(`/teach/quizzes/${encodeURIComponent(page.data.quiz_id)}/regrade`));
        return;
      }
    } else {
      await call("POST", `/quizzes/${encodeURIComponent(page.data.quiz_id)}/questions`, { ...body, question_type: type });
    }
    toastAfter(t("question.saved"));
    await leaving(() => location.assign(back));
  } catch (problem) {
    if (problem.status !== 412 || !(await compare())) showProblem(form, problem);
  } finally {
    delete form.dataset.isRunning;
  }
}

async function removeQuestion() {
  const isSure = await confirmAct({
    title: t("question.remove"),
    words: t("question.remove_why"),
    action: t("teach.delete"),
  });
  if (!isSure) return;
  try {
    await remove(`/questions/${encodeURIComponent(stored.id)}`, { ifMatch: stored.version });
    toastAfter(t("question.removed"));
    location.assign(back);
  } catch (problem) {
    showProblem(form, problem);
  }
}

function show() {
  preview(document.getElementById("preview"), { type, text: control("question_text").value, stored, shown: part.shown(place) });
}

draw(form, stored);
const place = form.querySelector("#part");
part.draw(place, stored);
let base = stateOf(form);
let basePart = stored && partSaid(part, place);
form.dataset.drawn = "yes";
show();
form.noValidate = true;
form.addEventListener("submit", save);
form.addEventListener("input", show);
form.addEventListener("parts-changed", show);
form.querySelector("#remove")?.addEventListener("click", removeQuestion);
