// The live client of a page: signed in by the page's session, which it prolongs. What it says and does stands in live.js.

import { post, Problem, refreshSession } from "./api.js";
import { ClosedError, LiveClient } from "./live.js";

const CLOSE_NOT_SIGNED_IN = 4501;

async function ticket(isQuiet) {
  try {
    return (await post("/auth/ws-ticket", {}, { isQuiet })).ticket;
  } catch (error) {
    const hasEnded = error instanceof Problem && error.status === 401;
    throw hasEnded ? new ClosedError(CLOSE_NOT_SIGNED_IN, error.code) : error;
  }
}

/** A client on the page's session that knows the server's clock; not started yet. `isQuiet`: it never asks to sign in. */
export function pageLive({ isQuiet = false } = {}) {
  const live = new LiveClient({ ticket: () => ticket(isQuiet), refresh: refreshSession });
  live.keepClock();
  return live;
}
