/**
 * `srpo serve`: a run in Node, opened by its link, stepped from the page, watched by a second tab, reopened.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { link as linkTo, SMALL, visitors } from "./setup/playground";

const { visit, context } = visitors({ webgpu: false });
/** Milliseconds for the runner to open the policy: bounds a failure only. */
const OPENING = 120_000;

let folder = "";
let runner: ChildProcess;
let link = "";
/** What the terminal says. */
let said = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "srpo-serve-"));
  const settings = ["maxNewTokens=24", "grpo.prompts=1", "grpo.groupSize=4", "grpo.steps=100"].flatMap((each) => [
    "--set",
    each,
  ]);
  runner = spawn(
    process.execPath,
    [
      "--import",
      "tsx",
      "src/runner/cli.ts",
      "serve",
      "--policy",
      "public/policies/sft",
      "--run",
      folder,
      "--backend",
      "wasm",
      "--stage",
      "grpo",
      ...settings,
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  runner.stderr?.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  link = await new Promise<string>((resolve, reject) => {
    setTimeout(() => reject(new Error(`srpo serve printed no link. It said: ${said}`)), OPENING).unref();
    runner.once("exit", (code) => reject(new Error(`srpo serve ended with ${code}. It said: ${said}`)));
    runner.stdout?.on("data", (chunk: Buffer) => resolve(chunk.toString().trim()));
  });
});

afterAll(async () => {
  runner.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

test("the page itself trains under the server's Content-Security-Policy, with its worker and WebAssembly", async () => {
  const own = await visit({ at: linkTo(new URL("/", link).href, SMALL, "sft") });
  const violations = await own.page.evaluateHandle(() => {
    const seen: string[] = [];
    document.addEventListener("securitypolicyviolation", (event) =>
      seen.push(`${event.effectiveDirective}: ${event.blockedURI}`),
    );
    return seen;
  });
  await own.ready();
  expect(await own.badge.innerText()).toMatch(/^WebAssembly/);
  await own.takeStep();
  expect(await violations.jsonValue()).toEqual([]);
  const headers = (await own.page.request.get(new URL("/", link).href)).headers();
  expect(headers["content-security-policy"]).toContain("script-src 'self' 'wasm-unsafe-eval'");
  await own.page.close();
});

describe("a run in Node", () => {
  test("is stepped from its link, watched by a second tab, rejoined after a reload, then lost", async () => {
    expect(link).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/#run=[\w-]{22}$/);
    const kept = await context();
    const first = await visit({ at: link, context: kept });
    await first.ready();
    expect((await first.badge.innerText()).replace(/\s+/g, " ")).toMatch(/^Node .+ · public\/policies\/sft/);
    expect(await first.stage()).toContain("GRPO");
    await first.takeStep();
    expect(await first.advantages.count(), "advantages of the group").toBe(4);
    expect(await first.probabilities.count(), "rows with a change of log p").toBe(4);
    expect(
      (await readFile(join(folder, "metrics.jsonl"), "utf8")).trim().split("\n"),
      "lines of metrics.jsonl",
    ).toHaveLength(1);

    const second = await visit({ at: link, context: kept });
    await second.until("the second tab to watch", async () => (await second.button("Take control").count()) === 1);
    expect(await second.step(), "the step in the second tab").toBe(1);
    expect(await second.advantages.count(), "advantages in the second tab").toBe(4);
    expect(await second.button("One step (→)").isDisabled(), "the step button of the watching tab").toBe(true);

    await first.button("Play").click();
    await second.reach(2);
    await first.page.close();
    await second.until("control", async () => await second.button("Pause").isEnabled());
    await second.reach((await second.step()) + 1);
    await second.button("Pause").click();
    await second.until("play to end", async () => !(await second.playing()));

    const at = await second.step();
    await second.page.reload();
    await second.ready();
    expect(await second.step(), "the step after a reload").toBe(at);
    expect(
      await second.page.getByRole("img", { name: /^Reward by term/ }).getAttribute("aria-label"),
      "the curves after a reload",
    ).toContain(`steps 1 to ${at}`);

    // The page tries to find it again, and a browser says on its console that nobody answers.
    second.wants(/^WebSocket connection to .*ERR_CONNECTION_REFUSED/);
    runner.kill("SIGINT");
    expect(await second.told(/runner/)).toContain("Connection to the runner lost");
    expect(await second.badge.innerText()).toContain("Disconnected");
    expect(said).toContain("a tab joined and steers");
    await second.page.close();
  });
});
