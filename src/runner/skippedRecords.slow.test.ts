/**
 * Data sets with records that cannot be used, by the command line: checked, trained on past them, killed and resumed,
 * stopped at them, evaluated, and reflected on by a teacher that refuses some.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeDirectory } from "../policy/checkpoint/checkpointDirectory";
import { problemAt } from "../tasks/problems";
import { openWasmBackend } from "../tensor/wasm/backend";
import { teachFormat, tinyPolicy } from "../training/testing/tinyPolicy";
import { encodePng } from "./data/pictures";
import { type Outcome, start, untilLines } from "./testing/spawned";

let folder: string;
let server: Server;
let asked: string[] = [];
/** What the teacher does with a record, by the right answer in its prompt. */
let teacher: (answer: string) => { readonly status: number; readonly body: unknown };
const inFolder = (name: string): string => join(folder, name);
const srpo = (...args: string[]): Promise<Outcome> => start(args).done;
const RECORDS = 8;
/** Those that the policy answers for the teacher; it gets the format right in a third of them. */
const TAUGHT = 24;
/** A picture that is too wide, and one that is not there. */
const BAD = { 2: "wide.png", 5: "none.png" };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "srpo-skipped-"));
  const backend = await openWasmBackend();
  const policy = await tinyPolicy(backend);
  await teachFormat(policy, 60);
  await writeDirectory(inFolder("tiny"), await policy.toFiles());
  await backend.dispose();
  await writeFile(inFolder("wide.png"), await encodePng({ width: 404, height: 2, pixels: new Uint8Array(2424) }));
  const records: string[] = [];
  for (let row = 0; row < TAUGHT; row++) {
    const { question, picture } = problemAt("train", row);
    await writeFile(inFolder(`${row}.png`), await encodePng(picture));
    const image = row in BAD ? BAD[row as keyof typeof BAD] : `${row}.png`;
    records.push(JSON.stringify({ id: `r${row}`, question, answer: 100 + row, image }));
  }
  await writeFile(inFolder("data.jsonl"), `\ufeff${records.slice(0, RECORDS).join("\r\n")}\r\n`);
  await writeFile(inFolder("taught.jsonl"), records.join("\n"));
  await writeFile(inFolder("none.md"), "\ufeff");
  await writeFile(inFolder("prompt.md"), "{{question}} {{think}} {{firstAnswer}} right {{answer}}");
  server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on("end", () => {
      const answer = /right (\S+)"/.exec(body)?.[1] ?? "";
      asked.push(answer);
      const { status, body: said } = teacher(answer);
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(said));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  process.env.SRPO_TEACHER_URL = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/v1`;
});
afterAll(async () => {
  server.close();
  delete process.env.SRPO_TEACHER_URL;
  await rm(folder, { recursive: true, force: true });
});

const lines = async (path: string): Promise<Record<string, unknown>[]> =>
  (await readFile(path, "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
const instruction = (): string[] => ["--instruction", inFolder("none.md")];

test("data check lists what would be skipped and says so by its exit code", async () => {
  const flags = ["--policy", inFolder("tiny"), "--set", "maxNewTokens=24", ...instruction()];
  const checked = await srpo("data", "check", inFolder("data.jsonl"), ...flags);
  expect(checked.code).toBe(1);
  expect(checked.out).toMatch(/data.jsonl, line 3, record "r2": .*404×2 pixels, an aspect ratio of 202/);
  expect(checked.out).toMatch(/data.jsonl, line 6, record "r5": image: .*none.png does not exist/);
  expect(checked.out).toMatch(/data.jsonl: 8 records, 2 would be skipped; prompt tokens \d+ to \d+, mean \d+;/);
  await writeFile(inFolder("good.jsonl"), JSON.stringify({ question: "answer is", answer: 1, image: "0.png" }));
  const good = await srpo("data", "check", inFolder("good.jsonl"), "--json", ...flags);
  expect(good.code).toBe(0);
  expect(JSON.parse(good.out)).toMatchObject({ row: 0, line: 1, id: "0", size: [[32, 32]], error: null });
});

test("training passes over them, the same when it is killed or stopped at one and resumed", async () => {
  const config = {
    policy: inFolder("tiny"),
    stages: ["grpo"],
    saveEvery: 3,
    data: { train: inFolder("data.jsonl"), instruction: inFolder("none.md") },
    settings: { maxNewTokens: 24, grpo: { steps: 8, prompts: 2, groupSize: 3 } },
  };
  await writeFile(inFolder("run.json"), `\ufeff${JSON.stringify(config)}`);
  const train = ["train", "--config", inFolder("run.json")];
  const alone = await srpo(...train, "--out", inFolder("alone"));
  expect(alone.err).toMatch(/skipped .*data.jsonl, line 3, record "r2": .*aspect ratio/);
  expect(alone.err).toMatch(/2 records were skipped; .*alone.skipped.jsonl names each with its reason/);
  expect(alone.code).toBe(0);
  const skipped = await lines(join(inFolder("alone"), "skipped.jsonl"));
  const sorted = skipped.toSorted((a, b) => Number(a.row) - Number(b.row));
  expect(sorted).toEqual([
    { file: inFolder("data.jsonl"), row: 2, line: 3, id: "r2", reason: expect.stringMatching(/aspect/) as string },
    { file: inFolder("data.jsonl"), row: 5, line: 6, id: "r5", reason: expect.stringMatching(/exist/) as string },
  ]);
  const metrics = async (run: string): Promise<unknown[]> =>
    (await lines(join(inFolder(run), "metrics.jsonl"))).map((step) =>
      Object.entries(step).filter(([name]) => !name.includes("time")),
    );
  const counted = (await lines(join(inFolder("alone"), "metrics.jsonl"))).map((step) => Number(step["data/skipped"]));
  // 16 usable places are two whole epochs of 6 and four more: two records are passed over in each epoch.
  expect(counted.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(4);

  const { child, done } = start([...train, "--out", inFolder("killed")]);
  await untilLines(join(inFolder("killed"), "metrics.jsonl"), 4);
  child.kill("SIGKILL");
  await done;
  const resumed = await srpo(...train, "--out", inFolder("killed"), "--resume");
  expect(resumed.code).toBe(0);
  expect(resumed.err).toMatch(/2 records were skipped/);

  const stopped = await srpo(...train, "--out", inFolder("stopped"), "--on-error", "stop");
  expect(stopped.code).toBe(2);
  expect(stopped.err).toMatch(
    /srpo: .*data.jsonl, line \d, record "r[25]": .*. Mend or remove the record, or pass over/,
  );
  expect((await srpo(...train, "--out", inFolder("stopped"), "--resume", "--on-error", "skip")).code).toBe(0);
  for (const run of ["killed", "stopped"]) {
    expect(await metrics(run)).toEqual(await metrics("alone"));
    expect(await lines(join(inFolder(run), "skipped.jsonl"))).toEqual(skipped);
    expect(await readFile(join(inFolder(run), "grpo", "model.safetensors"))).toEqual(
      await readFile(join(inFolder("alone"), "grpo", "model.safetensors")),
    );
  }
});

test("an evaluation goes on without them and counts them", async () => {
  const flags = ["--policy", inFolder("tiny"), "--data", inFolder("data.jsonl"), "--set", "maxNewTokens=24"];
  const evaluated = await srpo("eval", ...flags, ...instruction(), "--json");
  expect(JSON.parse(evaluated.out)).toMatchObject({ problems: 6, skipped: 2 });
  expect(evaluated.err).toMatch(/2 records were skipped/);
  expect(evaluated.code).toBe(0);
});

test("a teacher that refuses a record costs that record; one that refuses all costs nothing", async () => {
  const reflect = [
    ...["reflect", "--policy", inFolder("tiny"), "--data", inFolder("taught.jsonl"), "--out", inFolder("made.jsonl")],
    ...["--teacher", "fake", "--rate", "6000", "--tries", "1", "--set", "maxNewTokens=24", ...instruction()],
    ...["--correction", inFolder("prompt.md"), "--simplification", inFolder("prompt.md")],
  ];
  const refusal = { status: 400, body: { error: "x".repeat(100_000) } };
  teacher = () => refusal;
  const none = await srpo(...reflect);
  expect(none.code).toBe(1);
  expect(none.err).toMatch(/the teacher answered none of the last \d+ requests, so nothing was written for them/);
  expect(none.err.length).toBeLessThan(4000);
  const readable = asked.length;
  expect(readable).toBeGreaterThan(3);
  const refused = asked[0] ?? "";

  asked = [];
  teacher = (answer) => {
    if (answer === refused) return refusal;
    const blocks = `<reflection> answer is ${answer} </reflection> <think> A </think> <answer> ${answer} </answer>`;
    const content = `<think> right is ${answer} </think> ${blocks}`;
    return { status: 200, body: { choices: [{ message: { content } }] } };
  };
  const some = await srpo(...reflect);
  expect(some.code).toBe(0);
  expect(JSON.parse(some.out)).toMatchObject({ examples: readable - 1, refused: 1, skipped: 3 });
  expect(asked).toHaveLength(readable);
  const made = await lines(inFolder("made.jsonl"));
  for (const example of made.filter(({ reflection }) => reflection !== undefined))
    expect(example).toMatchObject({
      reflection: expect.stringMatching(/^answer is \d+$/) as string,
      refinedSolution: { think: "A" },
    });
  const skipped = await lines(inFolder("made.skipped.jsonl"));
  expect(skipped.map(({ reason }) => String(reason)).filter((reason) => /answered 400/.test(reason))).toHaveLength(1);
  expect(JSON.stringify(skipped).length).toBeLessThan(3000);

  asked = [];
  const again = await srpo(...reflect);
  expect(asked).toEqual([]);
  expect(JSON.parse(again.out)).toEqual(JSON.parse(some.out));
});
