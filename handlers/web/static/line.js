// The one live line of a page with a shell: the reader's own channel and `system` are always on, and the shell's word
// tells how it stands. Not for the quiz room, which has its own.

import { LiveClient } from "./live.js";
import { page } from "./page.js";
import { showConnection } from "./shell.js";

/** The page's live client. */
export const live = new LiveClient();

const listeners = new Map();
const seen = new Map();

function isNews({ data, channel }) {
  if (data.version === undefined) return true;
  const key = `${channel} ${data.enrollment_id ?? data.attempt_id ?? data.course_id ?? ""}`;
  const [version, n] = seen.get(key) ?? [-1, -1];
  if (data.version < version || (data.version === version && data.n <= n)) return false;
  seen.set(key, [data.version, data.n]);
  return true;
}

function deliver(frame) {
  if (!isNews(frame)) return;
  for (const listener of listeners.get(frame.event) ?? []) listener(frame.data, frame);
}

/** Call `listener(data)` for every event of this name on the channels that the page follows. */
export function on(event, listener) {
  if (!listeners.has(event)) listeners.set(event, new Set());
  listeners.get(event).add(listener);
}

/** Follow a channel besides the reader's own; `onSnapshot` when something was missed that cannot be had. */
export function follow(channel, { since = null, onSnapshot = null } = {}) {
  return live.subscribe(channel, { onEvent: deliver, onState: deliver, onSnapshot: onSnapshot ?? (async () => {}), since });
}

let onMissed = async () => {};

/** What to fetch when events of the reader's own channel were missed for good. */
export function whenMissed(refetch) {
  onMissed = refetch;
}

if (page.user) {
  live.addEventListener("open", () => showConnection("live"));
  live.addEventListener("offline", () => setTimeout(() => live.isOpen || showConnection("lost"), 2000));
  live.addEventListener("ended", () => showConnection("lost"));
  follow(`user:${page.user.id}`, { onSnapshot: () => onMissed() });
  follow("system");
  live.start();
}
