/** Ways to break a browser under the page: a forbidden or full storage, a stopped worker, a damaged save. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { browserFlags, findOrInstallBrowser } from "./browser";

/** A browser whose visitor has blocked all cookies, and with them every kind of storage. */
export function withoutCookies(profile: string, webgpu: boolean): Promise<BrowserContext> {
  mkdirSync(join(profile, "Default"), { recursive: true });
  const preferences = { profile: { default_content_setting_values: { cookies: 2 } } };
  writeFileSync(join(profile, "Default", "Preferences"), JSON.stringify(preferences));
  return chromium.launchPersistentContext(profile, {
    executablePath: findOrInstallBrowser(),
    headless: true,
    args: browserFlags(webgpu),
    viewport: { width: 1440, height: 900 },
    reducedMotion: "reduce",
  });
}

/** Run a script in every training worker before the worker's own. */
export async function inWorkers(page: Page, script: string | (() => string)): Promise<void> {
  await page.context().route("**/assets/entry-*.js", async (route) => {
    const response = await route.fetch();
    const text = typeof script === "string" ? script : script();
    await route.fulfill({ response, body: `${text};\n${await response.text()}` });
  });
}

/** Keep the page's workers within reach of the test; before the page is opened. */
export async function catchWorkers(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const caught: Worker[] = [];
    Object.assign(globalThis, { caughtWorkers: caught });
    globalThis.Worker = class extends Worker {
      constructor(...given: ConstructorParameters<typeof Worker>) {
        super(...given);
        caught.push(this);
      }
    };
  });
}

/** End the training worker, as a browser short of memory does. */
export async function killWorker(page: Page): Promise<void> {
  await page.evaluate(() => {
    const { caughtWorkers } = globalThis as unknown as { readonly caughtWorkers: readonly Worker[] };
    for (const worker of caughtWorkers) worker.terminate();
  });
}

/** Bytes that the page may store on top of what it has. Null: as much as the browser gives. */
export async function limitStorage(page: Page, more: number | null): Promise<void> {
  const browser = await page.context().newCDPSession(page);
  const origin = new URL(page.url()).origin;
  const { usage } = await browser.send("Storage.getUsageAndQuota", { origin });
  await browser.send("Storage.overrideQuotaForOrigin", {
    origin,
    ...(more === null ? {} : { quotaSize: Math.ceil(usage + more) }),
  });
  // Ending the session would end the limit.
}

/** Overwrite the end of a stored value; `which` picks the key. → its key */
export async function damage(page: Page, which: "newest"): Promise<string> {
  return page.evaluate(async (wanted) => {
    const opened = await new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open("srpo-playground");
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error ?? new Error("cannot open the database"));
    });
    const ask = <T>(request: IDBRequest<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error ?? new Error("the request failed"));
      });
    const store = () => opened.transaction("snapshots", "readwrite").objectStore("snapshots");
    const keys = (await ask(store().getAllKeys())).map(String);
    const pointer = keys.find((key) => key.endsWith(wanted));
    const prefix = pointer?.slice(0, -wanted.length) ?? "";
    const place = pointer === undefined ? null : new TextDecoder().decode(await ask(store().get(pointer)));
    const key = `${prefix}${place === "1" ? "latest:other" : "latest"}`;
    const bytes = (await ask(store().get(key))) as Uint8Array;
    await ask(store().put(bytes.slice(0, bytes.length >> 1), key));
    opened.close();
    return key;
  }, which);
}
