/**
 * The reference of a LoRA run is the policy without its adapter: no copy, the same after SFT, after steps and after
 * resuming.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { InMemoryFiles } from "../policy/checkpoint/checkpointFiles";
import { LORA_TARGETS, type LoraOptions } from "../policy/layers/lora";
import { Policy } from "../policy/policy";
import { scoreResponse } from "../srpo/score";
import type { Backend } from "../tensor/backend";
import { openWasmBackend } from "../tensor/wasm/backend";
import { configure } from "./configure";
import { Reference } from "./reference";
import { Session } from "./session";
import { defaultSettings } from "./settings";
import { decodeSnapshot, encodeSnapshot } from "./snapshot";
import { tinyPolicy } from "./testing/tinyPolicy";

const lora: LoraOptions = { rank: 4, alpha: 8, rankStabilised: false, targets: LORA_TARGETS, baseModel: null };
const settings = configure(defaultSettings, {
  maxNewTokens: 16,
  grpo: { prompts: 2, groupSize: 3, beta: 0.05, learningRate: 5e-3 },
});
const byLength: typeof scoreResponse = (text, ...rest) => {
  const score = scoreResponse(text, ...rest);
  return { ...score, terms: { ...score.terms, total: text.length / 100 } };
};

let backend: Backend;
let files: InMemoryFiles;
beforeAll(async () => {
  backend = await openWasmBackend();
  const base = await tinyPolicy(backend);
  files = new InMemoryFiles(await base.toFiles());
  base.dispose();
});
afterAll(() => backend.dispose());

const sessionOf = (policy: Policy, chosen = settings): Session =>
  new Session(policy, chosen, { stage: "grpo", scorer: byLength, now: () => 0 });

test("the KL without the adapter grows from 0, nothing is copied, a resumed run gives the same bits", async () => {
  const policy = await Policy.load(backend, files, { lora, seed: 3, frozenFormat: "f16" });
  const fresh = await policy.parameters.state();
  // The kernels' scratch grows on first use and stays
  const warm = sessionOf(policy, configure(settings, { grpo: { beta: 0 } }));
  await warm.stepThrough();
  warm.dispose();
  policy.parameters.restore(fresh);
  const session = sessionOf(policy);
  const bytes = backend.memoryBytes();
  expect((await session.stepThrough())?.kl).toBe(0); // B is zero: the adapter adds exact zeros
  expect(backend.memoryBytes() - bytes).toBeLessThan(0.02 * bytes);
  await session.stepThrough();
  const snapshot = decodeSnapshot(encodeSnapshot(await session.snapshot()));
  expect(snapshot.reference).toBeNull();
  const third = await session.stepThrough();
  expect(third?.kl).toBeGreaterThan(1e-6);
  const { theta } = await policy.parameters.state();

  const again = await Policy.load(backend, files, { lora, seed: 4, frozenFormat: "f16" });
  const resumed = sessionOf(again);
  await resumed.restore(snapshot);
  expect(await resumed.stepThrough()).toEqual(third);
  expect((await again.parameters.state()).theta).toEqual(theta);

  // A stage entered again measures from the base too, not from where the last one ended.
  await resumed.enter("grpo");
  expect((await resumed.stepThrough())?.kl).toBeGreaterThan(1e-6);
  for (const each of [session, resumed]) each.dispose();
  for (const each of [policy, again]) each.dispose();
});

test("a policy trained in full is copied, without gradients and moments", async () => {
  const policy = await Policy.load(backend, files, { trainable: "language" });
  const before = backend.memoryBytes();
  const reference = new Reference(policy);
  expect(await reference.ensure()).toBe(true);
  expect(backend.memoryBytes() - before).toBe(4 * policy.parameters.count);
  const name = "model.norm.weight";
  policy.parameters.write(name, new Float32Array(policy.parameters.shapeOf(name)[0] ?? 0).fill(3));
  expect(await reference.now.policy.parameters.read(name)).not.toEqual(await policy.parameters.read(name));
  const other = new Reference(policy);
  other.recall(reference.theta);
  expect(await other.ensure()).toBe(false);
  expect(await other.now.policy.parameters.readAll()).toEqual(await reference.now.policy.parameters.readAll());
  for (const each of [reference, other]) each.dispose();
  expect(backend.memoryBytes()).toBe(before);
  policy.dispose();
});
