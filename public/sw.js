/**
 * Offline: whatever the page has loaded is kept and given again when the network is away. Built files carry a hash
 * in their name and never change, so the cache answers first; everything else is asked of the network first.
 * Vary is ignored: some servers vary by Origin, which module scripts send and plain fetches do not; the files are the same.
 */
const NAME = "srpo-playground-1";
/** One cache for each copy of the page: several copies, and other people's pages, may share an origin. */
const CACHE = `${NAME} ${self.registration.scope}`;

/** Caches of earlier versions of this copy; what else the origin keeps is not ours. */
const outdated = (name) =>
  name !== CACHE &&
  /^srpo-playground-\d+/.test(name) &&
  (name === NAME || name.endsWith(` ${self.registration.scope}`));

self.addEventListener("install", () => self.skipWaiting());

self.addEventListener("activate", (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter(outdated).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

async function keep(request, response) {
  if (response.ok && response.type === "basic" && response.status === 200) {
    const cache = await caches.open(CACHE);
    await cache.put(request, response.clone());
  }
  return response;
}

async function cacheFirst(request) {
  const cache = await caches.open(CACHE);
  return (await cache.match(request, { ignoreVary: true })) ?? keep(request, await fetch(request));
}

async function networkFirst(request) {
  try {
    return await keep(request, await fetch(request));
  } catch (error) {
    const cache = await caches.open(CACHE);
    const kept = await cache.match(request, { ignoreSearch: request.mode === "navigate", ignoreVary: true });
    if (kept) return kept;
    throw error;
  }
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const address = new URL(request.url);
  if (request.method !== "GET" || !address.href.startsWith(self.registration.scope) || request.headers.has("range"))
    return;
  event.respondWith(
    /\/assets\/[^/]+-[\w-]{8}\.\w+$/.test(address.pathname) ? cacheFirst(request) : networkFirst(request),
  );
});
