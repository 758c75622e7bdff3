// The copy of one's data while it is being made: the page looks by itself whether it is there, and shows the link then. A live word
// makes it look at once; a closed account hears none, and looks from time to time. Without scripts there is a link to look again.

import { read } from "./api.js";
import { fill, html, icon } from "./html.js";
import { moment, t } from "./i18n.js";
import { say } from "./say.js";

const FIRST_MS = 2000;
const LAST_MS = 60_000;
const OPEN = ["waiting", "running"];
const place = document.getElementById("export");
let waitMs = FIRST_MS;
let timer = 0;

function show(copy) {
  place.dataset.status = copy.status;
  if (copy.status === "ready") {
    const until = html`<time datetime="${copy.expires_at}" data-kind="date-time">${moment(copy.expires_at)}</time>`;
    const link = html`<a class="button button-main" href="/me/security/export">${icon("download")}${t("export.fetch")}</a>`;
    fill(place, html`<p>${t("export.ready")} ${until}</p><div class="row">${link}</div>`);
    say(t("export.is_ready"));
  } else {
    place.querySelector("p").textContent = t(`export.${copy.status}`);
    if (!OPEN.includes(copy.status)) say(t(`export.${copy.status}`));
  }
}

async function look() {
  clearTimeout(timer);
  const copy = await read("/users/me/export", { isQuiet: true }).catch(() => null);
  if (copy && copy.status !== place.dataset.status) show(copy);
  if (OPEN.includes(place.dataset.status)) {
    waitMs = Math.min(waitMs * 2, LAST_MS);
    timer = setTimeout(look, waitMs);
  }
}

if (OPEN.includes(place?.dataset.status)) {
  timer = setTimeout(look, waitMs);
  if (document.getElementById("bell")) {
    const { on } = await import("./line.js");
    on("export_ready", look);
  }
}
