/**
 * Screenshots of every view of the page: `npx tsx src/bench/screenshots.ts FOLDER [--only NAME,NAME]`. The states come
 * from a script (src/app/testing), so every run draws the same; `--built` takes screenshots of the built page (dist)
 * with its real engine instead.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Browser, chromium } from "playwright-core";
import { createServer, preview } from "vite";
import { browserFlags, findOrInstallBrowser } from "../../e2e/setup/browser";
import { builtPage } from "../runner/serve/buildPage";

const SIZES = {
  wide: { width: 1440, height: 900 },
  middle: { width: 1024, height: 800 },
  phone: { width: 390, height: 844 },
} as const;
const THEMES = ["light", "dark"] as const;
const STATES = [
  "first",
  "base",
  "sft",
  "sftTraining",
  "grpo",
  "late",
  "step1",
  "several",
  "changed",
  "recipes",
  "recipesSrpo",
  "more",
  "refill",
  "truncated",
  "rollout",
  "score",
  "moved",
  "ownTerms",
  "wasm",
  "lost",
  "refused",
  "nothingRight",
  "flat",
  "long",
  "malformed",
  "rounds",
  "adaptive",
  "thinkAgain",
  "begun",
  "replayed",
  "failed",
  "why",
  "open",
  "help",
  "sheet",
  "badge",
  "snapshot",
  "full",
  "unsaved",
  "nothingStored",
  "olderSave",
  "unreadable",
  "unguarded",
  "watching",
  "fromLink",
  "stopped",
] as const;
/** Taken in every size and theme; the others once. */
const EVERYWHERE: readonly string[] = [
  "first",
  "grpo",
  "sft",
  "help",
  "ownTerms",
  "several",
  "recipes",
  "rounds",
  "thinkAgain",
  "begun",
];
const PHONE_ONLY: readonly string[] = ["sheet"];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: "string" }, built: { type: "boolean", default: false } },
});
const folder = positionals[0];
if (folder === undefined) {
  console.error("Say where the pictures go: npx tsx src/bench/screenshots.ts FOLDER [--only NAME,NAME] [--built]");
  process.exit(2);
}
mkdirSync(folder, { recursive: true });

const browser = await chromium.launch({ executablePath: findOrInstallBrowser(), args: browserFlags(true) });

async function picture(
  from: Browser,
  address: string,
  size: keyof typeof SIZES,
  theme: (typeof THEMES)[number],
  path: string,
  wait: number,
): Promise<void> {
  const page = await from.newPage({ viewport: SIZES[size], colorScheme: theme, deviceScaleFactor: 1 });
  page.on("pageerror", (error) => console.error(`${path}: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error") console.error(`${path}: ${message.text()}`);
  });
  await page.goto(address);
  await page.waitForTimeout(wait);
  // Curves are drawn when they are first seen, and loaded last; a state without steps has none.
  await page.evaluate(async () => {
    for (const curve of document.querySelectorAll(".curve")) {
      curve.scrollIntoView();
      await new Promise((resolve) => {
        setTimeout(resolve, 60);
      });
    }
    for (const scrolled of [document.scrollingElement, document.querySelector(".curves")]) scrolled?.scrollTo(0, 0);
  });
  await page.waitForFunction(
    () => [...document.querySelectorAll(".plot")].every((plot) => plot.querySelector("svg, .plot-empty") !== null),
    undefined,
    { timeout: 30_000 },
  );
  await page.waitForTimeout(300);
  await page.screenshot({ path, fullPage: size === "phone" });
  await page.close();
  console.log(path);
}

if (values.built) {
  builtPage(console.error);
  const server = await preview({ preview: { port: 0, open: false } });
  const address = server.resolvedUrls?.local[0];
  if (address === undefined) throw new Error("The preview server gave no address.");
  for (const size of ["wide", "phone"] as const)
    for (const theme of THEMES)
      await picture(browser, address, size, theme, join(folder, `built-${size}-${theme}.png`), 15_000);
  await server.close();
} else {
  const server = await createServer({ server: { port: 0, hmr: false }, logLevel: "warn" });
  await server.listen();
  const address = server.resolvedUrls?.local[0];
  if (address === undefined) throw new Error("The development server gave no address.");
  const wanted = values.only?.split(",");
  for (const state of STATES) {
    if (wanted && !wanted.includes(state)) continue;
    for (const size of ["wide", "middle", "phone"] as const) {
      for (const theme of THEMES) {
        const usual = PHONE_ONLY.includes(state) ? "phone" : "wide";
        if (!EVERYWHERE.includes(state) && (size !== usual || theme === "dark")) continue;
        await picture(
          browser,
          `${address}src/app/testing/stage.html?state=${state}&theme=${theme}`,
          size,
          theme,
          join(folder, `${state}-${size}-${theme}.png`),
          1500,
        );
      }
    }
  }
  await server.close();
}
await browser.close();
