// Progress that moves while somebody watches: values change in place, nothing is spoken.

import { percent, t } from "./i18n.js";
import { on } from "./line.js";

/** Show an enrolment's progress wherever the page has it. */
export function showProgress(data) {
  for (const place of document.querySelectorAll(`[data-enrollment="${CSS.escape(data.enrollment_id)}"]`)) {
    const bar = place.querySelector("progress");
    if (bar) bar.value = Number(data.progress_percentage);
    const figure = place.querySelector(".slot bdi");
    if (figure) figure.textContent = percent(data.progress_percentage);
    const lessons = place.querySelector("[data-lessons]");
    if (lessons) {
      const [count, done] = [data.total_lessons_count, Number(data.completed_lessons_count)];
      lessons.textContent = count ? t("course.lessons_done", { count, done }) : t("course.no_lessons");
    }
  }
}

on("progress_updated", showProgress);
