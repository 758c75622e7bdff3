// The service worker: keeps the quiz room's shell (its frame, scripts and sheets), so that a reload without a line works.
// Never anybody's page, never a reply of the API. The room tells it what to keep.

const KEPT = "lms-room-shell";
const SHELL = "/room-shell";
const ROOM = /^\/attempts\/[^/]+\/?$/;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

async function keep(assets) {
  const cache = await caches.open(KEPT);
  const missing = [];
  for (const path of assets) if (!(await cache.match(path))) missing.push(path);
  const shell = await fetch(SHELL, { cache: "no-store", credentials: "same-origin" });
  if (!shell.ok) return;
  await cache.addAll(missing);
  await cache.put(SHELL, shell);
  // what an older release needed goes
  for (const request of await cache.keys()) {
    const { pathname } = new URL(request.url);
    if (pathname !== SHELL && !assets.includes(pathname)) await cache.delete(request);
  }
}

self.addEventListener("message", (event) => {
  if (event.data?.type === "keep") event.waitUntil(keep(event.data.assets).catch(() => {}));
});

async function room(request) {
  try {
    return await fetch(request);
  } catch (error) {
    const shell = await caches.match(SHELL);
    if (shell) return shell;
    throw error;
  }
}

async function asset(request) {
  return (await caches.match(request, { ignoreVary: true })) ?? fetch(request);
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (request.mode === "navigate" && ROOM.test(url.pathname)) event.respondWith(room(request));
  else if (url.pathname.startsWith("/static/")) event.respondWith(asset(request));
});
