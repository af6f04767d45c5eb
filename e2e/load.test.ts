/** A first visit: something to look at before the engine is ready, then WebGPU, in sane time. */
import { describe, expect, test } from "vitest";
import { visitors } from "./setup/playground";

const { visit } = visitors({ webgpu: true });

/** Milliseconds, generous for a software GPU on two busy cores. */
const PREPARED_WITHIN = 15_000;
const READY_WITHIN = 60_000;

describe("the first visit", () => {
  test("shows a prepared group before the engine is ready, then the policy's own samples on WebGPU", async () => {
    const began = Date.now();
    let release = (): void => undefined;
    let asked = 0;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const playground = await visit({
      settings: null,
      // The engine's script: until it runs, nothing can have been asked of the GPU.
      before: (page) =>
        page.context().route("**/assets/entry-*.js", async (route) => {
          asked++;
          await held;
          await route.continue();
        }),
    });
    const { page, table, advantages } = playground;

    await playground.until("the prepared group", async () => (await table.count()) === 1, PREPARED_WITHIN);
    expect(await page.getByRole("main").innerText()).toContain("until the engine is ready");
    expect(await advantages.count(), "advantages of the prepared group").toBeGreaterThanOrEqual(4);
    expect(
      await page.getByText("Press play to teach it to reflect well.").isVisible(),
      "the sentence of a first visit",
    ).toBe(true);
    expect(await playground.button("Play").isDisabled(), "play before there is an engine").toBe(true);

    await playground.until("the engine's script to be requested", async () => asked > 0, PREPARED_WITHIN);
    release();
    await playground.ready();
    const waited = Date.now() - began;
    expect(waited, "milliseconds until the engine was ready").toBeLessThan(READY_WITHIN);
    expect(await playground.badge.innerText()).toMatch(/WebGPU\s+SwiftShader/);
    expect(await playground.stage(), "the first stage of a first visit").toContain("GRPO");
    await playground.until("the policy's own samples", async () =>
      (await page.getByRole("main").innerText()).includes("New samples"),
    );
  });

  test("starts in GRPO, after reflection SFT; going back opens the base policy", async () => {
    const playground = await visit({ from: "sft" });
    await playground.ready();
    const start = playground.page.getByRole("combobox", { name: "Start from" });
    expect(await playground.stage()).toContain("GRPO");
    expect(await start.inputValue()).toBe("sft");

    await playground.enter("Reflection SFT");
    await playground.ready();
    expect(await start.inputValue(), "the policy that SFT data are collected from").toBe("base");
    await playground.enter("Base");
    await playground.until("the base's own samples", async () =>
      (await playground.page.getByRole("main").innerText()).includes("New samples"),
    );
    await playground.page.reload();
    await playground.ready();
    expect(await playground.stage(), "the stage after a reload").toContain("Base");
    expect(await start.inputValue(), "the start after a reload").toBe("base");
  });

  test("the badge shows the backend and the start-up times", async () => {
    const playground = await visit();
    await playground.ready();
    await playground.badge.click();
    const costs = playground.page.getByRole("table", { name: "Start-up time" });
    await costs.waitFor({ state: "visible", timeout: 5000 });
    for (const row of ["Download", "Device", "Compiling kernels", "Self-test", "Loading the weights", "Total"])
      expect(await costs.innerText()).toMatch(new RegExp(`${row}[^\\n]*\\s+[\\d.]+\\s*m?s`));
    expect(await playground.page.getByRole("banner").innerText()).toMatch(/\d\.\d\d M parameters/);
  });

  test("finds every part of the page by role and name; every control has a name", async () => {
    const playground = await visit();
    await playground.ready();
    const { page } = playground;
    for (const [role, name] of [
      ["navigation", "Training stage"],
      ["group", "Transport"],
      ["complementary", "Rewards and settings"],
      ["region", "Curves"],
      ["region", "Summary of this step"],
    ] as const) {
      expect(await page.getByRole(role, { name, exact: true }).count(), `${role} "${name}"`).toBe(1);
    }
    for (const role of ["button", "slider", "combobox", "textbox", "checkbox", "link"] as const) {
      const nameless = await page.getByRole(role, { name: /^\s*$/ }).count();
      expect(nameless, `elements with role ${role} and without a name`).toBe(0);
    }
    expect(await page.getByRole("heading", { level: 1 }).count(), "headings of the first level").toBe(1);
  });
});
