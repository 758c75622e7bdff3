// What the administrators' pages of figures share: asking every few seconds while somebody looks, and putting figures in place.
// Nothing is spoken. Without a line what is shown stays, and says of when it is.

import { fill } from "./html.js";
import { hasWords, number, t } from "./i18n.js";
import { page } from "./page.js";
import { tag } from "./states.js";

const TONES = { ok: "ok", degraded: "warn", down: "bad", unused: "" };
const MARKS = { ok: "saved", degraded: "alert", down: "refused", unused: "" };
export const QUIET = { isQuiet: true };
export const at = (id) => document.getElementById(id);

/** Change words only where they differ: what somebody has marked stays marked. */
export function set(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

/** 75 → "1 min"; null → "–". */
export function age(seconds) {
  if (seconds === null) return "–";
  if (seconds < 60) return t("admin.seconds", { count: Math.round(seconds) });
  const minutes = Math.round(seconds / 60);
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  const parts = hours ? [t("shell.hours", { count: hours })] : [];
  return [...parts, ...(rest || !hours ? [t("shell.minutes", { count: rest })] : [])].join(" ");
}

/** kind: "state" of one thing, or "status" of all. */
export function stateTag(kind, name) {
  return tag(t(`admin.${kind}_${name}`), TONES[name], MARKS[name]);
}

/** How something that the school leans on stands, in its row. */
export function showCheck(name, check) {
  const row = document.querySelector(`[data-check="${name}"]`);
  if (!row) return;
  const why = `admin.why_${name}_${check.state}`;
  set(row.querySelector('[data-part="why"]'), hasWords(why) ? t(why) : "");
  fill(row.querySelector('[data-part="state"]'), stateTag("state", check.state));
}

/** Put figures where `data-figure` names them; `shape` has those that are more than a number. */
export function showFigures(figures, shapes = {}) {
  for (const place of document.querySelectorAll("[data-figure]")) {
    const name = place.dataset.figure;
    if (name in figures) set(place, (shapes[name] ?? number)(figures[name]));
  }
}

/** Ask now and then while the page is seen, one at a time. */
export function keepAsking(refresh) {
  let isAsking = false;
  const ask = async () => {
    if (isAsking || document.hidden) return;
    isAsking = true;
    await refresh().finally(() => {
      isAsking = false;
    });
  };
  setInterval(ask, page.data.poll_ms);
  document.addEventListener("visibilitychange", ask);
}
