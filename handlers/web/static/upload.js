// Uploads that go on after a break, by tus 1.0: piece by piece, with progress; where the line is cut it waits, asks how much is
// there, and goes on. What was begun is known by this browser for a day, so that a reload goes on, too. No page is changed here.

import { Problem, csrfToken, refreshSession } from "./api.js";
import { t } from "./i18n.js";
import { page } from "./page.js";

const ROOT = "/api/v1/files/tus";
const VERSION = { "Tus-Resumable": "1.0.0" };
const PIECE_BYTES = 5 * 1024 * 1024;
const QUIET_MS = 60_000; // a piece of which nothing is taken for so long is sent again
const JOIN_MS = 2000;
const WAITS_MS = [500, 1000, 2000, 4000, 8000, 15_000, 15_000, 30_000, 30_000, 30_000];
const AGAIN = new Set([0, 401, 409, 429, 500, 502, 503, 504]);

function send(method, path, { headers = {}, body = null, signal, onProgress } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let quiet = 0;
    const abort = () => request.abort();
    const settle = (end, value) => {
      clearTimeout(quiet);
      signal?.removeEventListener("abort", abort);
      end(value);
    };
    const heard = () => {
      clearTimeout(quiet);
      quiet = setTimeout(abort, QUIET_MS);
    };
    request.open(method, path);
    for (const [name, value] of Object.entries({ ...VERSION, ...headers, "X-CSRF-Token": csrfToken() })) {
      request.setRequestHeader(name, value);
    }
    request.upload.addEventListener("progress", (event) => {
      heard();
      onProgress?.(event.loaded);
    });
    const lost = () => {
      if (signal?.aborted) settle(reject, new DOMException("given up", "AbortError"));
      else settle(reject, new Problem({ code: "offline", detail: t("client.offline") }, 0));
    };
    request.addEventListener("load", () => settle(resolve, request));
    request.addEventListener("error", lost);
    request.addEventListener("abort", lost);
    signal?.addEventListener("abort", abort);
    heard();
    request.send(body);
  });
}

function problemOf(request) {
  let body = {};
  try {
    body = JSON.parse(request.responseText);
  } catch {
    body = { detail: t("client.failed") };
  }
  return new Problem(body.error ?? body, request.status);
}

async function asked(method, path, options) {
  let request = await send(method, path, options);
  if (request.status === 401 && (await refreshSession())) request = await send(method, path, options);
  if (request.status < 200 || request.status >= 300) throw problemOf(request);
  return request;
}

function told(text) {
  return btoa(String.fromCodePoint(...new TextEncoder().encode(text)));
}

function keyOf(file, fields) {
  const facts = [page.user?.id, file.name, file.size, file.lastModified, JSON.stringify(fields)];
  return `lms-upload:${facts.join(":")}`;
}

function known(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // a browser that keeps nothing begins anew
  }
}

function keep(key, path) {
  try {
    if (path) localStorage.setItem(key, path);
    else localStorage.removeItem(key);
  } catch {
    // as above
  }
}

async function begun(file, fields, signal) {
  const said = Object.entries({ filename: file.name, ...fields }).map(([name, value]) => `${name} ${told(String(value))}`);
  const headers = { "Upload-Length": String(file.size), "Upload-Metadata": said.join(",") };
  const request = await asked("POST", ROOT, { headers, signal });
  return new URL(request.getResponseHeader("Location"), location.href).pathname;
}

async function offsetOf(path, signal) {
  const request = await asked("HEAD", path, { signal });
  return Number(request.getResponseHeader("Upload-Offset"));
}

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(go, ms);
    function go() {
      clearTimeout(timer);
      removeEventListener("online", go);
      signal?.removeEventListener("abort", stop);
      resolve();
    }
    function stop() {
      clearTimeout(timer);
      reject(new DOMException("given up", "AbortError"));
    }
    addEventListener("online", go);
    signal?.addEventListener("abort", stop);
  });
}

async function patient(work, signal, onWait) {
  for (const wait of [...WAITS_MS, null]) {
    try {
      return await work();
    } catch (problem) {
      if (!(problem instanceof Problem) || !AGAIN.has(problem.status) || wait === null) throw problem;
      onWait();
      await pause(Math.max(wait, 1000 * (problem.data.retry_after_seconds ?? 0)), signal);
    }
  }
}

async function sent(path, file, { signal, onProgress }) {
  let offset = await offsetOf(path, signal);
  while (offset < file.size) {
    const from = offset;
    onProgress(from);
    const headers = { "Content-Type": "application/offset+octet-stream", "Upload-Offset": String(from) };
    const body = file.slice(from, from + PIECE_BYTES);
    const request = await asked("PATCH", path, { headers, body, signal, onProgress: (size) => onProgress(from + size) });
    offset = Number(request.getResponseHeader("Upload-Offset"));
  }
  onProgress(file.size);
  for (;;) {
    const upload = JSON.parse((await asked("GET", path, { signal })).responseText);
    if ((upload.data ?? upload).file) return upload;
    await pause(JOIN_MS, signal); // its pieces are being joined
  }
}

/**
 * Upload a file. Resolves to the file as the API shows it; rejects with a Problem, or an AbortError when `signal` gave it up.
 * `fields`: folder, is_public, course_id. `onProgress(bytes)` while it goes, `onWait()` where it waits for the line.
 */
export async function uploadFile(file, { fields = {}, signal, onProgress = () => {}, onWait = () => {} } = {}) {
  const key = keyOf(file, fields);
  let path = known(key);
  try {
    const upload = await patient(
      async () => {
        path ??= await begun(file, fields, signal);
        keep(key, path);
        try {
          return await sent(path, file, { signal, onProgress });
        } catch (problem) {
          if (problem.status !== 404) throw problem;
          path = await begun(file, fields, signal); // its day is over, or its session was another's
          keep(key, path);
          return sent(path, file, { signal, onProgress });
        }
      },
      signal,
      onWait,
    );
    keep(key, null);
    return (upload.data ?? upload).file;
  } catch (error) {
    const isRefused = error instanceof Problem && !AGAIN.has(error.status);
    if (isRefused || error.name === "AbortError") keep(key, null);
    if (error.name === "AbortError" && path) send("DELETE", path).catch(() => null);
    throw error;
  }
}
