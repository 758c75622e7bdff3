// The one live line of a page with a shell: the reader's own channel and `system` are always on, and the shell's word
// tells how it stands. Not for the quiz room, which has its own.

import { leaveActing } from "./acting.js";
import { t } from "./i18n.js";
import { Ear } from "./live.js";
import { pageLive } from "./live-session.js";
import { page } from "./page.js";
import { say } from "./say.js";
import { showConnection } from "./shell.js";

const LATENESS_TOLD_MS = 1000; // after its welcome a line says whether live events are late

/** The page's live client. */
export const live = pageLive();

const listeners = new Map();

function deliver(frame) {
  for (const listener of listeners.get(frame.event) ?? []) listener(frame.data, frame);
}

/** Call `listener(data)` for every event of this name on the channels that the page follows. */
export function on(event, listener) {
  if (!listeners.has(event)) listeners.set(event, new Set());
  listeners.get(event).add(listener);
}

/** Follow a channel besides the reader's own; `onReset` when something was missed that cannot be had. */
export function follow(channel, { onReset = null } = {}) {
  live.subscribe(new Ear(channel, { onEvent: deliver, onState: deliver, onReset }));
}

const refetches = new Set();

/** What to fetch when events of the reader's own channel were missed for good. */
export function whenMissed(refetch) {
  refetches.add(refetch);
}

const showLine = () => showConnection(live.isDegraded ? "late" : "live");
let isLate = false;

/** Live events are late, or in time again: shown in the shell, and spoken once. */
function tellLateness() {
  if (!live.isUp) return;
  showLine();
  if (live.isDegraded === isLate) return;
  isLate = live.isDegraded;
  say(t(isLate ? "client.late" : "client.late_over"));
}

if (page.user) {
  live.addEventListener("open", () => {
    showLine();
    setTimeout(tellLateness, LATENESS_TOLD_MS);
  });
  live.addEventListener("notice", ({ detail }) => ["degraded", "restored"].includes(detail.type) && tellLateness());
  live.addEventListener("offline", () => setTimeout(() => live.isUp || showConnection("lost"), 2000));
  live.addEventListener("ended", () => (page.acting ? leaveActing() : showConnection("lost")));
  follow(`user:${page.user.id}`, { onReset: () => Promise.all([...refetches].map((refetch) => refetch())) });
  follow("system");
  live.start();
}
