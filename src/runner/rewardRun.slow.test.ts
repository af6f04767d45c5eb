/** Runs with a reward file, from the command line: a TypeScript file is loaded, logged, kept, and held to. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeDirectory } from "../policy/checkpoint/checkpointDirectory";
import { openWasmBackend } from "../tensor/wasm/backend";
import { teachFormat, tinyPolicy } from "../training/testing/tinyPolicy";
import { start } from "./testing/spawned";

const EXAMPLE = "docs/examples/my-reward.ts";
let folder: string;
const inFolder = (name: string): string => join(folder, name);
const lines = (text: string): Record<string, unknown>[] =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "srpo-reward-run-"));
  const backend = await openWasmBackend();
  const policy = await tinyPolicy(backend);
  await teachFormat(policy, 60);
  await writeDirectory(inFolder("tiny"), await policy.toFiles());
  await backend.dispose();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("score: each term by name, and a response without a score as an error with exit code 1", async () => {
  const cases = ["--input", "src/srpo/golden/reward_cases.jsonl"];
  const { code, out } = await start(["score", ...cases, "--reward", EXAMPLE]).done;
  expect(code).toBe(0);
  const records = lines(out);
  expect(records).toHaveLength(48);
  for (const record of records) expect(Object.keys(Object(record.custom))).toEqual(["fresh", "quick"]);
  // A file outside the project, and only some responses have a reflection.
  const picky = inFolder("picky.ts");
  await writeFile(
    picky,
    `interface Facts { readonly reflection: { readonly text: string } }
    export default {
      name: "picky",
      term({ reflection }: Facts): number {
        if (reflection.text === "") throw new Error("nothing to read");
        return 1;
      },
    };`,
  );
  const some = await start(["score", ...cases, "--reward", picky]).done;
  expect(some.code).toBe(1);
  const failed = lines(some.out).filter(({ error }) => error !== undefined);
  expect(failed[0]).toEqual({
    id: failed[0]?.id,
    error: `reward term "picky": ${picky} threw Error: nothing to read`,
  });
  expect(failed.length).toBeLessThan(48);
  expect(some.err).toContain(`${failed.length} of 48 lines have no score`);
});

test("train: logged like any term, its text kept, and resumed with that text alone", async () => {
  const out = inFolder("run");
  const own = inFolder("own.ts");
  const text = await readFile(EXAMPLE, "utf8");
  await writeFile(own, text);
  const tiny = ["--stage", "grpo", "--save-every", "1", "--grpo.prompts", "2", "--grpo.groupSize", "3"];
  const train = (...more: string[]) =>
    start(["train", "--policy", inFolder("tiny"), "--out", out, ...tiny, "--set", "maxNewTokens=16", ...more]).done;
  expect(await train("--steps", "1", "--reward", own)).toMatchObject({ code: 0 });
  expect(await readFile(join(out, "reward.ts"), "utf8")).toBe(text);
  expect(JSON.parse(await readFile(join(out, "plan.json"), "utf8"))).toMatchObject({
    reward: { file: own, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
  });
  expect(lines(await readFile(join(out, "metrics.jsonl"), "utf8"))[0]).toMatchObject({
    "rewards/fresh": expect.any(Number),
    "rewards/quick": expect.any(Number),
    "score/failed": 0,
  });

  await writeFile(own, `${text}\n// changed`);
  const refused = await train("--resume", "--steps", "2");
  expect(refused.code).toBe(2);
  expect(refused.err).toContain(`${own} is not the reward file that the run in ${out} started with`);
  const copy = join(out, "reward.ts");
  expect(await train("--resume", "--steps", "2", "--reward", copy)).toMatchObject({ code: 0 });
  const steps = lines(await readFile(join(out, "metrics.jsonl"), "utf8"));
  expect(steps.map(({ step }) => step)).toEqual([1, 2]);
  expect(steps[1]).toMatchObject({ "rewards/fresh": expect.any(Number), "score/failed": 0 });
});
