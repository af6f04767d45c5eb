/**
 * The animation in README: one GRPO step of the built page, phase by phase, as an animated WebP.
 *
 *   npm run build && npm run recording -- docs/step.webp [--frames FOLDER]
 *
 * The page computes on SwiftShader, so it needs no GPU; settings and policy come from the link.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chromium, type Page } from "playwright-core";
import sharp from "sharp";
import { preview } from "vite";
import { browserFlags, findOrInstallBrowser } from "../../e2e/setup/browser";

const SIZE = { width: 1440, height: 900 };
/** The phases, and after each the first response's number that is hovered for its explanation. */
const PHASES = [
  { phase: "Rollout", number: null },
  { phase: "Score", number: /^Response 1: total reward/ },
  { phase: "Normalise", number: /^Response 1: advantage/ },
  { phase: "Update", number: /^Response 1: log-probability .* before/ },
] as const;
const SETTINGS = { grpo: { prompts: 2, groupSize: 8 } };
/** Milliseconds per frame: in transit, at the end of a phase, and with an explanation. */
const PASSING = 500;
const RESTING = 1800;
const EXPLAINED = 2800;

interface Frame {
  readonly png: Buffer;
  readonly milliseconds: number;
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { frames: { type: "string" } } });
const out = positionals[0];
if (out === undefined) {
  console.error("Name the file to write: npm run recording -- docs/step.webp [--frames FOLDER]");
  process.exit(2);
}

async function record(page: Page): Promise<readonly Frame[]> {
  const frames: Frame[] = [];
  const take = async (milliseconds: number): Promise<void> => {
    const png = await page.screenshot();
    const last = frames.at(-1);
    // Repeating an unchanged frame would only make the file larger.
    if (last?.png.equals(png)) frames[frames.length - 1] = { png, milliseconds: last.milliseconds + milliseconds };
    else frames.push({ png, milliseconds });
  };
  const subStep = page.getByRole("button", { name: "Sub-step", exact: true });
  const phases = page.getByRole("list", { name: "Phases of this step" }).getByRole("listitem");
  await take(RESTING);
  for (const { phase, number } of PHASES) {
    const isDone = async (): Promise<boolean> =>
      phases.filter({ hasText: phase }).filter({ hasText: "done" }).isVisible();
    await subStep.click();
    for (let i = 0; i < 5 && !(await isDone()); i++) {
      await page.waitForTimeout(250);
      await take(PASSING);
    }
    await phases.filter({ hasText: phase }).filter({ hasText: "done" }).waitFor({ timeout: 120_000 });
    await page.waitForTimeout(800);
    await take(RESTING);
    if (number === null) continue;
    await page.getByRole("button", { name: number }).hover();
    await page.getByRole("tooltip").waitFor();
    await page.waitForTimeout(300);
    await take(EXPLAINED);
    await page.mouse.move(0, 0);
  }
  return frames;
}

const server = await preview({ preview: { host: "127.0.0.1", port: 0, open: false } });
const browser = await chromium.launch({ executablePath: findOrInstallBrowser(), args: browserFlags(true) });
try {
  const address = server.resolvedUrls?.local[0];
  if (address === undefined) throw new Error("vite preview gave no address; build the page first: npm run build");
  const page = await browser.newPage({ viewport: SIZE, colorScheme: "light", reducedMotion: "reduce" });
  await page.goto(`${address}#v=1&from=sft&s=${encodeURIComponent(JSON.stringify(SETTINGS))}`);
  await page.getByRole("button", { name: "Play", exact: true }).and(page.locator(":enabled")).waitFor();
  await page.getByRole("main").getByText("New samples").first().waitFor({ timeout: 120_000 });
  await page.waitForTimeout(1000);
  const frames = await record(page);
  if (values.frames !== undefined) {
    mkdirSync(values.frames, { recursive: true });
    for (const [i, { png }] of frames.entries()) writeFileSync(join(values.frames, `${i}.png`), png);
  }
  const webp = await sharp(
    frames.map(({ png }) => png),
    { join: { animated: true } },
  )
    .webp({ quality: 90, effort: 6, loop: 0, delay: frames.map(({ milliseconds }) => milliseconds) })
    .toBuffer();
  writeFileSync(out, webp);
  console.log(`${out}: ${frames.length} frames, ${(webp.byteLength / 1e6).toFixed(2)} MB`);
} finally {
  await browser.close();
  await server.close();
}
