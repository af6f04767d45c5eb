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
    // The script may be another one the next time.
    const headers = { ...response.headers(), "cache-control": "no-store" };
    await route.fulfill({ response, headers, body: `${text};\n${await response.text()}` });
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

/** A storage that can be filled and emptied while the page is open: what a browser without room answers. */
const FILLABLE = `{
  let full = false;
  new BroadcastChannel("test: room").onmessage = ({ data }) => { full = data === "full"; };
  const put = IDBObjectStore.prototype.put;
  IDBObjectStore.prototype.put = function (value, key) {
    if (full && value.byteLength > 10_000) throw new DOMException("no room", "QuotaExceededError");
    return put.call(this, value, key);
  };
}`;

/** Before the page is opened: its snapshots can be refused. */
export const fillable = (page: Page): Promise<void> => inWorkers(page, FILLABLE);

export async function fill(page: Page, full: boolean): Promise<void> {
  await page.evaluate((state) => new BroadcastChannel("test: room").postMessage(state), full ? "full" : "empty");
}

/** Bytes that the page may store from now on, by the browser's own quota; before it stores anything. */
export async function limitStorage(page: Page, quotaSize: number): Promise<void> {
  const browser = await page.context().newCDPSession(page);
  await browser.send("Storage.overrideQuotaForOrigin", { origin: new URL(page.url()).origin, quotaSize });
}

/** Cut the newest saved state in half. As text, so that no compiler changes it. */
const DAMAGE = `(async () => {
  const ask = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const opened = await ask(indexedDB.open("srpo-playground"));
  const store = () => opened.transaction("snapshots", "readwrite").objectStore("snapshots");
  const pointer = (await ask(store().getAllKeys())).find((key) => key.endsWith("newest"));
  const place = new TextDecoder().decode(await ask(store().get(pointer)));
  const key = pointer.slice(0, -"newest".length) + (place === "1" ? "latest:other" : "latest");
  const bytes = await ask(store().get(key));
  await ask(store().put(bytes.slice(0, bytes.length >> 1), key));
  opened.close();
})()`;

export async function damageNewest(page: Page): Promise<void> {
  await page.evaluate(DAMAGE);
}
