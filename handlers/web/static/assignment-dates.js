// Other dates of an assignment, for one student or one group: the list is sent as a whole, with the version it belongs to.

import { patch } from "./api.js";
import { clearErrors, showProblem } from "./forms.js";
import { t } from "./i18n.js";
import { page } from "./page.js";
import { toastAfter } from "./toast.js";

const form = document.getElementById("date-form");
const path = form.dataset.path;

function plain(one) {
  const whom = one.group ? { group: one.group } : { student_id: one.student_id };
  const late = one.allow_late_submission === null ? {} : { allow_late_submission: one.allow_late_submission };
  return { ...whom, due_date: one.due_date, ...late };
}

async function send(overrides) {
  clearErrors(form);
  try {
    await patch(path, { overrides }, { ifMatch: page.data.version });
    toastAfter(t("teach.saved"));
    location.assign(location.pathname);
  } catch (problem) {
    showProblem(form, problem);
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const [kind, ...rest] = form.elements.whom.value.split(":");
  const name = rest.join(":");
  if (!name) return;
  const when = form.elements.other_date.value;
  const made = { ...(kind === "group" ? { group: name } : { student_id: name }), due_date: when ? new Date(when).toISOString() : null };
  const others = page.data.overrides.filter((one) => (kind === "group" ? one.group : one.student_id) !== name);
  send([...others.map(plain), made]);
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-drop-date]");
  if (!button) return;
  const place = Number(button.dataset.dropDate);
  send(page.data.overrides.filter((_, index) => index !== place).map(plain));
});
