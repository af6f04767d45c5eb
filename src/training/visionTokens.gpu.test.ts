/**
 * Vision tokens are never sampled, whatever the policy would like; what is sampled is what transformers samples with
 * `suppress_tokens`, and it takes the same step on it. The numbers are transformers' own (golden/visionTokens.json),
 * for a policy whose image token is the most likely of all nearly everywhere.
 */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openDirectory } from "../policy/checkpoint/checkpointDirectory";
import { Safetensors } from "../policy/checkpoint/safetensors";
import type { EncodedPrompt } from "../policy/layers/packing";
import { Policy } from "../policy/policy";
import { BACKENDS } from "../policy/testing/testBackends";
import { goldenInputs } from "../policy/verify/goldenFile";
import type { Backend } from "../tensor/backend";
import golden from "./golden/visionTokens.json";
import { settingsObjective } from "./objective";
import { defaultSettings } from "./settings";
import { policyUpdate, sftUpdate } from "./update";

const folder = new URL("../policy/golden/tiny_untied/", import.meta.url).pathname;
const TOKENS = Int32Array.from(golden.tokens);
const IMAGE_PAD = 5;

const options = {
  temperature: 1,
  trainVision: true,
  features: null,
  learningRate: 1e-3,
  weightDecay: 0,
  maxGradNorm: 1e9,
  microBatchRows: 4,
  updates: 0,
};
const sampling = { groupSize: 1, temperature: 1, maxNewTokens: TOKENS.length, seed: 3, step: 0, stopTokens: [] };

/** The golden policy and the prompt that the golden responses follow. */
async function leaning(backend: Backend): Promise<{ policy: Policy; prompt: EncodedPrompt }> {
  const policy = await Policy.load(backend, await openDirectory(folder));
  const head = await policy.parameters.read("lm_head.weight");
  head.set(golden.head_row, IMAGE_PAD * golden.head_row.length);
  policy.parameters.write("lm_head.weight", head);
  const file = Safetensors.open(readFileSync(`${folder}reference.safetensors`), "reference.safetensors");
  const sequence = goldenInputs(file, policy.config).sequences[2];
  if (sequence === undefined) throw new Error("the golden file has a third sequence");
  return { policy, prompt: policy.model.encode(sequence.ids, sequence.images) };
}

const close = (got: ArrayLike<number>, want: readonly number[], digits: number): void => {
  expect(got.length).toBe(want.length);
  want.forEach((value, i) => expect(got[i]).toBeCloseTo(value, digits));
};

describe.each(BACKENDS)("on the $name backend", ({ open }) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await open();
  });
  afterAll(() => backend.dispose());

  it("samples what transformers does with suppress_tokens, and records both log-probabilities", async () => {
    const { policy, prompt } = await leaning(backend);
    expect(policy.config.visionTokenIds).toEqual(golden.suppress_tokens);
    const [row] = (await policy.generate([prompt], { ...sampling, greedy: true })).rows;
    expect([...(row?.tokens ?? [])]).toEqual(golden.tokens);
    close(row?.logprobs ?? [], golden.logprobs, 4);
    close(row?.entropies ?? [], golden.entropies, 4);
    close(
      (row?.logprobs ?? new Float32Array()).map((p, i) => p - (row?.allowed[i] ?? 0)),
      golden.drawn_logprobs,
      4,
    );

    const vision = new Set(golden.suppress_tokens);
    const drawn = async (suppressTokens?: readonly number[]): Promise<number[]> => {
      const group = { ...sampling, groupSize: 6, ...(suppressTokens === undefined ? {} : { suppressTokens }) };
      return (await policy.generate([prompt], group)).rows.flatMap(({ tokens }) => [...tokens]);
    };
    expect((await drawn([])).filter((token) => vision.has(token)).length).toBeGreaterThan(5);
    expect((await drawn()).filter((token) => vision.has(token))).toEqual([]);
    policy.dispose();
  });

  it("takes transformers' step on it, and refuses the response on which transformers fails", async () => {
    const { policy, prompt } = await leaning(backend);
    const row = { prompt, tokens: TOKENS, weight: 1 / TOKENS.length, advantage: 1 };
    const tokens = TOKENS.with(golden.with_image_pad.position, IMAGE_PAD);
    expect(golden.with_image_pad.error).toContain("Image features and image tokens do not match");
    await expect(sftUpdate(policy, [{ ...row, tokens }], options)).rejects.toThrow(
      "token 6 of 12 has id 5, which stands for a picture or video",
    );
    expect(() => policy.continuePrompt(prompt, [...tokens])).toThrow("token 6 of 12 has id 5");
    const step = await sftUpdate(policy, [row], options);
    expect(step.loss).toBeCloseTo(golden.step.loss, 5);
    expect(step.gradNorm / golden.step.grad_norm).toBeCloseTo(1, 4);
    const after = await sftUpdate(policy, [row], { ...options, updates: 1 });
    expect(after.loss).toBeCloseTo(golden.step.loss_after, 3);
    policy.dispose();
  });

  it("ratios begin at 1; kl/sampler alone shows the tokens that were not drawn", async () => {
    const { policy, prompt } = await leaning(backend);
    const row = {
      prompt,
      tokens: TOKENS,
      weight: 1 / TOKENS.length,
      advantage: 1,
      rollout: Float32Array.from(golden.logprobs),
      sampled: Float32Array.from(golden.drawn_logprobs),
    };
    const update = { ...options, objective: settingsObjective(defaultSettings), epochs: 1, reference: null };
    // k3 of the policy from what was drawn: exp(d) − 1 − d with d = log π_drawn − log π.
    const k3 = golden.drawn_logprobs.map((drawn, i) => {
      const d = drawn - (golden.logprobs[i] ?? NaN);
      return Math.exp(d) - 1 - d;
    });
    const result = await policyUpdate(policy, [[row]], { ...update, old: "rollout" });
    expect(result.samplerKl).toBeCloseTo(k3.reduce((a, b) => a + b, 0) / k3.length, 4);
    expect(result.samplerKl).toBeGreaterThan(0.1);
    expect(result.ratios?.min).toBeCloseTo(1, 4);
    expect(result.ratios?.max).toBeCloseTo(1, 4);
    policy.dispose();
  });
});
