/** A browser without WebGPU: the page trains on WebAssembly, and says so and why. */
import { describe, expect, test } from "vitest";
import { visitors } from "./setup/playground";

const { visit } = visitors({ webgpu: false });

describe("without WebGPU", () => {
  test("the badge names the backend and why WebGPU was passed over; SFT and GRPO steps work", async () => {
    const playground = await visit();
    await playground.ready();
    expect(await playground.badge.innerText()).toContain("WebAssembly");
    expect(
      await playground.page.getByText(/Without WebGPU it trains on WebAssembly/).isVisible(),
      "the line that says so",
    ).toBe(true);
    await playground.badge.click();
    await playground.until(
      "the reason on the badge's panel",
      async () => /WebGPU was passed over:/.test(await playground.page.getByRole("banner").innerText()),
      5000,
    );
    const why =
      /WebGPU was passed over:([^\n]*)/.exec(await playground.page.getByRole("banner").innerText())?.[1] ?? "";
    expect(why, "the reason").toMatch(/WebGPU|adapter|navigator\.gpu/);

    await playground.enter("Reflection SFT");
    await playground.takeStep();
    await playground.takeStep();
    await playground.enter("GRPO");
    await playground.takeStep();
    await playground.takeStep();
    expect(await playground.probabilities.count(), "rows that say how the update moved them").toBe(4);
  });
});
