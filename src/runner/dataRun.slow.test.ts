/**
 * From a data set to a trained policy: reflections by a teacher (a fake endpoint), then both stages, killed and
 * resumed.
 */

import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeDirectory } from "../policy/checkpoint/checkpointDirectory";
import { problemAt } from "../tasks/problems";
import { openWasmBackend } from "../tensor/wasm/backend";
import { teachFormat, tinyPolicy } from "../training/testing/tinyPolicy";
import { encodePng } from "./data/pictures";
import { EVENT_FILE, recordLengths } from "./run/tensorboard";
import { start, untilLines } from "./testing/spawned";

let folder: string;
let server: Server;
let requests = 0;
const inFolder = (name: string): string => join(folder, name);
const RECORDS = 16;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "srpo-data-run-"));
  const backend = await openWasmBackend();
  const policy = await tinyPolicy(backend);
  await teachFormat(policy, 60);
  await writeDirectory(inFolder("tiny"), await policy.toFiles());
  await backend.dispose();
  const records = await Promise.all(
    Array.from({ length: RECORDS }, async (_, i) => {
      const { question, answer, picture } = problemAt("train", i);
      return JSON.stringify({
        id: `p${i}`,
        question,
        answer,
        image: { bytes: Buffer.from(await encodePng(picture)).toString("base64") },
      });
    }),
  );
  await writeFile(inFolder("data.jsonl"), records.join("\n"));
  await writeFile(inFolder("none.md"), "");
  await writeFile(inFolder("prompt.md"), "{{question}} {{think}} {{firstAnswer}} right {{answer}}");
  // A teacher in the tiny policy's own words.
  server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on("end", () => {
      requests++;
      // Busy now and then: asked again.
      if (requests % 7 === 3) return void response.writeHead(429, { "retry-after": "0" }).end();
      const right = /right (\S+)"/.exec(body)?.[1] ?? "";
      response.setHeader("content-type", "application/json");
      response.end(
        JSON.stringify({
          choices: [
            {
              message: {
                content:
                  `<reflection> answer is ${right} </reflection> <think> A = ${right} </think> <answer> ` +
                  `${right} </answer>`,
              },
            },
          ],
          usage: { prompt_tokens: 10, completion_tokens: 5 },
        }),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  process.env.SRPO_TEACHER_URL = `http://127.0.0.1:${port}/v1`;
});
afterAll(async () => {
  server.close();
  delete process.env.SRPO_TEACHER_URL;
  await rm(folder, { recursive: true, force: true });
});

test("reflections are made once for each record, and a run on them resumes to the same bits and logs", async () => {
  const reflect = [
    "reflect",
    "--policy",
    inFolder("tiny"),
    "--data",
    inFolder("data.jsonl"),
    "--out",
    inFolder("reflections.jsonl"),
    "--teacher",
    "fake",
    "--rate",
    "1200",
    "--instruction",
    inFolder("none.md"),
    "--correction",
    inFolder("prompt.md"),
    "--simplification",
    inFolder("prompt.md"),
    "--set",
    "maxNewTokens=24",
    "--prompt-price",
    "2",
    "--completion-price",
    "8",
  ];
  const stopped = start(reflect);
  await untilLines(inFolder("reflections.jsonl"), 3);
  stopped.child.kill("SIGKILL");
  await stopped.done;
  // As a kill in the middle of a line leaves the file.
  await appendFile(inFolder("reflections.jsonl"), `{"problem": "p7", "strat`);
  const whole = await start(reflect).done;
  expect(whole.err).toBe("");
  const summary: {
    examples: number;
    discarded: number;
    requests: number;
    promptTokens: number;
    completionTokens: number;
    price: number;
  } = JSON.parse(whole.out);
  expect(summary.examples + summary.discarded).toBe(RECORDS);
  expect(summary.examples).toBeGreaterThan(4);
  expect(summary).toMatchObject({ promptTokens: 10 * summary.requests, completionTokens: 5 * summary.requests });
  expect(summary.price).toBeCloseTo((summary.requests * (10 * 2 + 5 * 8)) / 1e6, 12);
  // Each answered request is counted, except those in progress at the kill, and those that were refused.
  expect(summary.requests).toBeLessThanOrEqual(requests);
  expect(summary.requests).toBeGreaterThan(requests - 8 - Math.ceil(requests / 7));
  const text = await readFile(inFolder("reflections.jsonl"), "utf8");
  const lines = text
    .trim()
    .split("\n")
    .map((line): { problem: string } => JSON.parse(line));
  expect(lines.map(({ problem }) => problem).sort()).toEqual(Array.from({ length: RECORDS }, (_, i) => `p${i}`).sort());
  // Nothing is left to do, so nothing is asked.
  const asked = requests;
  expect(JSON.parse((await start(reflect).done).out)).toEqual(summary);
  expect(requests).toBe(asked);
  expect(await readFile(inFolder("reflections.jsonl"), "utf8")).toBe(text);
  // Refuses to append to a file of other records.
  await writeFile(
    inFolder("other.jsonl"),
    JSON.stringify({ id: "mine", question: "q", answer: "a", image: "none.png" }),
  );
  expect(
    await start(reflect.map((word) => (word === inFolder("data.jsonl") ? inFolder("other.jsonl") : word))).done,
  ).toMatchObject({
    code: 2,
    err: expect.stringMatching(/contains record "p\d+", which is not in .*other.jsonl/) as string,
  });

  const config = {
    policy: inFolder("tiny"),
    packing: "f16",
    saveEvery: 2,
    lora: { rank: 2 },
    data: {
      train: inFolder("data.jsonl"),
      instruction: inFolder("none.md"),
      reflections: inFolder("reflections.jsonl"),
    },
    settings: { maxNewTokens: 40, sft: { steps: 6, batchSize: 4 }, grpo: { steps: 10, prompts: 2, groupSize: 4 } },
  };
  await writeFile(inFolder("run.json"), JSON.stringify(config));
  const train = ["train", "--config", inFolder("run.json")];
  const alone = await start([...train, "--out", inFolder("alone")]).done;
  expect(alone.err).not.toMatch(/srpo:/);
  expect(alone.code).toBe(0);
  const { child, done } = start([...train, "--out", inFolder("killed")]);
  await untilLines(join(inFolder("killed"), "metrics.jsonl"), 9);
  // While the process exists, even stopped, no other process may use its folder.
  child.kill("SIGSTOP");
  const second = await start([...train, "--out", inFolder("killed"), "--resume"]).done;
  expect(second).toMatchObject({
    code: 2,
    err: expect.stringMatching(/process \d+ is already training or serving this run/) as string,
  });
  child.kill("SIGKILL");
  await done;
  expect((await start([...train, "--out", inFolder("killed"), "--resume"]).done).code).toBe(0);
  for (const stage of ["sft", "grpo"])
    expect(await readFile(join(inFolder("killed"), stage, "adapter_model.safetensors"))).toEqual(
      await readFile(join(inFolder("alone"), stage, "adapter_model.safetensors")),
    );

  // Every log equals that of the uninterrupted run: no row twice, none missing.
  const metrics = async (run: string): Promise<unknown[]> =>
    (await readFile(join(inFolder(run), "metrics.jsonl"), "utf8"))
      .trim()
      .split("\n")
      .map((line) =>
        Object.entries(JSON.parse(line) as Record<string, unknown>).filter(([name]) => !name.includes("time")),
      );
  expect(await metrics("killed")).toEqual(await metrics("alone"));
  expect(await metrics("alone")).toHaveLength(16);
  const tables = await readdir(join(inFolder("alone"), "completions"));
  expect(tables).toHaveLength(10);
  expect(await readdir(join(inFolder("killed"), "completions"))).toEqual(tables);
  for (const table of tables)
    expect(await readFile(join(inFolder("killed"), "completions", table))).toEqual(
      await readFile(join(inFolder("alone"), "completions", table)),
    );
  for (const run of ["alone", "killed"])
    expect(recordLengths(await readFile(join(inFolder(run), "tensorboard", EVENT_FILE)))).toHaveLength(1 + 16);

  // A run cannot be resumed with different data.
  await appendFile(inFolder("reflections.jsonl"), text.split("\n").find((line) => line.includes("strategy")) ?? "");
  const other = await start([...train, "--out", inFolder("killed"), "--resume"]).done;
  expect(other).toMatchObject({
    code: 2,
    err: expect.stringMatching(/the data of the run in .* has changed/) as string,
  });

  // The second stage again from the first stage's adapter, and its result inspected.
  await writeFile(
    inFolder("second.json"),
    JSON.stringify({
      ...config,
      stages: ["grpo"],
      lora: { adapter: join(inFolder("alone"), "sft") },
      data: { train: inFolder("data.jsonl"), instruction: inFolder("none.md") },
    }),
  );
  const again = await start(["train", "--config", inFolder("second.json"), "--out", inFolder("second"), "--steps", "1"])
    .done;
  expect(again.err).not.toMatch(/srpo:/);
  expect((await metrics("second"))[0]).toEqual((await metrics("alone"))[6]);
  const evaluated = await start([
    "eval",
    "--policy",
    inFolder("tiny"),
    "--adapter",
    join(inFolder("alone"), "grpo"),
    "--data",
    inFolder("data.jsonl"),
    "--instruction",
    inFolder("none.md"),
    "--set",
    "maxNewTokens=40",
    "--json",
  ]).done;
  expect(JSON.parse(evaluated.out)).toMatchObject({ problems: RECORDS, byFamily: { data: {} } });
});
