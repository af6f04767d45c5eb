/**
 * The page as a visitor uses it: found by roles and names, waited for with messages that say what was on the page
 * instead. One browser a test file; every visit has a context of its own, so that nothing stored leaks into the next.
 */
import type { BrowserContext, Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, vi } from "vitest";
import { openSite, type Site, type SiteOptions, watchErrors } from "./site";

/** Settings in a share link: any part of the page's settings. */
export type LinkSettings = Readonly<Record<string, unknown>>;

/** Steps that SwiftShader does in a second or two. */
export const SMALL: LinkSettings = {
  maxNewTokens: 40,
  grpo: { prompts: 2, groupSize: 4, steps: 4 },
  sft: { examples: 8, batchSize: 4, steps: 2 },
};

export interface VisitOptions {
  /**
   * The shipped policy the link starts from; not with the plain address. By default the base, from which every stage is
   * still to come.
   */
  readonly from?: "base" | "sft" | "srpo";
  /** Null: the plain address, which means the defaults. */
  readonly settings?: LinkSettings | null;
  readonly viewport?: { readonly width: number; readonly height: number };
  readonly theme?: "light" | "dark";
  /** Reuses an open context, with its storage. */
  readonly context?: BrowserContext;
  /** Done before the page is asked for, e.g. to hold up a file. */
  readonly before?: (page: Page) => Promise<unknown>;
  /** This very address, e.g. the link of a served run. */
  readonly at?: string;
}

/** Milliseconds. Cold kernels on two busy cores are slow; these only bound a failure. */
const ENGINE_PATIENCE = 240_000;
const STEP_PATIENCE = 240_000;
/** Longer than any single wait, so that a wait fails with its own words. */
const TEST_PATIENCE = 600_000;

export const link = (url: string, settings: LinkSettings, from: NonNullable<VisitOptions["from"]>): string =>
  `${url}#v=1&from=${from}&s=${encodeURIComponent(JSON.stringify(settings))}`;

export class Playground {
  /** What the console said at level error, and what the page threw. */
  private readonly errors: string[];
  /** Errors that this test brings about on purpose, as the console words them. */
  private readonly wanted: RegExp[] = [];
  readonly transport: Locator;
  readonly notices: Locator;
  readonly badge: Locator;

  constructor(readonly page: Page) {
    this.errors = watchErrors(page);
    this.transport = page.getByRole("group", { name: "Transport" });
    this.notices = page.getByRole("status").filter({ has: page.getByRole("button", { name: /^Dismiss/ }) });
    this.badge = page
      .getByRole("banner")
      .getByRole("button", { name: /^(WebGPU|WebAssembly|Plain TensorFlow\.js|Recovering|Node|Disconnected)/ });
  }

  /**
   * The console may say this, whenever it does: a browser words some errors (a connection refused) a while after the
   * page has told the visitor, and until the page is closed.
   */
  wants(error: RegExp): void {
    this.wanted.push(error);
  }

  /** Errors on the page's console that no test brought about. */
  get faults(): readonly string[] {
    return this.errors.filter((error) => !this.wanted.some((each) => each.test(error)));
  }

  button(name: string | RegExp): Locator {
    return this.page.getByRole("button", typeof name === "string" ? { name, exact: true } : { name });
  }

  /** Steps done in this stage, as the transport says. */
  async step(): Promise<number> {
    const text = await this.transport.getByText(/^step\s*\d/).innerText();
    const found = /step\s*(\d+)/.exec(text)?.[1];
    if (found === undefined) throw new Error(`The transport says "${text}" instead of a step.`);
    return Number(found);
  }

  async playing(): Promise<boolean> {
    return (await this.button("Pause").count()) > 0;
  }

  /** Which stage the stepper marks as the present one. */
  stage(): Promise<string> {
    return this.page.getByRole("navigation", { name: "Training stage" }).locator("[aria-current=step]").innerText();
  }

  phase(name: "Rollout" | "Score" | "Normalise" | "Update"): Locator {
    return this.page.getByRole("list", { name: "Phases of this step" }).getByRole("listitem").filter({ hasText: name });
  }

  /** The rows' numbers by what a screen reader says of them. */
  get rewards(): Locator {
    return this.button(/^Response \d+: total reward/);
  }

  get advantages(): Locator {
    return this.button(/^Response \d+: advantage/);
  }

  get probabilities(): Locator {
    return this.button(/^Response \d+: log-probability .* before/);
  }

  get table(): Locator {
    return this.page.getByRole("table", { name: /^\d+ responses to/ });
  }

  /** The engine is ready when it can be asked to play. */
  async ready(): Promise<void> {
    await this.until(
      "the engine to be ready",
      async () => (await this.badge.count()) > 0 && (await this.button(/^(Play|Pause)$/).isEnabled()),
      ENGINE_PATIENCE,
    );
  }

  async enter(stage: "Base" | "Reflection SFT" | "GRPO"): Promise<void> {
    await this.page.getByRole("navigation", { name: "Training stage" }).getByRole("button", { name: stage }).click();
    await this.until(`the stage ${stage}`, async () => (await this.stage()).includes(stage));
  }

  reach(step: number): Promise<void> {
    return this.until(`step ${step}`, async () => (await this.step()) >= step);
  }

  /** One whole step with the button. */
  async takeStep(): Promise<void> {
    const wanted = (await this.step()) + 1;
    await this.button("One step (→)").click();
    await this.reach(wanted);
  }

  /** Waits for a condition; a failure says what the page showed instead. */
  async until(what: string, holds: () => Promise<boolean>, patience = STEP_PATIENCE): Promise<void> {
    const end = Date.now() + patience;
    for (;;) {
      if (await holds()) return;
      if (Date.now() > end)
        throw new Error(
          `Timed out after ${Math.round(patience / 1000)} s waiting for ${what}. ${await this.describe()}`,
        );
      await this.page.waitForTimeout(100);
    }
  }

  async describe(): Promise<string> {
    const banner = (await this.page.getByRole("banner").innerText()).replace(/\s+/g, " ");
    const notices = (await this.notices.count()) > 0 ? (await this.notices.innerText()).replace(/\s+/g, " ") : "none";
    return `The header says "${banner}"; notices: ${notices}; console errors: ${this.faults.join(" | ") || "none"}.`;
  }

  /** A notice with this text. */
  async told(text: RegExp): Promise<string> {
    await this.until(
      `a notice that matches ${String(text)}`,
      async () => (await this.notices.count()) > 0 && text.test(await this.notices.innerText()),
    );
    return this.notices.innerText();
  }

  /** The line about what is kept. */
  get keeping(): Locator {
    return this.page.locator(".keeping-line");
  }

  /** The line about what is kept says this. */
  async keeps(text: RegExp): Promise<string> {
    await this.until(
      `a line about what is kept that matches ${String(text)}`,
      async () => (await this.keeping.count()) > 0 && text.test(await this.keeping.innerText()),
    );
    return this.keeping.innerText();
  }

  async openHelp(): Promise<Locator> {
    await this.button("Help").click();
    const help = this.page.getByRole("dialog", { name: "What am I looking at?" });
    await help.waitFor({ state: "visible", timeout: 5000 });
    return help;
  }
}

export interface Visitors {
  readonly site: Site;
  visit(options?: VisitOptions): Promise<Playground>;
  /** Look after a page that was opened elsewhere, e.g. in a browser that blocks cookies. */
  adopt(page: Page): Playground;
  /** A context that outlives a page: for closing a tab and coming back. */
  context(options?: Pick<VisitOptions, "viewport" | "theme">): Promise<BrowserContext>;
}

/**
 * Registers the browser of a test file; after each test, pages are closed and must have left the console free of
 * errors.
 */
export function visitors(options: SiteOptions): Visitors {
  let site: Site | null = null;
  let contexts: BrowserContext[] = [];
  let visits: Playground[] = [];
  const opened = (): Site => {
    if (site === null) throw new Error("The browser is not open yet: visit the page inside a test.");
    return site;
  };
  const context: Visitors["context"] = async ({ viewport = { width: 1440, height: 900 }, theme = "light" } = {}) => {
    const fresh = await opened().browser.newContext({ viewport, colorScheme: theme, reducedMotion: "reduce" });
    contexts.push(fresh);
    return fresh;
  };

  vi.setConfig({ testTimeout: TEST_PATIENCE });
  beforeAll(async () => {
    site = await openSite(options);
  });
  afterAll(async () => {
    await site?.close();
  });
  afterEach(async () => {
    await Promise.all(contexts.map((each) => each.close()));
    const errors = visits.flatMap((visit) => visit.faults);
    contexts = [];
    visits = [];
    expect(errors, "errors on the page's console").toEqual([]);
  });

  return {
    get site() {
      return opened();
    },
    context,
    adopt(page) {
      const visit = new Playground(page);
      visits.push(visit);
      return visit;
    },
    async visit({ settings = SMALL, from = "base", before, context: given, at, ...look } = {}) {
      const page = await (given ?? (await context(look))).newPage();
      const visit = new Playground(page);
      visits.push(visit);
      await before?.(page);
      await page.goto(at ?? (settings === null ? opened().url : link(opened().url, settings, from)));
      return visit;
    },
  };
}
