// Acting in somebody's place: the banner counts what is left by the server's clock, says once that a minute is left, and when it
// is over, or was ended elsewhere, the page goes to where the way back is. Without scripts the banner tells the time of the end.

import { countdown, t } from "./i18n.js";
import { page } from "./page.js";
import { say } from "./say.js";

const TOLD_MS = 60_000;

let isLeaving = false;

/** Go to the way back. Resolves never: the page that asked is left. */
export function leaveActing() {
  if (!isLeaving) location.assign("/acting");
  isLeaving = true;
  return new Promise(() => {});
}

if (page.user) {
  const tabs = new BroadcastChannel("lms-reader");
  tabs.addEventListener("message", ({ data }) => {
    const isOther = data.user_id !== page.user.id;
    if (isOther && (data.is_acting || page.acting) && !isLeaving) location.reload();
  });
  tabs.postMessage({ user_id: page.user.id, is_acting: Boolean(page.acting) });
}

if (page.acting) {
  const place = document.getElementById("acting-left");
  const shownMs = Date.now();
  const leftMs = () => page.acting.until_ms - page.server_time_ms - (Date.now() - shownMs);
  let isTold = leftMs() <= TOLD_MS;
  const tick = () => {
    const left = leftMs();
    if (place) place.textContent = t("client.acting_left", { time: countdown(left) });
    if (!isTold && left <= TOLD_MS) {
      isTold = true;
      say(t("client.acting_minute"));
    }
    if (left <= 0) leaveActing();
  };
  tick();
  setInterval(tick, 1000);
  // A form that ends it leads on by itself: the line that is cut by that must not lead elsewhere.
  document.addEventListener("submit", (event) => {
    isLeaving ||= !event.defaultPrevented;
  });
}
