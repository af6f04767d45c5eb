/**
 * `npm run attack -- page`: the built page trains in Chromium and is reloaded, its worker stopped, its storage filled
 * or damaged at random moments. A try is survived when the page is usable afterwards: ready, at the last finished step
 * (or an older one, and it says so), and able to take another step.
 */
import type { BrowserContext, Page } from "playwright-core";
import { catchWorkers, damageNewest, fill, fillable, killWorker } from "../../e2e/setup/faults";
import { openSite } from "../../e2e/setup/site";
import type { Attack, AttackResult } from "./attack";
import { Dice } from "./random";

/** Tries of each kind. */
const TRIES = 5;
/** Milliseconds for the engine to be ready, and for a step. */
const PATIENCE = 240_000;
/** Milliseconds, at most, from pressing play to the fault. */
const LONGEST = 4000;
/** Steps small enough that several fall between two faults. */
const SETTINGS = { maxNewTokens: 24, grpo: { prompts: 1, groupSize: 2, steps: 100_000 } };

const PLAY = { name: /^(Play|Pause)$/ };

class Visit {
  constructor(readonly page: Page) {}

  async step(): Promise<number> {
    const text = await this.page.locator(".step-count").textContent({ timeout: PATIENCE });
    const step = /(\d+)/.exec(text ?? "")?.[1];
    if (step === undefined) throw new Error(`the transport says "${text}" instead of a step`);
    return Number(step);
  }

  /** Everything that the page says about what it keeps. */
  async says(): Promise<string> {
    return (await this.page.locator(".keeping-line, .notice").allInnerTexts()).join(" ").replace(/\s+/g, " ");
  }

  async ready(): Promise<void> {
    await this.page.locator("button.badge.is-ready").waitFor({ timeout: PATIENCE });
  }

  async press(): Promise<void> {
    await this.page.getByRole("button", PLAY).click({ timeout: PATIENCE });
  }

  /** One more step. */
  async takeStep(): Promise<void> {
    const wanted = (await this.step()) + 1;
    await this.page.getByRole("button", { name: "One step (→)" }).click({ timeout: PATIENCE });
    const end = Date.now() + PATIENCE;
    while ((await this.step()) < wanted) {
      if (Date.now() > end) throw new Error(`no step within ${PATIENCE / 1000} s; the page says: ${await this.says()}`);
      await this.page.waitForTimeout(100);
    }
  }
}

interface Fault {
  readonly name: string;
  /** Steps, at most, that may be lost in silence: the one that was being written. */
  readonly silent: number;
  readonly strike: (visit: Visit) => Promise<void>;
  /** Undo what outlasts the try. */
  readonly mend?: (visit: Visit) => Promise<void>;
}

const FAULTS: readonly Fault[] = [
  { name: "reload", silent: 1, strike: ({ page }) => page.reload().then(() => undefined) },
  {
    name: "stop the training worker",
    silent: 1,
    strike: async ({ page }) => {
      await killWorker(page);
      await page.locator("button.badge.is-ready").waitFor({ state: "detached", timeout: PATIENCE });
    },
  },
  {
    name: "fill the storage, then stop the training worker",
    silent: 1,
    strike: async ({ page }) => {
      await fill(page, true);
      await page.locator(".keeping-line").waitFor({ timeout: PATIENCE });
      await killWorker(page);
      await page.locator("button.badge.is-ready").waitFor({ state: "detached", timeout: PATIENCE });
    },
    mend: ({ page }) => fill(page, false),
  },
  {
    name: "cut the newest save in half, then reload",
    silent: 1,
    strike: async ({ page }) => {
      await page.getByRole("button", PLAY).click();
      await page.getByRole("button", { name: "Play", exact: true }).waitFor({ timeout: PATIENCE });
      // The last write may still be under way.
      await page.waitForTimeout(1500);
      await damageNewest(page);
      await page.reload();
    },
  },
];

/** What the page says where it has less than it had. */
const LOSS_SAID = /storage is full|not saved|save was damaged|new one has started|new run/;

async function survive(visit: Visit, fault: Fault, wait: number): Promise<string> {
  await visit.press();
  await visit.page.waitForTimeout(wait);
  const before = await visit.step();
  // What is said before a page goes counts: the visitor has read it.
  await fault.strike(visit);
  await visit.ready();
  const [after, said] = [await visit.step(), await visit.says()];
  if (after < before - fault.silent && !LOSS_SAID.test(said))
    throw new Error(`step ${before} became ${after}, and nothing was said (${said || "no message"})`);
  await visit.takeStep();
  return `step ${before} → ${after}`;
}

/** A fresh visitor, with a run of two steps. */
async function arrive(context: BrowserContext, url: string): Promise<Visit> {
  const page = await context.newPage();
  await catchWorkers(page);
  await fillable(page);
  await page.goto(`${url}#v=1&s=${encodeURIComponent(JSON.stringify(SETTINGS))}`);
  const visit = new Visit(page);
  await visit.ready();
  await visit.takeStep();
  await visit.takeStep();
  return visit;
}

export const attackPage: Attack = async ({ tries, seed, onProgress }) => {
  const site = await openSite({ webgpu: false });
  const dice = new Dice(seed);
  const results: AttackResult[] = [];
  try {
    for (const fault of FAULTS) {
      const result: AttackResult = { attack: `page: ${fault.name}`, tries: tries ?? TRIES, survived: 0, detail: [] };
      const context = await site.browser.newContext({ reducedMotion: "reduce" });
      let visit = await arrive(context, site.url);
      for (let i = 0; i < result.tries; i++) {
        try {
          const moved = await survive(visit, fault, dice.whole(100, LONGEST));
          await fault.mend?.(visit);
          result.survived++;
          onProgress(`${fault.name}: ${i + 1} of ${result.tries}, ${moved}`);
        } catch (error) {
          result.detail.push(`try ${i + 1}: ${error instanceof Error ? error.message : String(error)}`);
          onProgress(`${fault.name}: ${i + 1} of ${result.tries}, not survived`);
          await visit.page.close();
          visit = await arrive(await site.browser.newContext({ reducedMotion: "reduce" }), site.url);
        }
      }
      await context.close();
      results.push(result);
    }
  } finally {
    await site.close();
  }
  return results;
};
