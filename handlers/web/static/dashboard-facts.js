// What happened around one attempt, in the server's order: facts, never a verdict. The student sees the same.

import { read } from "./api.js";
import { fill, html } from "./html.js";
import { countdown, hasWords, moment, t } from "./i18n.js";
import { banner } from "./states.js";

const AGAIN_MS = 1500;
const LISTED = 100;

function words({ kind, data }) {
  const key = `log.kind_${kind}`;
  const seconds = Number(data?.seconds);
  return `${hasWords(key) ? t(key) : kind}${seconds > 0 ? ` ${countdown(seconds * 1000)}` : ""}`;
}

export class Facts {
  constructor(place, attemptId) {
    Object.assign(this, { place, attemptId, timer: 0 });
    this.#read();
  }

  /** Read them again, soon. */
  renew() {
    this.timer ||= setTimeout(() => {
      this.timer = 0;
      if (this.place.isConnected) this.#read();
    }, AGAIN_MS);
  }

  async #read() {
    let markup;
    try {
      const { items } = await read(`/attempts/${encodeURIComponent(this.attemptId)}/integrity?page_size=${LISTED}`);
      markup = items.length
        ? html`<ol class="dash-log plain">${items.map((one) => html`<li><time class="muted small" datetime="${one.at}">${moment(one.at, "time-seconds")}</time> <span dir="auto">${words(one)}</span></li>`)}</ol>`
        : html`<p class="muted">${t("dashboard.log_empty")}</p>`;
    } catch (problem) {
      if (this.place.querySelector("ol")) return; // what is shown stays
      markup = banner("bad", problem.message || t("client.failed"));
    }
    fill(this.place, markup);
  }
}
