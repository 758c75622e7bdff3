// The roster while it is looked at: who enrols meanwhile waits behind a line, and the table stands still.

import { read } from "./api.js";
import { fill, html } from "./html.js";
import { t } from "./i18n.js";
import { follow, on } from "./line.js";
import { page } from "./page.js";
import { say } from "./say.js";
import { banner } from "./states.js";

const place = document.getElementById("new-students");
const { course_id: courseId } = page.data;
const known = new Set();
let count = 0;

function tell(news) {
  if (news <= count) return;
  if (count === 0) say(t("teach.new_students", { count: news }));
  count = news;
  const words = t("teach.new_students", { count });
  fill(place, banner("info", html`<p>${words} <a href="${location.pathname}">${t("teach.show")}</a></p>`));
  place.hidden = false;
}

/** Who came before the line stood, or while it was lost. Their word may come yet, and is no other. */
async function catchUp() {
  const { items, total } = await read(`/courses/${encodeURIComponent(courseId)}/students?sort=-enrolled_at`, { isQuiet: true });
  const news = Math.max(0, total - page.data.total);
  for (const one of items.slice(0, news)) known.add(one.enrollment_id);
  tell(news);
}

follow(`course:${courseId}:staff`, { onReset: catchUp });
on("new_enrollment", (data) => {
  if (data.course_id === courseId && !known.has(data.enrollment_id)) tell(count + 1);
});
