// Calls of the REST API from a page: CSRF header, problem details as errors, one silent refresh when the access token
// has ended, then sign-in in place. Not for the live socket (live.js).

import { cookie, page } from "./page.js";
import { t } from "./i18n.js";

const ROOT = "/api/v1";
const TIMEOUT_MS = 15000;
const ENDED = new Set(["unauthenticated", "token_expired", "token_revoked", "invalid_token"]);

/** What the server refused, or that it could not be reached (code "offline", status 0). */
export class Problem extends Error {
  constructor(body, status) {
    super(body.detail || body.title || t("client.failed"));
    this.name = "Problem";
    this.status = status;
    this.code = body.code ?? "unavailable";
    this.title = body.title ?? "";
    this.errors = body.errors ?? [];
    this.requestId = body.request_id ?? "";
    this.data = body;
  }
}

/** What proves that a call comes from a page of ours. */
export function csrfToken() {
  return cookie(page.csrf_cookie || "lms_csrf") || cookie("lms_csrf") || cookie("__Host-lms_csrf");
}

function headersOf(method, body, options) {
  const headers = new Headers(options.headers);
  headers.set("Accept", "application/json");
  if (method !== "GET") headers.set("X-CSRF-Token", csrfToken());
  if (body !== undefined && !(body instanceof FormData) && typeof body !== "string") {
    headers.set("Content-Type", "application/json");
  }
  if (options.ifMatch !== undefined && options.ifMatch !== null) headers.set("If-Match", `"${options.ifMatch}"`);
  if (options.idempotencyKey) headers.set("Idempotency-Key", options.idempotencyKey);
  return headers;
}

async function send(method, path, body, options) {
  const isPlain = body === undefined || body instanceof FormData || typeof body === "string";
  const signals = [AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS)];
  if (options.signal) signals.push(options.signal);
  try {
    return await fetch(`${ROOT}${path}`, {
      method,
      headers: headersOf(method, body, options),
      body: isPlain ? body : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
      keepalive: options.keepalive ?? false,
      signal: AbortSignal.any ? AbortSignal.any(signals) : signals.at(-1),
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Problem({ code: "offline", detail: t("client.offline") }, 0);
  }
}

function unwrapped(data) {
  if (data === null || typeof data !== "object" || typeof data.success !== "boolean") return data;
  if (!data.success) return { detail: data.message, ...data.error };
  const isList = Array.isArray(data.data) && data.meta;
  return isList ? { items: data.data, ...data.meta } : data.data;
}

async function parsed(response) {
  const text = await response.text();
  if (!text) return null;
  try {
    return unwrapped(JSON.parse(text));
  } catch {
    return { detail: t("client.failed") };
  }
}

const LATER = new Set([429, 503]); // says nothing about the session

let refreshing = null;

async function refreshOnce() {
  const response = await send("POST", "/auth/refresh-cookie", {}, {});
  if (LATER.has(response.status)) throw new Problem((await parsed(response)) ?? {}, response.status);
  return response.ok;
}

function refreshedTogether() {
  if (page.acting) return Promise.resolve(false); // a session in somebody's place is not made longer
  refreshing ??= (navigator.locks ? navigator.locks.request("lms-refresh", refreshOnce) : refreshOnce()).finally(() => {
    refreshing = null;
  });
  return refreshing;
}

/** Get a new access token by the refresh cookie; calls at the same time share one request, tabs wait for each other. */
export function refreshSession() {
  return refreshedTogether().catch(() => false);
}

let askToSignIn = null;

/** The shell says here how to sign in without leaving the page: a function that resolves true once it is done. */
export function onSessionEnd(ask) {
  askToSignIn = ask;
}

async function revived(options) {
  if (await refreshedTogether()) return true; // what cannot be asked now is thrown: the session may well hold
  return !options.keepalive && !options.isQuiet && askToSignIn !== null && (await askToSignIn());
}

/**
 * One call. Resolves to the reply's JSON (null for 204), rejects with a Problem.
 * options: ifMatch, idempotencyKey, signal, keepalive, timeoutMs, headers, isQuiet (never ask to sign in).
 */
export async function call(method, path, body = undefined, options = {}) {
  let response = await send(method, path, body, options);
  let data = await parsed(response);
  if (response.status === 401 && ENDED.has(data?.code) && !path.startsWith("/auth/login") && (await revived(options))) {
    response = await send(method, path, body, options);
    data = await parsed(response);
  }
  if (!response.ok) throw new Problem(data ?? {}, response.status);
  return data;
}

export const read = (path, options) => call("GET", path, undefined, options);
export const post = (path, body = {}, options = {}) => call("POST", path, body, options);
export const patch = (path, body, options) => call("PATCH", path, body, options);
export const remove = (path, options) => call("DELETE", path, undefined, options);
