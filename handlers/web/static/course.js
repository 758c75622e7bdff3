// A course's page: says that the course was changed, and changes nothing by itself.

import { follow, on } from "./line.js";
import { page } from "./page.js";
import { say } from "./say.js";

const banner = document.getElementById("changed");

if (page.data.is_enrolled) {
  follow(`course:${page.data.course_id}`);
  on("course_updated", (data) => {
    if (data.course_id !== page.data.course_id || !banner.hidden) return;
    banner.hidden = false;
    say(banner.textContent.trim());
  });
}
