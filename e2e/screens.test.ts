/**
 * A picture of each view at 1440 and at 390 px, light and dark, in screenshots/; and what must hold in each of them:
 * nothing runs out at the side, and what one needs is inside the window and whole.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, test } from "vitest";
import { type Playground, SMALL, visitors } from "./setup/playground";

const { visit } = visitors({ webgpu: true });
const FOLDER = "screenshots";
const SIZES = [
  { name: "wide", width: 1440, height: 900 },
  { name: "phone", width: 390, height: 844 },
] as const;
const THEMES = ["light", "dark"] as const;

beforeAll(() => {
  mkdirSync(FOLDER, { recursive: true });
});

interface Flaw {
  readonly what: string;
  readonly by: number;
}

/** Elements that stick out of the window sideways, unless something around them scrolls or hides them on purpose. */
function overflowing(page: Page): Promise<Flaw[]> {
  return page.evaluate(() => {
    const flaws: { what: string; by: number }[] = [];
    const wide = document.scrollingElement?.scrollWidth ?? 0;
    if (wide > innerWidth) flaws.push({ what: "the page scrolls sideways", by: wide - innerWidth });
    for (const element of document.querySelectorAll("body *")) {
      if (!(element instanceof HTMLElement) || !element.checkVisibility({ visibilityProperty: true })) continue;
      const box = element.getBoundingClientRect();
      if (box.width <= 1 || box.height <= 1) continue;
      const by = Math.max(box.right - innerWidth, -box.left);
      if (by <= 1) continue;
      let held = false;
      for (
        let around = element.parentElement;
        around !== null && around !== document.body;
        around = around.parentElement
      ) {
        if (getComputedStyle(around).overflowX !== "visible") held = true;
      }
      if (!held)
        flaws.push({
          what: `${element.tagName.toLowerCase()}.${element.className} "${element.innerText.slice(0, 30)}"`,
          by: Math.round(by),
        });
    }
    return flaws.slice(0, 5);
  });
}

/** Control labels that are cut off in their own box. */
function clipped(page: Page): Promise<Flaw[]> {
  return page.evaluate(() => {
    const flaws: { what: string; by: number }[] = [];
    for (const element of document.querySelectorAll("button, h1, h2, th, label, .chip")) {
      if (
        !(element instanceof HTMLElement) ||
        !element.checkVisibility({ visibilityProperty: true }) ||
        getComputedStyle(element).overflowX === "visible"
      )
        continue;
      const by = element.scrollWidth - element.clientWidth;
      if (by > 1 && element.clientWidth > 1)
        flaws.push({
          what: `${element.tagName.toLowerCase()}.${element.className} "${element.innerText.slice(0, 30)}"`,
          by,
        });
    }
    return flaws.slice(0, 5);
  });
}

/** Pictures of what is on show, in every size and theme. */
async function picture(
  playground: Playground,
  view: string,
  important: (playground: Playground) => readonly (readonly [string, ReturnType<Playground["button"]>])[],
): Promise<void> {
  const { page } = playground;
  for (const { name, width, height } of SIZES) {
    await page.setViewportSize({ width, height });
    for (const theme of THEMES) {
      await page.emulateMedia({ colorScheme: theme });
      await playground.until(
        `the ${theme} theme`,
        async () => (await page.locator("html").getAttribute("data-theme")) === theme,
        5000,
      );
      await page.waitForTimeout(250);
      const where = `${view} at ${width} px, ${theme}`;
      await page.screenshot({ path: join(FOLDER, `${view}-${name}-${theme}.png`), fullPage: name === "phone" });
      expect(await overflowing(page), `sticks out of the window: ${where}`).toEqual([]);
      expect(await clipped(page), `cut off: ${where}`).toEqual([]);
      for (const [what, element] of important(playground)) {
        const box = await element.boundingBox();
        expect(box, `${what}: ${where}`).not.toBeNull();
        if (box === null) continue;
        expect(box.x, `left edge of ${what}: ${where}`).toBeGreaterThanOrEqual(0);
        expect(box.x + box.width, `right edge of ${what}: ${where}`).toBeLessThanOrEqual(width);
        if (name === "wide") expect(box.y + box.height, `lower edge of ${what}: ${where}`).toBeLessThanOrEqual(height);
      }
    }
  }
  await page.setViewportSize({ width: SIZES[0].width, height: SIZES[0].height });
}

const controls = (playground: Playground): [string, ReturnType<Playground["button"]>][] => [
  ["play", playground.button(/^(Play|Pause)$/)],
  ["one step", playground.button("One step (→)")],
  ["sub-step", playground.button("Sub-step")],
  ["help", playground.button("Help")],
];
const question = ({ page }: Playground): [string, ReturnType<Playground["button"]>] => [
  "the question",
  page.getByRole("heading", { level: 1 }),
];

describe("every view", () => {
  test("before the engine is ready: the prepared group, also with other weights", async () => {
    const playground = await visit({
      settings: null,
      before: (page) =>
        page.context().route("**/policies/**/model.safetensors", () => {
          /* never answered */
        }),
    });
    await playground.until("the prepared group", async () => (await playground.table.count()) === 1);
    await picture(playground, "first-visit", (each) => [
      ...controls(each),
      question(each),
      ["the first advantage", each.advantages.first()],
    ]);
    await playground.page.getByRole("slider", { name: /^First answer right/ }).fill("1");
    await playground.page.getByRole("slider", { name: /^Format/ }).fill("0.1");
    await picture(playground, "moved", (each) => [
      ...controls(each),
      question(each),
      ["the first advantage", each.advantages.first()],
    ]);
  });

  test("base, reflection SFT, GRPO phase by phase, an opened row, the badge, a snapshot, the help", async () => {
    const playground = await visit({
      settings: { ...SMALL, maxNewTokens: 64, grpo: { prompts: 2, groupSize: 8, steps: 6 } },
    });
    const { page } = playground;
    await playground.ready();
    await playground.until("the policy's own samples", async () =>
      (await page.getByRole("main").innerText()).includes("New samples"),
    );
    await picture(playground, "base", (each) => [...controls(each), question(each), ["the badge", each.badge]]);

    await playground.enter("Reflection SFT");
    await playground.takeStep();
    await playground.takeStep();
    await picture(playground, "sft", (each) => [...controls(each), question(each)]);

    await playground.enter("GRPO");
    await playground.takeStep();
    await playground.button("Sub-step").click();
    await playground.until(
      "the rollout",
      async () =>
        (await playground.phase("Rollout").innerText()).includes("done") && (await playground.rewards.count()) === 0,
    );
    await picture(playground, "grpo-rollout", (each) => [
      ...controls(each),
      question(each),
      ["the phases", each.phase("Rollout")],
    ]);
    await playground.button("One step (→)").click();
    await playground.reach(2);
    await picture(playground, "grpo", (each) => [
      ...controls(each),
      question(each),
      ["the phases", each.phase("Update")],
      ["the first advantage", each.advantages.first()],
    ]);

    await page.getByRole("button", { name: /^Response 1: show the full text/ }).click();
    await picture(playground, "grpo-row", (each) => [...controls(each), question(each)]);
    await page.getByRole("button", { name: /^Response 1: hide the full text/ }).click();

    await playground.badge.click();
    await picture(playground, "badge", (each) => [
      ["the costs", each.page.getByRole("table", { name: "Start-up time" })],
    ]);
    await page.keyboard.press("Escape");

    await page.getByRole("button", { name: /^Snapshot at step 1/ }).click();
    await picture(playground, "snapshot", (each) => [
      ["the way back", each.page.getByRole("button", { name: "Fork from here" })],
    ]);
    await page.getByRole("dialog", { name: "Snapshot at step 1" }).getByRole("button", { name: "Close" }).click();

    await playground.openHelp();
    await picture(playground, "help", (each) => [["the way out", each.button("Close help")]]);
    await playground.button("Close help").click();

    await page.setViewportSize({ width: SIZES[1].width, height: SIZES[1].height });
    await playground.button("Rewards and settings").click();
    const sheet = page.getByRole("dialog", { name: "Rewards and settings" });
    await sheet.waitFor({ state: "visible", timeout: 5000 });
    for (const theme of THEMES) {
      await page.emulateMedia({ colorScheme: theme });
      await page.waitForTimeout(250);
      await page.screenshot({ path: join(FOLDER, `knobs-phone-${theme}.png`) });
      expect(await overflowing(page), `sticks out of the window: knobs, ${theme}`).toEqual([]);
    }
  });
});
