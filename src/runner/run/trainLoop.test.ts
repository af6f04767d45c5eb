/** What a run that has to stop leaves behind. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Backend } from "../../tensor/backend";
import { openWasmBackend } from "../../tensor/wasm/backend";
import type { Scorer } from "../../training/score";
import type { SettingsPatch } from "../../training/settings";
import { decodeSnapshot } from "../../training/snapshot";
import { byLength, taughtPolicy, tinySession } from "../../training/testing/tinySession";
import { RunFolder } from "./runFolder";
import { planOf } from "./runPlan";
import { trainStages } from "./trainLoop";

const PLAN = {
  saveEvery: 10,
  policy: "tiny",
  packing: "f32",
  recompute: "auto",
  memory: null,
  backend: "wasm",
} as const;

let backend: Backend;
let path: string;
beforeAll(async () => {
  backend = await openWasmBackend();
  path = await mkdtemp(join(tmpdir(), "srpo-refused-"));
});
afterAll(async () => {
  await backend.dispose();
  await rm(path, { recursive: true, force: true });
});

test("a run past every stage of its plan is refused: nothing is trained or written", async () => {
  const policy = await taughtPolicy(backend);
  const session = tinySession(policy, {});
  await session.enter("grpo");
  const folder = new RunFolder(join(path, "past"), planOf({ ...PLAN, stages: ["sft"] }));
  await expect(trainStages(session, { stages: ["sft"], saveEvery: 1 }, folder)).rejects.toThrow(
    "the run's snapshot is in the stage grpo, its plan has only sft: restore plan.json",
  );
  expect(session.stage).toBe("grpo");
  await expect(readFile(join(path, "past", "snapshot.bin"))).rejects.toThrow("ENOENT");
  session.dispose();
  policy.dispose();
});

test("a run that stops after three refused steps keeps the steps before them", { timeout: 60_000 }, async () => {
  const policy = await taughtPolicy(backend);
  let broken = false;
  const scorer: Scorer = (...response) => {
    if (broken) throw new Error("no luck");
    return byLength(...response);
  };
  const grpo: SettingsPatch["grpo"] = { onlineFilter: [0, 1], refills: 1, steps: 9 };
  const session = tinySession(policy, { grpo }, { scorer });
  const plan = planOf({ ...PLAN, stages: ["grpo"] });
  const folder = new RunFolder(path, plan);
  await folder.begin(session);
  const refused: string[] = [];
  const training = trainStages(session, plan, folder, {
    onStep: ({ step }) => {
      broken = step === 2;
    },
    onRefused: (message) => void refused.push(message),
  });
  await expect(training).rejects.toThrow(/responses have no score.*no luck/);
  expect(refused).toHaveLength(2);
  const { state } = decodeSnapshot(await readFile(join(path, "snapshot.bin")));
  expect(state).toMatchObject({ step: 2, refusals: 3, pending: null });
  session.dispose();
  policy.dispose();
});
