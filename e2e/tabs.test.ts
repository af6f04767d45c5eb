/** Two tabs of one browser: one trains, the other watches and can take over; links open runs of their own. */
import { describe, expect, test } from "vitest";
import { inWorkers } from "./setup/faults";
import { link, SMALL, visitors } from "./setup/playground";

const visiting = visitors({ webgpu: false });
const { visit, context } = visiting;
const LONG = { ...SMALL, maxNewTokens: 24, grpo: { prompts: 1, groupSize: 2, steps: 500 } };

describe("two tabs", () => {
  test("the second watches, takes over, and the first gets the run back when it is closed", async () => {
    const kept = await context();
    const first = await visit({ settings: LONG, from: "sft", context: kept });
    await first.ready();
    await first.takeStep();
    const second = await visit({ settings: null, context: kept });
    await second.until("the run of the first tab", async () => (await second.step()) === 1);
    expect(await second.button("Play").isDisabled(), "a tab that watches does not train").toBe(true);
    await first.takeStep();
    await second.reach(2);

    await second.button("Take control").click();
    await second.ready();
    await first.until("watching", () => first.button("Take control").isVisible());
    expect(await first.button("Play").isDisabled()).toBe(true);
    await second.takeStep();
    expect(await second.step(), "the run goes on where the first tab left it").toBe(3);
    await first.reach(3);

    await second.page.close();
    await first.ready();
    expect(await first.step()).toBe(3);
    await first.takeStep();
  });

  test("in a browser without locks the page says that tabs could overwrite each other", async () => {
    const script = `Object.defineProperty(Object.getPrototypeOf(navigator), "locks", { value: undefined });`;
    const playground = await visit({
      settings: LONG,
      before: async (page) => {
        await page.addInitScript(script);
        await inWorkers(page, script);
      },
    });
    await playground.ready();
    await playground.keeps(/cannot tell tabs apart.*overwrite/);
  });
});

describe("another person’s link", () => {
  test("opens a run of its own with bounded settings; the visitor’s run is kept and can be opened", async () => {
    const kept = await context();
    const own = await visit({ settings: LONG, from: "sft", context: kept });
    await own.ready();
    await own.takeStep();
    await own.takeStep();
    await own.page.close();
    const hostile = { ...LONG, temperature: 0.7, grpo: { ...LONG.grpo, groupSize: 1e9 } };
    const shared = await visit({ context: kept, at: link(visiting.site.url, hostile, "sft") });
    expect(await shared.told(/Some of the link's settings are not used/)).toMatch(
      /grpo\.groupSize 1000000000.*8 instead/,
    );
    await shared.ready();
    expect(await shared.step()).toBe(0);
    expect(await shared.page.getByRole("slider", { name: /^Temperature/ }).inputValue()).toBe("0.7");
    const said = await shared.keeps(/link opened a run of its own/);
    expect(said).toMatch(/Your earlier run is kept \(GRPO, step [12]\)/);
    await shared.button("Open it").click();
    await shared.until("the earlier run", async () => (await shared.step()) >= 1);
    await shared.ready();
    await shared.takeStep();
    const runs = shared.page.getByRole("combobox", { name: "Start from" }).getByRole("option", { name: /^Link of/ });
    expect(await runs.count(), "the link's run is kept, too").toBe(1);
  });
});
