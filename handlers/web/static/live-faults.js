// What can go wrong for a client of the live protocol, and which close codes are for good. Part of live.js.

/** Refusals that pass by themselves: the same command may be done a little later. */
export const PASSING = new Set(["unavailable", "busy"]);

const LAST_OF_RFC_6455 = new Set([1002, 1007, 1009]);

/**
 * Does a close with this number say not to come back?
 * @param {number} code
 */
export function isFinal(code) {
  return (code >= 4500 && code < 5000) || LAST_OF_RFC_6455.has(code);
}

/**
 * Why a command was refused. `code` is the server's, or "offline": not answered, so whether it was done is not known, and
 * `data.why` says how ("lost", "timeout", "ended").
 */
export class Refusal extends Error {
  /** @param {{code: string, message?: string, fields?: object[], data?: Record<string, any>}} error */
  constructor(error) {
    super(error.message ?? error.code);
    this.name = "Refusal";
    this.code = error.code;
    this.fields = error.fields ?? [];
    this.data = error.data ?? {};
  }
}

/**
 * Not answered.
 * @param {"lost" | "timeout" | "ended"} why
 */
export function offline(why) {
  return new Refusal({ code: "offline", data: { why } });
}

/** The connection ended for good: a final close code, or a `ticket` or `token` function that threw this. */
export class ClosedError extends Error {
  /**
   * @param {number} code
   * @param {string} reason
   */
  constructor(code, reason) {
    super(`closed for good: ${code} ${reason}`);
    this.name = "ClosedError";
    this.code = code;
    this.reason = reason;
  }
}
