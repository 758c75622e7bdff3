// Opens the quiz room: from what the page brought, or, without a line, from what this device has kept. Everything else is in
// the files beside it; room-attempt.js puts them together.

import { registerWorker } from "./html.js";
import { t } from "./i18n.js";
import { monotonicMs } from "./live.js";
import { pageLive } from "./live-session.js";
import { page } from "./page.js";
import { Room } from "./room-attempt.js";
import { StatusLine } from "./room-status.js";
import { RoomStore } from "./room-store.js";
import { say } from "./say.js";

const byId = (id) => document.getElementById(id);

/** The clock by the page itself: its request left before the server looked at its time, and its reply came after. */
function primeClock(clock) {
  const [entry] = performance.getEntriesByType("navigation");
  if (!entry?.responseStart) return;
  const [t0, t3] = [performance.timeOrigin + entry.fetchStart, performance.timeOrigin + entry.responseStart];
  clock.take([{ t0, t1: page.server_time_ms, t2: page.server_time_ms, t3 }]);
}

async function open() {
  const live = pageLive({ isQuiet: true }); // nothing opens over a question by itself
  if (page.data.attempt) {
    primeClock(live.clock);
    const store = await RoomStore.open(page.data.attempt.id, page.user.id);
    const kept = await store.copy();
    await new Room({ ...page.data, marked: kept?.marked }, store, live).begin();
    registerShell();
    return;
  }
  const attemptId = decodeURIComponent(location.pathname.split("/")[2] ?? "");
  const store = await RoomStore.openLast(attemptId);
  const copy = await store.copy();
  if (!copy) {
    waitForLine();
    return;
  }
  if (copy.clock) {
    const offsetMs = copy.clock.offset_ms + (Date.now() - monotonicMs());
    live.clock.restore({ offsetMs, errorMs: copy.clock.error_ms });
  }
  byId("quiz-title").textContent = copy.attempt.quiz_title;
  byId("course-title").textContent = copy.course_title;
  for (const link of document.querySelectorAll("[data-leave]")) link.href = `/quizzes/${copy.attempt.quiz_id}`;
  await new Room({ ...copy, isCopy: true }, store, live).begin();
}

/** Without a line and without a copy: say so, and open as soon as there is a line. */
function waitForLine() {
  const words = t("room.no_copy");
  byId("question-heading").textContent = t("room.title");
  for (const id of ["moves", "aside", "mark"]) byId(id).hidden = true;
  new StatusLine(byId("status-line")).set("offline", t("room.shown_when"));
  byId("question-text").textContent = words;
  say(words);
  const look = () => fetch("/health", { cache: "no-store" }).then(() => location.reload(), () => {});
  addEventListener("online", look);
  setInterval(look, 3000);
}

async function registerShell() {
  if (!navigator.serviceWorker) return;
  try {
    await registerWorker();
    const { active } = await navigator.serviceWorker.ready;
    active.postMessage({ type: "keep", assets: page.data.assets });
  } catch {
    // Without it only a reload without a line is lost.
  }
}

addEventListener("pageshow", (event) => event.persisted && location.reload());
for (const link of document.querySelectorAll("[data-language]")) {
  link.addEventListener("click", () => {
    link.hash = location.hash;
  });
}
open();
