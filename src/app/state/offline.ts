/**
 * Offline use. The service worker keeps what passes through it; on the first visit the page's own files came before
 * it was there, so they are asked for once more (from the browser's cache) when it takes over.
 */

/** Milliseconds the engine waits for the service worker, so that its downloads are kept too. */
const PATIENCE = 1500;

/** Resolves when the service worker controls the page, or when waiting any longer would be felt. Never rejects. */
export async function goOffline(script: string): Promise<void> {
  const { serviceWorker } = navigator as { serviceWorker?: ServiceWorkerContainer };
  if (serviceWorker === undefined || serviceWorker.controller !== null) {
    serviceWorker?.register(script).catch(report);
    return;
  }
  const controlled = new Promise<void>((resolve) => {
    serviceWorker.addEventListener(
      "controllerchange",
      () => {
        resolve();
        void keepLoaded();
      },
      { once: true },
    );
  });
  const waited = new Promise<void>((resolve) => {
    setTimeout(resolve, PATIENCE);
  });
  const refused = new Promise<void>((resolve) => {
    serviceWorker.register(script).catch((reason: unknown) => {
      report(reason);
      resolve();
    });
  });
  await Promise.race([controlled, waited, refused]);
}

/** Milliseconds until the page's own files are asked for again: nothing waits for this. */
const LATER = 3000;

async function keepLoaded(): Promise<void> {
  await new Promise<void>((resolve) => {
    setTimeout(resolve, LATER);
  });
  const loaded = performance
    .getEntriesByType("resource")
    .map(({ name }) => name)
    .filter((name) => name.startsWith(new URL(".", location.href).href));
  await Promise.all(
    [location.href, ...loaded].map((address) => fetch(address, { cache: "force-cache" }).catch(report)),
  );
}

function report(reason: unknown): void {
  console.warn("The page may not work offline:", reason);
}
