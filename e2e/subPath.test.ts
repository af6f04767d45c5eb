/** The page published below a path, as GitHub Pages does it: nothing is asked of the server's root. */
import { expect, test } from "vitest";
import { SMALL, visitors } from "./setup/playground";

const PATH = "/some/sub/path/";
const { visit, context } = visitors({ webgpu: false, path: PATH });

test("the page loads and trains a step, with every file from below its own path", async () => {
  const kept = await context();
  const outside: string[] = [];
  kept.on("request", (request) => {
    const { protocol, pathname } = new URL(request.url());
    if (protocol.startsWith("http") && !pathname.startsWith(PATH)) outside.push(request.url());
  });

  const playground = await visit({ context: kept, from: "sft", settings: SMALL });
  await playground.ready();
  expect(await playground.stage()).toContain("GRPO");
  await playground.button(/^One step/).click();
  await playground.reach(1);
  const { page } = playground;
  await playground.until("the service worker", () =>
    page.evaluate(async () => (await navigator.serviceWorker.getRegistration())?.active?.state === "activated"),
  );
  const scope = await page.evaluate(async () => (await navigator.serviceWorker.getRegistration())?.scope);
  expect(new URL(scope ?? "http://none").pathname).toBe(PATH);
  const link = await page.evaluate(() => location.href);
  expect(new URL(link).pathname).toBe(PATH);
  expect(outside, "requests outside the path").toEqual([]);
});
