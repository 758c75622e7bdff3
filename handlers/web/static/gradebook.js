// The gradebook while it is looked at: grades that come are written into their cells, at most every three seconds.

import { read } from "./api.js";
import { percent, points, t } from "./i18n.js";
import { follow, on } from "./line.js";
import { page } from "./page.js";
import { say } from "./say.js";
import { banner } from "./states.js";
import { fill, html } from "./html.js";

const EVERY_MS = 3000;
const courseId = page.data.course_id;
let isAwaited = false;

function write(cell, words) {
  const place = cell.querySelector("[data-points], strong") ?? cell;
  if (place.textContent === words) return false;
  place.textContent = words;
  return true;
}

/** False: the page shows something else than numbers there, so that it must be made anew. */
function show(row, student) {
  let isShown = true;
  for (const cell of row.querySelectorAll("[data-item]")) {
    const grade = student.grades[cell.dataset.item];
    const hasNumber = cell.querySelector("[data-points]") !== null;
    if (!grade || (grade.points !== null) !== hasNumber) isShown = false;
    else if (hasNumber) write(cell, points(grade.points));
  }
  const whole = row.querySelector("[data-whole]");
  if ((student.percentage !== null) !== (whole.querySelector("strong") !== null)) isShown = false;
  else if (student.percentage !== null) write(whole, percent(student.percentage));
  return isShown;
}

function tell() {
  const place = document.getElementById("changed");
  if (!place.hidden) return;
  const words = t("gradebook.changed");
  fill(place, banner("info", html`<p>${words} <a href="${location.href}">${t("gradebook.show_changed")}</a></p>`));
  place.hidden = false;
  say(words);
}

async function look() {
  isAwaited = false;
  const rows = [...document.querySelectorAll("[data-student]")];
  if (!rows.length) return;
  const asked = new URLSearchParams(rows.map((row) => ["student_ids", row.dataset.student]));
  const book = await read(`/courses/${encodeURIComponent(courseId)}/gradebook?${asked}`, { isQuiet: true });
  const students = new Map(book.students.map((one) => [one.student_id, one]));
  const isShown = rows.map((row) => students.has(row.dataset.student) && show(row, students.get(row.dataset.student)));
  if (isShown.includes(false)) tell();
}

function await_() {
  if (isAwaited) return;
  isAwaited = true;
  setTimeout(() => look().catch(tell), EVERY_MS);
}

for (const name of ["attempt_graded", "assignment_graded", "submission_received", "grade_changed", "grade_taken_back"]) on(name, await_);
on("gradebook_updated", tell);
follow(`course:${courseId}:staff`, { onReset: await_ });
