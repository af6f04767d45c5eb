/** A browser without WebGPU: the page trains on WebAssembly, and says so and why. */
import { describe, expect, test } from "vitest";
import { visitors } from "./setup/playground";

const { visit } = visitors({ webgpu: false });

describe("without WebGPU", () => {
  test("the badge names the backend and why WebGPU was skipped; SFT and GRPO steps work", async () => {
    const playground = await visit();
    await playground.ready();
    expect(await playground.badge.innerText()).toContain("WebAssembly");
    expect(
      await playground.page.getByText(/WebGPU is not available, so training runs on WebAssembly/).isVisible(),
      "the line about it",
    ).toBe(true);
    await playground.badge.click();
    await playground.until(
      "the reason on the badge's panel",
      async () => /WebGPU was skipped:/.test(await playground.page.getByRole("banner").innerText()),
      5000,
    );
    const why = /WebGPU was skipped:([^\n]*)/.exec(await playground.page.getByRole("banner").innerText())?.[1] ?? "";
    expect(why, "the reason").toMatch(/WebGPU|adapter|navigator\.gpu/);

    await playground.enter("Reflection SFT");
    await playground.takeStep();
    await playground.takeStep();
    await playground.enter("GRPO");
    await playground.takeStep();
    await playground.takeStep();
    expect(await playground.probabilities.count(), "rows with a change of log p").toBe(4);
  });
});
