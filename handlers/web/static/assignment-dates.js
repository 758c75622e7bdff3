// Other dates of an assignment, for one student or one group: the list is sent as a whole, with the version it belongs to.

import { patch } from "./api.js";
import { drawn } from "./drawn.js";
import { clearErrors, showProblem, showSummary } from "./forms.js";
import { html, icon } from "./html.js";
import { t } from "./i18n.js";
import { page } from "./page.js";
import { toastAfter } from "./toast.js";

const form = document.getElementById("date-form");
const path = form.dataset.path;
let { overrides: stored, version } = page.data;

function plain(one) {
  const whom = one.group ? { group: one.group } : { student_id: one.student_id };
  const late = one.allow_late_submission === null ? {} : { allow_late_submission: one.allow_late_submission };
  return { ...whom, due_date: one.due_date, ...late };
}

/** Show what is stored now, if somebody else has changed it; false when that cannot be had. What was asked for is not done. */
async function compare() {
  const now = await drawn(location.pathname + location.search).catch(() => null);
  const [list, data] = [now?.querySelector("#date-list"), now?.querySelector("#page-data")];
  if (!list || !data) return false;
  document.getElementById("date-list").replaceWith(document.importNode(list, true));
  ({ overrides: stored, version } = JSON.parse(data.textContent).data);
  showSummary(form, t("compare.title"), html`<h2>${icon("conflict")}${t("compare.title")}</h2><p>${t("compare.dates")}</p>`);
  return true;
}

async function send(overrides) {
  clearErrors(form);
  try {
    await patch(path, { overrides }, { ifMatch: version });
    toastAfter(t("teach.saved"));
    location.assign(location.pathname);
  } catch (problem) {
    if (problem.status !== 412 || !(await compare())) showProblem(form, problem);
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const [kind, ...rest] = form.elements.whom.value.split(":");
  const name = rest.join(":");
  if (!name) return;
  const when = form.elements.other_date.value;
  const made = { ...(kind === "group" ? { group: name } : { student_id: name }), due_date: when ? new Date(when).toISOString() : null };
  const others = stored.filter((one) => (kind === "group" ? one.group : one.student_id) !== name);
  send([...others.map(plain), made]);
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-drop-date]");
  if (!button) return;
  const place = Number(button.dataset.dropDate);
  send(stored.filter((_, index) => index !== place).map(plain));
});
