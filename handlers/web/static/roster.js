// The roster while it is looked at: who enrols meanwhile waits behind a line, and the table stands still.

import { fill, html } from "./html.js";
import { t } from "./i18n.js";
import { follow, on } from "./line.js";
import { page } from "./page.js";
import { say } from "./say.js";
import { banner } from "./states.js";

const place = document.getElementById("new-students");
let count = 0;

follow(`course:${page.data.course_id}:staff`);
on("new_enrollment", (data) => {
  if (data.course_id !== page.data.course_id) return;
  count += 1;
  const words = t("teach.new_students", { count });
  fill(place, banner("info", html`<p>${words} <a href="${location.pathname}">${t("teach.show")}</a></p>`));
  place.hidden = false;
  if (count === 1) say(words);
});
