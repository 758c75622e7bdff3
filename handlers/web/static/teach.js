// The editor: its forms are sending.js's, its lists are ordered by Up and Down. Not the editor of a question.

import { patch } from "./api.js";
import { clearErrors, showProblem } from "./forms.js";
import { page } from "./page.js";
import { say } from "./say.js";
import "./sending.js";
import { t } from "./i18n.js";

// ------------------------------------------------------------- Up and Down

function refreshMoves(list) {
  const rows = [...list.children];
  rows.forEach((row, index) => {
    row.querySelector(".lesson-number").textContent = String(index + 1);
    const [up, down] = row.querySelectorAll("[data-move]");
    up.toggleAttribute("aria-disabled", false);
    for (const [button, isEnd] of [[up, index === 0], [down, index === rows.length - 1]]) {
      if (isEnd) button.setAttribute("aria-disabled", "true");
      else button.removeAttribute("aria-disabled");
    }
  });
}

async function save(list, row) {
  if (list.id === "lesson-order") {
    const ids = [...list.children].map((one) => one.dataset.lessonId);
    await patch("/lessons/reorder", { course_id: page.data.course_id, lesson_ids: ids });
  } else {
    const order = [...list.children].indexOf(row) + 1;
    await patch(`/questions/${encodeURIComponent(row.dataset.questionId)}`, { order });
  }
}

let moving = Promise.resolve();

function move(button) {
  const row = button.closest("li");
  const list = row.parentElement;
  const isUp = button.dataset.move === "up";
  const other = isUp ? row.previousElementSibling : row.nextElementSibling;
  if (!other || button.getAttribute("aria-disabled") === "true") return;
  const before = [...list.children];
  if (isUp) other.before(row);
  else other.after(row);
  refreshMoves(list);
  button.focus();
  const place = [...list.children].indexOf(row) + 1;
  moving = moving
    .then(() => save(list, row))
    .then(() => say(t("teach.moved", { place, count: before.length })))
    .catch((problem) => {
      list.append(...before);
      refreshMoves(list);
      const holder = list.closest("section, .stack");
      clearErrors(holder);
      showProblem(holder, problem);
    });
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-move]");
  if (button && !button.closest("#question-form")) move(button);
});
