/** Worker threads: a real second thread gives the same bits, and the run survives its death. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Policy } from "../../policy/policy";
import { corpusExample } from "../../tasks/corpus";
import type { Backend } from "../../tensor/backend";
import { openReferenceBackend } from "../../tensor/reference/backend";
import { openWasmBackend } from "../../tensor/wasm/backend";
import { DataParallel } from "../../training/parallel/parallel";
import { RemoteReplica, replicaSource } from "../../training/parallel/replicaChannel";
import { encodeProblem } from "../../training/rollout";
import { tinyPolicy } from "../../training/testing/tinyPolicy";
import { responseTokens } from "../../training/transcript";
import { sftUpdate } from "../../training/update";
import { openWorkers, startThread } from "./replicaThreads";

let backend: Backend;
beforeAll(async () => {
  backend = await openWasmBackend();
});
afterAll(() => backend.dispose());

const options = {
  temperature: 1,
  trainVision: true,
  features: null,
  learningRate: 1e-3,
  weightDecay: 0,
  maxGradNorm: 1,
  microBatchRows: 2,
};

/** Weights after two steps on the corpus, tower and decoder together. */
async function trained(
  policy: Policy,
  parallel: DataParallel,
  before: (step: number) => void | Promise<void> = () => undefined,
): Promise<Buffer> {
  for (let step = 0; step < 2; step++) {
    await before(step);
    const rows = Array.from({ length: 8 }, (_, i) => {
      const { problem, response } = corpusExample("clean", 0, 8 * step + i);
      return {
        prompt: encodeProblem(policy, problem),
        tokens: responseTokens(policy, response),
        weight: 1 / 200,
        advantage: 1,
      };
    });
    await sftUpdate(policy, rows, { ...options, updates: step, parallel });
  }
  await parallel.dispose();
  const { theta } = await policy.parameters.state();
  policy.dispose();
  return Buffer.from(theta.buffer);
}

test("two threads train as one does, bit for bit, also when one of them dies", async () => {
  const alone = await tinyPolicy(backend, "all");
  const expected = await trained(alone, new DataParallel(alone, []));

  const two = await tinyPolicy(backend, "all");
  const both = await openWorkers(two, 2, "all");
  expect(both?.workers).toBe(2);
  if (both !== null) expect((await trained(two, both)).equals(expected)).toBe(true);

  const third = await tinyPolicy(backend, "all");
  const thread = startThread();
  const lost: string[] = [];
  const dying = new DataParallel(third, [await RemoteReplica.open(thread, await replicaSource(third, "all"))], {
    onLost: (message) => lost.push(message),
  });
  expect(
    (
      await trained(third, dying, async (step) => {
        if (step === 1) await thread.terminate();
      })
    ).equals(expected),
  ).toBe(true);
  expect(lost).toHaveLength(1);
});

test("one worker starts nothing; a backend that cannot share its work says so", async () => {
  const policy = await tinyPolicy(backend);
  expect(await openWorkers(policy, 1, "language")).toBeNull();
  policy.dispose();
  const reference = await openReferenceBackend();
  await expect(openWorkers(await tinyPolicy(reference), 2, "language")).rejects.toThrow(
    /--backend wasm or --workers 1/,
  );
  await reference.dispose();
});
