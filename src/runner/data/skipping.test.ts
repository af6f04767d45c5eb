/**
 * Training on a data set with records that cannot be used: the next in order takes the place of each, in every stage,
 * and a run resumed past them trains on the same records to the same bits.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Policy } from "../../policy/policy";
import { problemAt } from "../../tasks/problems";
import type { Backend } from "../../tensor/backend";
import { openWasmBackend } from "../../tensor/wasm/backend";
import type { PhaseResult } from "../../training/phaseResult";
import type { Session } from "../../training/session";
import { defaultSettings } from "../../training/settings";
import { decodeSnapshot, encodeSnapshot, type Snapshot } from "../../training/snapshot";
import { byLength, taughtPolicy, tinySession } from "../../training/testing/tinySession";
import { UnusableProblemError } from "../../training/unusableProblem";
import { type DataOptions, openDataSource } from "./dataSource";
import { encodePng } from "./pictures";
import { RecordFaults, UnusableRecordError } from "./recordFaults";
import { takeUsable } from "./takeUsable";

let folder: string;
let backend: Backend;
let policy: Policy;
const inFolder = (name: string): string => join(folder, name);
/** Rows of the set that cannot be used: a wide picture, a word that the policy has not, no answer, no picture. */
const BAD = [1, 4, 6, 7];
const ROWS = 10;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "srpo-skipping-"));
  backend = await openWasmBackend();
  policy = await taughtPolicy(backend);
  const wide = Buffer.from(await encodePng({ width: 202, height: 1, pixels: new Uint8Array(606) })).toString("base64");
  const records = await Promise.all(
    Array.from({ length: ROWS }, async (_, row) => {
      const { question, answer, picture } = problemAt("train", row);
      const image = { bytes: Buffer.from(await encodePng(picture)).toString("base64") };
      const bad = { 1: { image: wide }, 4: { question: "zyzzyva ?" }, 6: { answer: null }, 7: { image: "none.png" } }[
        row
      ];
      return { id: `r${row}`, question, answer, image, ...bad };
    }),
  );
  await writeFile(inFolder("data.jsonl"), records.map((record) => JSON.stringify(record)).join("\n"));
  await writeFile(inFolder("none.md"), "");
  const solution = { think: "A = 1", answer: "1" };
  const examples = records.map(({ id }) => ({
    problem: id,
    strategy: "correction",
    firstRight: false,
    firstSolution: solution,
    reflection: id === "r2" ? "zyzzyva" : "answer is 1",
    refinedSolution: solution,
  }));
  await writeFile(inFolder("reflections.jsonl"), examples.map((example) => JSON.stringify(example)).join("\n"));
});
afterAll(async () => {
  policy.dispose();
  await backend.dispose();
  await rm(folder, { recursive: true, force: true });
});

function options(more: Partial<DataOptions> = {}): DataOptions {
  const train = inFolder("data.jsonl");
  return { train, heldOut: train, images: null, instruction: inFolder("none.md"), reflections: null, ...more };
}

const opened = async (more?: Partial<DataOptions>, faults = new RecordFaults("skip")) => ({
  faults,
  source: (await openDataSource(options(more), faults)).source,
});

const accepted = (): number => 1;

describe("a stream", () => {
  const stream = (bad: readonly number[]) => ({
    path: "d.jsonl",
    size: 3,
    load: async (at: number) =>
      bad.includes(at % 3) ? new UnusableRecordError({ file: "d.jsonl", row: at % 3, reason: "bad" }) : at,
  });

  test("passes over what cannot be used, and says how far it went", async () => {
    const faults = new RecordFaults("skip");
    expect(await takeUsable(stream([1]), 0, 4, faults)).toEqual({ items: [0, 2, 3, 5], skipped: 2 });
    expect(await takeUsable(stream([1]), 0, 2, faults)).toEqual({ items: [0, 2], skipped: 1 });
    expect(await takeUsable(stream([1]), 3, 2, faults)).toEqual({ items: [3, 5], skipped: 1 });
    expect(await takeUsable(stream([0, 2]), 5, 2, faults)).toEqual({ items: [7, 10], skipped: 4 });
    expect(faults.skipped.map(({ row }) => row)).toEqual([1, 2, 0]);
  });

  test("without anything to use ends, with words", async () => {
    await expect(takeUsable(stream([0, 1, 2]), 0, 1, new RecordFaults("skip"))).rejects.toThrow(
      /d.jsonl: none of its 3 records can be used; the last one met: d.jsonl, row \d: bad/,
    );
  });
});

/** Each step's problems and metrics without timings, and the state at its end. */
async function steps(session: Session, count: number) {
  const made: { readonly ids: readonly string[]; readonly skipped: unknown; readonly numbers: unknown }[] = [];
  const snapshots: Snapshot[] = [];
  while (made.length < count) {
    snapshots.push(decodeSnapshot(encodeSnapshot(await session.snapshot())));
    const result: PhaseResult = await session.phase();
    if (result.kind !== "stepped") continue;
    const numbers = Object.entries(result.metrics).filter(([name]) => !name.includes("time"));
    const ids = result.groups.map(({ problem }) => problem.id);
    made.push({ ids, skipped: result.metrics["data/skipped"], numbers });
  }
  return { made, snapshots };
}

describe.each(["grpo", "sft"] as const)("stage %s", (stage) => {
  const settings = { sft: { batchSize: 3, steps: 4 }, grpo: { prompts: 3, groupSize: 4, steps: 4 } };

  test("takes the same records to the same bits when it is resumed, from every phase", {
    timeout: 60_000,
  }, async () => {
    const reflections = stage === "sft" ? inFolder("reflections.jsonl") : null;
    const { source, faults } = await opened({ reflections });
    const session = tinySession(policy, settings, { source, scorer: byLength });
    await session.enter(stage);
    const { made, snapshots } = await steps(session, 4);
    const end = await session.snapshot();
    session.dispose();
    // 4 × 3 of the usable records, the others passed over once an epoch.
    const positions = stage === "grpo" ? end.state.cursor.grpo : 12 + end.state.passedOver;
    const skipped = made.reduce((sum, step) => sum + Number(step.skipped), 0);
    expect(skipped).toBeGreaterThan(2);
    expect(positions).toBe(12 + skipped);
    if (stage === "grpo")
      for (const id of made.flatMap(({ ids }) => ids)) expect(BAD.map((row) => `r${row}`)).not.toContain(id);
    const rows = faults.skipped.filter(({ file }) => file.endsWith("data.jsonl")).map(({ row }) => row);
    expect([...rows].sort()).toEqual(BAD);

    for (const at of [1, Math.floor(snapshots.length / 2), snapshots.length - 1]) {
      const again = await opened({ reflections });
      again.faults.remember(faults.skipped);
      const resumed = tinySession(policy, { seed: 9 }, { source: again.source, scorer: byLength });
      const from = snapshots[at];
      if (from === undefined) throw new Error("no snapshot");
      await resumed.restore(from);
      const rest = await steps(resumed, 4 - from.state.step);
      expect(rest.made).toEqual(made.slice(from.state.step));
      const arrived = await resumed.snapshot();
      expect(isDeepStrictEqual(arrived.parameters.theta, end.parameters.theta)).toBe(true);
      expect(arrived.state.cursor).toEqual(end.state.cursor);
      expect(arrived.state.passedOver).toBe(end.state.passedOver);
      expect(again.faults.skipped).toEqual(faults.skipped);
      resumed.dispose();
    }
  });
});

test("the examples that SFT passes over are named in their file", async () => {
  const { source, faults } = await opened({ reflections: inFolder("reflections.jsonl") });
  const session = tinySession(policy, { sft: { batchSize: 9, steps: 1 } }, { source });
  await session.enter("sft");
  await session.phase();
  session.dispose();
  const inReflections = faults.skipped.filter(({ file }) => file.endsWith("reflections.jsonl"));
  expect(inReflections.map(({ row, id }) => [row, id])).toEqual([
    // Its record has no answer, so it is no record.
    [6, "r6"],
    [2, "r2"],
  ]);
  expect(inReflections[1]?.reason).toMatch(/zyzzyva/);
});

test("an evaluation takes the first usable records and says how many it passed over", async () => {
  const { source } = await opened();
  const session = tinySession(policy, {}, { source });
  expect(await session.evaluate(3)).toMatchObject({ problems: 3, skipped: 1 });
  expect(await session.evaluate(ROWS)).toMatchObject({ problems: 6, skipped: 4 });
  await expect(session.evaluate(ROWS + 1)).rejects.toThrow(/contains 10 problems, fewer than the 11 requested/);
  const asked = await Promise.all([0, 1, 2].map((count) => source.requested(count, null, defaultSettings, accepted)));
  expect(asked.map(({ id }) => id)).toEqual(["r0", "r1", "r2"]);
  expect((await session.sample(null, true)).problem.id).toBe("r0");
  expect((await session.sample(null, true)).problem.id).toBe("r2");
  session.dispose();
});

test("a prompt longer than the policy or the run file allows is passed over", async () => {
  const { source, faults } = await opened({ maxPromptTokens: 1 });
  const session = tinySession(policy, {}, { source });
  await session.enter("grpo");
  await expect(session.phase()).rejects.toThrow(UnusableProblemError);
  expect(faults.skipped.find(({ row }) => row === 0)?.reason).toMatch(
    /the prompt has \d+ tokens, more than data.maxPromptTokens \(1\) allows/,
  );
  session.dispose();
  const long = tinySession(policy, { maxNewTokens: 500 }, { source: (await opened()).source });
  await long.enter("grpo");
  await expect(long.phase()).rejects.toThrow(
    /a response of maxNewTokens 500, together more than the 512 that the policy/,
  );
  long.dispose();
});

test("told to stop, a run ends at the first, and its session goes on from there", async () => {
  await rm(inFolder("none.png"), { force: true });
  const records = [7, 0, 2, 3].map((row) => ({ ...problemAt("train", row), id: `s${row}`, image: `${row}.png` }));
  const jsonl = records.map(({ id, question, answer, image }) => JSON.stringify({ id, question, answer, image }));
  await writeFile(inFolder("stop.jsonl"), jsonl.join("\n"));
  for (const { image, picture } of records.slice(1)) await writeFile(inFolder(image), await encodePng(picture));
  const { source } = await opened({ train: inFolder("stop.jsonl"), heldOut: null }, new RecordFaults("stop"));
  const session = tinySession(policy, { grpo: { prompts: 4, groupSize: 2 } }, { source, scorer: byLength });
  await session.enter("grpo");
  await expect(session.phase()).rejects.toThrow(
    /stop.jsonl, line 1, record "s7": image: .*7.png does not exist. Mend or remove the record, .*--on-error skip/,
  );
  expect((await session.snapshot()).state.cursor.grpo).toBe(0);
  await writeFile(inFolder("7.png"), await encodePng(records[0]?.picture ?? problemAt("train", 7).picture));
  expect((await steps(session, 1)).made[0]?.ids.toSorted()).toEqual(["s0", "s2", "s3", "s7"]);
  session.dispose();
});
