// Small parts with icon, word and edge, as states.html makes them on the server: told apart without colour.

import { html, icon } from "./html.js";

/** kind: saving, saved, waiting, conflict, refused, late, paused. */
export function state(kind, words) {
  return html`<span class="state" data-state="${kind}">${icon(kind)}<span>${words}</span></span>`;
}

/** tone: ok, warn, bad, info, hold or "". */
export function tag(words, tone = "", name = "") {
  return html`<span class="tag" data-tone="${tone}">${name ? icon(name) : ""}${words}</span>`;
}

const TONE_ICONS = { ok: "saved", warn: "alert", bad: "refused", hold: "paused", info: "info" };

/** A lasting condition; goes with it. `words` is text or Markup. */
export function banner(tone, words) {
  return html`<div class="banner" data-tone="${tone}">${icon(TONE_ICONS[tone] ?? "info")}<div>${words}</div></div>`;
}
