// A page of ours as the server draws it now, outside of what is shown: what is taken from it is what the server keeps.

import { fromServer, html, make } from "./html.js";

const TIMEOUT_MS = 15000;

/** All of the page at a path in one element; rejects when it is not shown, or another in its place. */
export async function drawn(path) {
  const reply = await fetch(path, { credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!reply.ok || reply.redirected) throw new Error("not shown");
  return make(html`<div>${fromServer(await reply.text())}</div>`);
}
