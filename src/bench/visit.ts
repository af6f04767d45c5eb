/**
 * One visit to the built page in a headless Chromium, timed from inside the page by the worker's messages and what is
 * shown.
 */
import type { BrowserContext, Page } from "playwright-core";
import { z } from "zod";

/** Milliseconds since the start of navigation, except for the parts of opening, which are durations. */
const marksSchema = z.object({
  firstPaint: z.number(),
  prepared: z.number().nullable(),
  opened: z.number(),
  costs: z.object({
    download: z.number(),
    device: z.number(),
    pipelines: z.number(),
    selfTest: z.number(),
    load: z.number(),
  }),
  asked: z.number(),
  stepped: z.number(),
});
export type Visit = z.output<typeof marksSchema>;

/** The part of a start that has a target, as named in tables. */
export const PREPARED = "prepared group shown, from the start";

const PATIENCE = 280_000;

/** Open `url`, wait for the engine, take one training step. @throws Error when the page does not get that far */
export async function visit(context: BrowserContext, url: string): Promise<Visit> {
  const page = await context.newPage();
  try {
    // The compiler that runs this file wraps functions in a helper of this name, which the page lacks.
    await page.addInitScript({ content: "globalThis.__name = (value) => value;" });
    await page.addInitScript(watchPage);
    await page.goto(url);
    await waitFor(page, "the engine", "opened");
    await page.getByRole("button", { name: "One step (→)", exact: true }).click({ timeout: PATIENCE });
    await waitFor(page, "the first step", "stepped");
    return marksSchema.parse(
      await page.evaluate(() => ({
        ...Reflect.get(window, "startMarks"),
        firstPaint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime,
      })),
    );
  } finally {
    await page.close();
  }
}

async function waitFor(page: Page, what: string, mark: string): Promise<void> {
  try {
    await page.waitForFunction((name) => Reflect.get(Reflect.get(window, "startMarks"), name) !== undefined, mark, {
      timeout: PATIENCE,
      polling: 100,
    });
  } catch (error) {
    const banner = (await page.getByRole("banner").innerText()).replaceAll(/\s+/g, " ");
    throw new Error(`startup: timed out waiting for ${what}; the page's header says "${banner}".`, { cause: error });
  }
}

/**
 * Runs in the page before its own scripts: records the worker's messages, when the prepared group is drawn, and the
 * click that starts a step.
 */
function watchPage(): void {
  const marks: Record<string, unknown> = { prepared: null };
  Reflect.set(window, "startMarks", marks);
  const now = (): number => performance.now();
  window.Worker = class extends Worker {
    constructor(...args: ConstructorParameters<typeof Worker>) {
      super(...args);
      this.addEventListener("message", ({ data }: MessageEvent<{ type?: string; costs?: unknown }>) => {
        if (data.type === "opened") Object.assign(marks, { opened: now(), costs: data.costs });
        if (data.type === "stepped") marks.stepped ??= now();
      });
    }
  };
  document.addEventListener(
    "click",
    () => {
      marks.asked ??= now();
    },
    true,
  );
  const look = (): void => {
    if (document.querySelector("main table") !== null && marks.opened === undefined) marks.prepared = now();
    else if (marks.opened === undefined) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}
