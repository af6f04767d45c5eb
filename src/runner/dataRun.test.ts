/** From a data set to a trained policy: reflections by a teacher (a fake endpoint), then both stages, killed and resumed. */
import { createServer, type Server } from "node:http";
import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeDirectory } from "../policy/checkpointDirectory";
import { problemAt } from "../tasks/problems";
import { openWasmHome } from "../tensor/wasm/home";
import { teachFormat, tinyPolicy } from "../training/tinyPolicy";
import { start, untilLines } from "./fixtures/spawned";
import { encodePng } from "./pictures";

let folder: string;
let server: Server;
let requests = 0;
const inFolder = (name: string): string => join(folder, name);
const RECORDS = 16;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "srpo-data-run-"));
  const home = await openWasmHome();
  const policy = await tinyPolicy(home);
  await teachFormat(policy, 60);
  await writeDirectory(inFolder("tiny"), await policy.toFiles());
  await home.dispose();
  const records = await Promise.all(Array.from({ length: RECORDS }, async (_, i) => {
    const { question, answer, picture } = problemAt("train", i);
    return JSON.stringify({ id: `p${i}`, question, answer, image: { bytes: Buffer.from(await encodePng(picture)).toString("base64") } });
  }));
  await writeFile(inFolder("data.jsonl"), records.join("\n"));
  await writeFile(inFolder("none.md"), "");
  await writeFile(inFolder("prompt.md"), "{{question}} {{think}} {{firstAnswer}} right {{answer}}");
  // A teacher in the tiny policy's own words.
  server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => void (body += chunk.toString()));
    request.on("end", () => {
      requests++;
      const right = /right (\S+)"/.exec(body)?.[1] ?? "";
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({
        choices: [{ message: { content: `<reflection> answer is ${right} </reflection> <think> A = ${right} </think> <answer> ${right} </answer>` } }],
        usage: { prompt_tokens: 10, completion_tokens: 5 },
      }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  process.env["SRPO_TEACHER_URL"] = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}/v1`;
});
afterAll(async () => {
  server.close();
  delete process.env["SRPO_TEACHER_URL"];
  await rm(folder, { recursive: true, force: true });
});

test("reflections are made once for each record, and a run on them resumes to the same bits", async () => {
  const reflect = ["reflect", "--policy", inFolder("tiny"), "--data", inFolder("data.jsonl"), "--out", inFolder("reflections.jsonl"), "--teacher", "fake", "--rate", "100000",
    "--instruction", inFolder("none.md"), "--correction", inFolder("prompt.md"), "--simplification", inFolder("prompt.md"), "--set", "maxNewTokens=24"];
  const half = await start([...reflect, "--count", "6"]).done;
  expect(half.err).toBe("");
  const asked = requests;
  // A kill in the middle of a line.
  await appendFile(inFolder("reflections.jsonl"), `{"problem": "p7", "strat`);
  const whole = await start(reflect).done;
  const summary: { examples: number; discarded: number; requests: number; promptTokens: number; completionTokens: number } = JSON.parse(whole.out);
  expect(summary.examples + summary.discarded).toBe(RECORDS);
  expect(summary.examples).toBeGreaterThan(4);
  expect(summary).toMatchObject({ requests, promptTokens: 10 * requests, completionTokens: 5 * requests });
  expect(asked).toBeLessThanOrEqual(6);
  const lines = (await readFile(inFolder("reflections.jsonl"), "utf8")).trim().split("\n").map((line): { problem: string } => JSON.parse(line));
  expect(lines.map(({ problem }) => problem).sort()).toEqual(Array.from({ length: RECORDS }, (_, i) => `p${i}`).sort());

  await writeFile(inFolder("run.json"), JSON.stringify({
    policy: inFolder("tiny"), saveEvery: 2, data: { train: inFolder("data.jsonl"), instruction: inFolder("none.md"), reflections: inFolder("reflections.jsonl") },
    settings: { maxNewTokens: 40, sft: { steps: 6, batchSize: 4 }, grpo: { steps: 10, prompts: 2, groupSize: 4 } },
  }));
  const train = ["train", "--config", inFolder("run.json")];
  const alone = await start([...train, "--out", inFolder("alone")]).done;
  expect(alone.err).not.toMatch(/srpo:/);
  expect(alone.code).toBe(0);
  const { child, done } = start([...train, "--out", inFolder("killed")]);
  await untilLines(join(inFolder("killed"), "metrics.jsonl"), 9);
  child.kill("SIGKILL");
  await done;
  expect((await start([...train, "--out", inFolder("killed"), "--resume"]).done).code).toBe(0);
  for (const stage of ["sft", "grpo"]) expect(await readFile(join(inFolder("killed"), stage, "model.safetensors"))).toEqual(await readFile(join(inFolder("alone"), stage, "model.safetensors")));
});

test("what a data set needs is said", async () => {
  await writeFile(inFolder("run.json"), JSON.stringify({ policy: inFolder("tiny"), data: { train: inFolder("data.jsonl") } }));
  const { code, err } = await start(["train", "--config", inFolder("run.json"), "--out", inFolder("x")]).done;
  expect(err).toMatch(/needs data.reflections/);
  expect(code).toBe(2);
});
