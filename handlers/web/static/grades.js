// One's own grades while they are looked at: what changes is said, and waits for the reader.

import { read } from "./api.js";
import { fill, html } from "./html.js";
import { t } from "./i18n.js";
import { on, whenMissed } from "./line.js";
import { page } from "./page.js";
import { say } from "./say.js";
import { banner } from "./states.js";

const place = document.getElementById("changed");
const { course_id: courseId, shown } = page.data;

function isAsShown(grades) {
  if (grades.percentage !== shown.percentage) return false;
  if (grades.items.length !== Object.keys(shown.grades).length) return false;
  return grades.items.every(({ item_id: id, grade }) => {
    const [state, points] = shown.grades[id] ?? [];
    return grade.state === state && grade.points === points;
  });
}

async function look() {
  if (!place.hidden) return;
  const grades = await read(`/courses/${encodeURIComponent(courseId)}/grades`, { isQuiet: true });
  if (isAsShown(grades) || !place.hidden) return;
  const words = t("gradebook.changed");
  fill(place, banner("info", html`<p>${words} <a href="${location.pathname}">${t("gradebook.show_changed")}</a></p>`));
  place.hidden = false;
  say(words);
}

for (const name of ["attempt_graded", "assignment_graded", "grade_changed", "grade_taken_back"]) on(name, () => look().catch(() => {}));
whenMissed(look);
