/** What the page keeps when the browser forbids storage, has no room left, or gives back something damaged. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { damageNewest, fill, fillable, inWorkers, limitStorage, withoutCookies } from "./setup/faults";
import { link, type Playground, SMALL, visitors } from "./setup/playground";

const visiting = visitors({ webgpu: false });
const { visit } = visiting;
const LONG = { ...SMALL, maxNewTokens: 24, grpo: { prompts: 1, groupSize: 2, steps: 500 } };

/** Everything that a visitor can do without storage. */
async function worksUnsaved(playground: Playground): Promise<void> {
  await playground.ready();
  expect(await playground.keeps(/stores nothing/)).toMatch(/closing the tab loses the run.*Export the policy/s);
  await playground.enter("GRPO");
  await playground.takeStep();
  await playground.button("Light or dark theme").click();
  const download = playground.page.waitForEvent("download");
  await playground.keeping.getByRole("button", { name: "Export the policy" }).click();
  expect((await download).suggestedFilename()).toBe("srpo-policy.zip");
}

describe("a browser that stores nothing", () => {
  test("all cookies blocked: the page trains, exports, and says that it keeps nothing", async () => {
    const profile = mkdtempSync(join(tmpdir(), "srpo-no-cookies-"));
    const blocked = await withoutCookies(profile, false);
    try {
      const playground = visiting.adopt(await blocked.newPage());
      await playground.page.goto(link(visiting.site.url, LONG, "base"));
      await worksUnsaved(playground);
    } finally {
      await blocked.close();
      rmSync(profile, { recursive: true, force: true });
    }
  });

  const FORBIDDEN = `
    const refuse = () => { throw new DOMException("The operation is insecure.", "SecurityError"); };
    for (const name of ["localStorage", "sessionStorage", "indexedDB", "caches"])
      Object.defineProperty(globalThis, name, { get: refuse, configurable: true });
    for (const name of ["serviceWorker", "storage"])
      Object.defineProperty(Object.getPrototypeOf(navigator), name, { get: refuse, configurable: true });
    navigator.locks.request = () => Promise.reject(new DOMException("locks are forbidden", "SecurityError"));
    navigator.locks.query = navigator.locks.request;`;
  const REJECTING = `
    Object.defineProperty(globalThis, "caches", { value: undefined, configurable: true });
    Object.defineProperty(Object.getPrototypeOf(navigator), "storage", { value: undefined, configurable: true });
    if (globalThis.Storage) for (const name of ["getItem", "setItem"])
      Storage.prototype[name] = () => { throw new DOMException("denied", "SecurityError"); };
    if (navigator.serviceWorker)
      navigator.serviceWorker.register = () => Promise.reject(new DOMException("denied", "SecurityError"));
    IDBFactory.prototype.open = () => {
      const request = new EventTarget();
      setTimeout(() => {
        Object.defineProperty(request, "error", { value: new DOMException("denied", "UnknownError") });
        request.dispatchEvent(new Event("error"));
      });
      return request;
    };`;
  test.each([
    ["every name throws", FORBIDDEN],
    ["every request is rejected", REJECTING],
  ])("%s: the same", async (_, script) => {
    const playground = await visit({
      settings: LONG,
      before: async (page) => {
        await page.addInitScript(script);
        await inWorkers(page, script);
      },
    });
    await worksUnsaved(playground);
  });
});

describe("no room left", () => {
  test("a snapshot: the saved step stays, the page says which, and saves again when there is room", async () => {
    const playground = await visit({ settings: LONG, before: fillable });
    const { page } = playground;
    await playground.ready();
    await playground.enter("GRPO");
    await playground.takeStep();
    await playground.takeStep();
    await fill(page, true);
    await playground.takeStep();
    await playground.takeStep();
    const said = await playground.keeps(/storage is full/);
    const saved = Number(/saved up to GRPO, step (\d+)/.exec(said)?.[1]);
    expect(saved, said).toBeGreaterThanOrEqual(1);
    expect(said).toContain("Export the policy");

    // Another policy on top: it is not saved, can be trained and reset, and the earlier run is not lost for it.
    await page.getByRole("combobox", { name: "Start from" }).selectOption({ label: "after SRPO" });
    await playground.ready();
    await playground.keeps(/storage is full. This run is not saved/);
    await playground.takeStep();
    await playground.button("Reset").click();
    await playground.until("the start of the unsaved run", async () => (await playground.step()) === 0);
    await page.reload();
    await playground.ready();
    expect(await playground.step(), "the step after a reload").toBe(saved);
    await playground.takeStep();
    await playground.until("the line to go", async () => (await playground.keeping.count()) === 0);
  });

  test("the browser’s own quota, too small for the cache and the first snapshot: the page trains", async () => {
    const playground = await visit({
      settings: LONG,
      before: async (page) => {
        // A page that is no HTML names no icon, so the browser asks for one that is not there.
        await page.route("**/favicon.ico", (route) => route.fulfill({ status: 204 }));
        await page.goto(`${visiting.site.url}prepared.json`);
        await limitStorage(page, 3_000_000);
      },
    });
    await playground.ready();
    await playground.keeps(/storage is full. This run is not saved/);
    await playground.enter("GRPO");
    await playground.takeStep();
    expect(await playground.keeping.innerText()).toContain("Export the policy");
  });
});

describe("a damaged save", () => {
  test("the newest: the one before it is taken, and it is said", async () => {
    const playground = await visit({ settings: LONG });
    await playground.ready();
    await playground.enter("GRPO");
    for (let step = 0; step < 3; step++) await playground.takeStep();
    await playground.page.waitForTimeout(1500);
    await damageNewest(playground.page);
    await playground.page.reload();
    await playground.ready();
    const said = await playground.keeps(/newest save was damaged/);
    expect(await playground.step(), said).toBeGreaterThanOrEqual(1);
    expect(await playground.step(), said).toBeLessThan(3);
    expect(await playground.stage()).toContain("GRPO");
    await playground.takeStep();
    await playground.until("the line to go", async () => (await playground.keeping.count()) === 0);
  });
});
