/** The engine fails under the page: stopped, throwing, without a device, reloaded in every phase. */
import { describe, expect, test } from "vitest";
import { catchWorkers, inWorkers, killWorker } from "./setup/faults";
import { SMALL, visitors } from "./setup/playground";

const { visit } = visitors({ webgpu: false });
const LONG = {
  ...SMALL,
  maxNewTokens: 24,
  sft: { examples: 8, batchSize: 4, steps: 500 },
  grpo: { prompts: 1, groupSize: 2, steps: 500 },
};

describe("the training worker", () => {
  test("that is stopped, idle or in the middle of playing, is started again and continues the run", async () => {
    const playground = await visit({ settings: LONG, from: "sft", before: catchWorkers });
    await playground.ready();
    await playground.takeStep();
    await killWorker(playground.page);
    await playground.told(/training engine was restarted.*continues from step/s);
    await playground.ready();
    expect(await playground.step(), "the last finished step").toBeGreaterThanOrEqual(0);
    await playground.takeStep();
    await playground.button("Play").click();
    const playing = await playground.step();
    await playground.reach(playing + 1);
    await killWorker(playground.page);
    await playground.until("a fresh engine", async () => !(await playground.playing()));
    await playground.ready();
    expect(await playground.step(), "the last finished step").toBeGreaterThanOrEqual(playing);
    await playground.takeStep();
  });

  test("that throws at every message: the page says so, and starts it again when asked", async () => {
    let broken = true;
    const playground = await visit({
      settings: LONG,
      from: "sft",
      before: (page) =>
        inWorkers(page, () =>
          broken
            ? `Object.defineProperty(self, "onmessage", { set(listen) {
                 self.addEventListener("message", () => { throw new Error("broken by the test"); });
               } })`
            : "",
        ),
    });
    playground.wants(/broken by the test/);
    await playground.told(/training engine failed.*broken by the test/s);
    await playground.keeps(/Training has stopped/);
    broken = false;
    // What is kept for offline use is the broken script.
    await playground.page.evaluate(async () => {
      for (const name of await caches.keys()) await caches.delete(name);
      for (const worker of await navigator.serviceWorker.getRegistrations()) await worker.unregister();
    });
    await playground.button("Start the engine again").click();
    await playground.ready();
    await playground.takeStep();
  });

  test("that loses its device twice in a row continues from the last finished step", async () => {
    const playground = await visit({ settings: LONG, from: "sft" });
    await playground.ready();
    await playground.takeStep();
    for (let loss = 0; loss < 2; loss++) {
      const help = await playground.openHelp();
      await help.locator("details.developer").evaluate((element) => element.setAttribute("open", ""));
      await help.getByRole("button", { name: "Lose the device" }).click();
    }
    await playground.told(/new device/i);
    await playground.ready();
    await playground.until("the last finished step", async () => (await playground.step()) === 1);
    await playground.takeStep();
  });
});

describe("a reload", () => {
  test("in every phase, while a snapshot is written, or in an evaluation keeps the last finished step", async () => {
    const playground = await visit({ settings: LONG, from: "sft" });
    const { page } = playground;
    const reloaded = async (atLeast: number): Promise<void> => {
      await page.reload();
      await playground.ready();
      expect(await playground.stage()).toContain("GRPO");
      expect(await playground.step(), "the last finished step").toBeGreaterThanOrEqual(atLeast);
    };
    // While the policy is loading.
    await page.reload();
    await playground.ready();
    await playground.takeStep();
    await playground.takeStep();
    for (const phase of ["Rollout", "Score", "Normalise"] as const) {
      const before = await playground.step();
      for (const name of ["Rollout", "Score", "Normalise"] as const) {
        await playground.button("Sub-step").click();
        await playground.until(`${name} to be done`, async () =>
          (await playground.phase(name).innerText()).includes("done"),
        );
        if (name === phase) break;
      }
      await reloaded(before - 1);
      await playground.takeStep();
    }
    // In the update, and right after it, while its snapshot is written.
    await playground.button("One step (→)").click();
    const before = await playground.step();
    await reloaded(before - 1);
    await playground.takeStep();
    await reloaded((await playground.step()) - 1);
    await page.getByRole("button", { name: /evaluate on held-out problems/ }).click();
    await reloaded(before);
    await playground.takeStep();
  });

  test("in the middle of reflection SFT keeps its last finished step", async () => {
    const playground = await visit({ settings: LONG });
    await playground.ready();
    await playground.enter("Reflection SFT");
    await playground.takeStep();
    await playground.takeStep();
    await playground.button("One step (→)").click();
    await playground.page.reload();
    await playground.ready();
    expect(await playground.stage()).toContain("Reflection SFT");
    expect(await playground.step()).toBeGreaterThanOrEqual(1);
    await playground.takeStep();
  });
});
