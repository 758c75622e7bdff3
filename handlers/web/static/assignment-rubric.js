// By what an assignment is graded: the editor of an essay's rubric. The best levels together become the points.

import { patch } from "./api.js";
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

rubricPart.draw(place, { rubric: page.data.rubric });
form.hidden = false;
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  clearErrors(form);
  const { rubric } = rubricPart.read(place);
  try {
    const change = rubric ? { rubric, points: pointsOf(rubric) } : { rubric: null };
    await patch(form.dataset.path, change, { ifMatch: page.data.version });
    toastAfter(t("teach.saved"));
    location.assign(location.pathname);
  } catch (problem) {
    showProblem(form, problem);
  }
});
