// The page's voice: the only two live regions, there from the first byte. `say` waits its turn, `sayNow` does not.
// Not for what is merely shown: a score that moves is not spoken.

const regions = { polite: document.getElementById("say"), now: document.getElementById("say-now") };
const waiting = { polite: [], now: [] };
const timers = { polite: 0, now: 0 };

function speakNext(which) {
  const text = waiting[which].shift();
  timers[which] = text === undefined ? 0 : setTimeout(() => speakNext(which), 900);
  if (text === undefined || !regions[which]) return;
  // The same words again are heard only if the node is a new one.
  regions[which].replaceChildren(document.createTextNode(text));
}

function queue(which, text) {
  waiting[which].push(String(text));
  if (!timers[which]) timers[which] = setTimeout(() => speakNext(which), 60);
}

/** Speak when the screen reader is idle. */
export function say(text) {
  queue("polite", text);
}

/** Speak at once: for what changes what the hands may do (time up, taken over). */
export function sayNow(text) {
  queue("now", text);
}
