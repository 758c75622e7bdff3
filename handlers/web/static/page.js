// What the server told this page about itself: language, reader, release, words, and the page's own `data`.
// Not for anything that changes later.

const element = document.getElementById("page-data");

/** @type {{language: string, locale: string, direction: string, release: string, assets: string, user: ?{id: string,
 *   full_name: string, role: string}, server_time: string, csrf_cookie: string, messages: Object, data: Object,
 *   acting: ({until_ms: number}|undefined)}} */
export const page = Object.freeze(JSON.parse(element ? element.textContent : "{}"));

/** The value of a cookie that scripts may read, or "". */
export function cookie(name) {
  const found = document.cookie.split("; ").find((pair) => pair.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
}

/** Keep a wish of this browser (theme, time zone) for a year, where the server sees it too: no flash at the next page. */
export function keepCookie(name, value) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${name}=${encodeURIComponent(value)}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
}

const STOPPED_MS = 30_000;

/**
 * Leave the page, as `go` says. Resolves when the next page has not come for so long that somebody must have stopped it: until then
 * whoever waits for this does nothing else, and a second press is no second deed. Who comes back to this page finds it made anew.
 */
export function leaving(go) {
  addEventListener("pageshow", (event) => event.persisted && location.reload());
  go();
  return new Promise((done) => setTimeout(done, STOPPED_MS));
}
