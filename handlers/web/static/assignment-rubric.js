// By what an assignment is graded: the editor of an essay's rubric. The best levels together become the points.

import { patch, read } from "./api.js";
import { settle } from "./compare.js";
import { partField, partSaid } from "./compare-fields.js";
import { clearErrors, showProblem } from "./forms.js";
import { page } from "./page.js";
import { rubricPart } from "./question-rubric.js";
import { t } from "./i18n.js";
import { toastAfter } from "./toast.js";

const form = document.getElementById("rubric-form");
const place = document.getElementById("rubric-rows");

function pointsOf(rubric) {
  const best = rubric.criteria.map((one) => Math.max(0, ...one.levels.map((level) => Math.round(Number(level.points) * 100))));
  return (best.reduce((all, points) => all + points, 0) / 100).toFixed(2);
}

/** How the rubric stands to the one that is stored now; false when that cannot be had. */
async function compare() {
  const now = await read(form.dataset.path).catch(() => null);
  if (!now) return false;
  const field = { name: "rubric", base, ...partField(rubricPart, place, now) };
  [base, version] = [field.theirs, now.version];
  settle(form, [field]);
  return true;
}

rubricPart.draw(place, { rubric: page.data.rubric });
let base = partSaid(rubricPart, place);
let { version } = page.data;
form.hidden = false;
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  clearErrors(form);
  const { rubric } = rubricPart.read(place);
  try {
    const change = rubric ? { rubric, points: pointsOf(rubric) } : { rubric: null };
    await patch(form.dataset.path, change, { ifMatch: version });
    toastAfter(t("teach.saved"));
    location.assign(location.pathname);
  } catch (problem) {
    if (problem.status !== 412 || !(await compare())) showProblem(form, problem);
  }
});
