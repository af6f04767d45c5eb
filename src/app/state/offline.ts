/**
 * Offline use. The service worker caches what passes through it. On a first visit the page's files were loaded before
 * it was active, so they are requested again, from the browser's cache, when it takes over.
 */
import { z } from "zod";

/** Milliseconds that the engine waits for the service worker, so that its downloads are cached, too. */
const PATIENCE = 1500;

/** Blocked cookies forbid service workers: reading the name may throw, or the registration is refused. */
function container(): ServiceWorkerContainer | undefined {
  try {
    return (navigator as { serviceWorker?: ServiceWorkerContainer }).serviceWorker;
  } catch (error) {
    report(error);
    return undefined;
  }
}

const notKeptSchema = z.object({ type: z.literal("notKept"), message: z.string() });

/**
 * Resolves when the service worker controls the page, or after PATIENCE. Never rejects.
 * @param onNotKept called when there was no room for a file
 */
export async function goOffline(script: string, onNotKept: (message: string) => void): Promise<void> {
  const serviceWorker = container();
  serviceWorker?.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
    const parsed = notKeptSchema.safeParse(data);
    if (parsed.success) onNotKept(parsed.data.message);
  });
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

/** Milliseconds until the page's files are requested again. */
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
    [location.href.replace(/#.*/, ""), ...loaded].map((address) =>
      fetch(address, { cache: "force-cache" }).catch(report),
    ),
  );
}

function report(reason: unknown): void {
  console.warn("The page may not work offline:", reason);
}
