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

/** Null where the browser forbids caches: the page then works with the network only. */
async function openCache() {
  try {
    return await caches.open(CACHE);
  } catch (error) {
    console.info("Nothing is kept for offline use:", error);
    return null;
  }
}

/** Keep a copy. A full or forbidden cache costs offline use, never the answer; the page is told once. */
let told = false;
async function keep(cache, request, response) {
  if (cache === null || !response.ok || response.type !== "basic" || response.status !== 200) return;
  try {
    await cache.put(request, response);
  } catch (error) {
    console.info(`Not kept for offline use: ${request.url}`, error);
    if (told) return;
    told = true;
    for (const client of await self.clients.matchAll({ includeUncontrolled: true }))
      client.postMessage({ type: "notKept", message: String(error) });
  }
}

/** The network's answer; a copy is kept meanwhile. */
async function fetched(event, cache) {
  const response = await fetch(event.request);
  event.waitUntil(keep(cache, event.request, response.clone()));
  return response;
}

/** What was kept of a request; null where there is nothing, or the cache cannot be read. */
async function kept(cache, request, options) {
  try {
    return (await cache?.match(request, options)) ?? null;
  } catch (error) {
    console.info(`The kept copy of ${request.url} cannot be read:`, error);
    return null;
  }
}

async function cacheFirst(event) {
  const cache = await openCache();
  return (await kept(cache, event.request, { ignoreVary: true })) ?? fetched(event, cache);
}

async function networkFirst(event) {
  const cache = await openCache();
  try {
    return await fetched(event, cache);
  } catch (error) {
    const { request } = event;
    const copy = await kept(cache, request, { ignoreSearch: request.mode === "navigate", ignoreVary: true });
    if (copy !== null) return copy;
    throw error;
  }
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const address = new URL(request.url);
  if (request.method !== "GET" || !address.href.startsWith(self.registration.scope) || request.headers.has("range"))
    return;
  event.respondWith(/\/assets\/[^/]+-[\w-]{8}\.\w+$/.test(address.pathname) ? cacheFirst(event) : networkFirst(event));
});
