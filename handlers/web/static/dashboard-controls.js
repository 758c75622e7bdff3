// The row of controls: counted, off while there is nobody to do it for or no line, one dialog each. Not for one student's
// controls (dashboard-drawer.js).

import { number, t } from "./i18n.js";
import { concerned, openOrder } from "./dashboard-orders.js";

const row = document.getElementById("controls");
const buttons = [...(row?.querySelectorAll("[data-order]") ?? [])];
const why = document.getElementById("controls-why");

export class Controls {
  constructor(scope, { onDone }) {
    this.scope = scope;
    row?.addEventListener("click", (event) => {
      const button = event.target.closest("[data-order]");
      if (!button || button.getAttribute("aria-disabled") === "true") return;
      const { value } = scope;
      openOrder(button.dataset.order, {
        rows: scope.rows(),
        words: (count) => scope.words(count),
        body: (rows) => scope.body(rows),
        isForAll: value === "all",
        onDone,
      });
    });
  }

  /** Count anew; `isOff` while the line is away. What stands for all can be taken back also while nobody sits the quiz. */
  paint(isOff, { isPaused, isEnded }) {
    if (!row) return;
    const isForAll = this.scope.value === "all";
    const always = { resume: isForAll && (isPaused || isEnded), pause: isForAll && !isPaused };
    const rows = this.scope.rows();
    for (const button of buttons) {
      const count = concerned(button.dataset.order, rows).length;
      const words = number(count);
      const place = button.querySelector(".dash-count");
      if (place.textContent !== words) place.textContent = words;
      const isIdle = isOff || (count === 0 && !always[button.dataset.order]);
      if (button.getAttribute("aria-disabled") !== String(isIdle)) button.setAttribute("aria-disabled", String(isIdle));
    }
    const words = isOff ? t("dashboard.controls_off") : "";
    if (why.textContent !== words) why.textContent = words;
  }
}
