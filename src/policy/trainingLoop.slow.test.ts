/**
 * The loop that pre-training, SFT and the policy gradient share, as an example: a new nano policy, vision trained,
 * packed batches, log-probabilities of the wanted tokens, d(loss)/d(log-probability) = −weight, one AdamW pass.
 * The policy learns to name the colour of its picture.
 */
import { expect, it } from "vitest";
import { Tape } from "../tensor/tape";
import { openWasmBackend } from "../tensor/wasm/backend";
import { nanoFiles } from "./create";
import { type PackedItem, Policy, type RgbImage } from "./policy";

const COLOURS = { red: [230, 20, 20], green: [20, 230, 20], blue: [20, 20, 230], white: [240, 240, 240] };
const files = nanoFiles(["which", "?", "it", "is", ...Object.keys(COLOURS)]);

/** A 32×32 picture of one colour. */
function picture(colour: readonly number[]): RgbImage {
  return { width: 32, height: 32, pixels: Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => colour[i % 3] ?? 0) };
}

function examples(policy: Policy): PackedItem[] {
  return Object.entries(COLOURS).map(([word, colour]) => ({
    prompt: policy.encodePrompt("which ?", picture(colour)),
    responses: [policy.encodeResponse(`it is ${word}`)],
  }));
}

/** One step on `items`: mean cross-entropy over all response tokens. → loss and gradient norm before clipping */
async function step(
  policy: Policy,
  items: readonly PackedItem[],
  updateCount: number,
): Promise<{ loss: number; gradNorm: number }> {
  const { backend, parameters } = policy;
  const batch = policy.packBatch(items);
  const tape = new Tape(backend, true);
  const { logprob } = policy.responseLogprobs(tape, batch, { temperature: 1, trainVision: true });
  // loss = −mean(logprob), so each token's gradient is −1/count.
  const dLogprob = backend.upload(new Float32Array(batch.tokenCount).fill(-1 / batch.tokenCount), [batch.tokenCount]);
  parameters.zeroGrad();
  tape.backward(logprob, dLogprob);
  const { gradSquares, refused } = parameters.adamw({
    learningRate: 3e-3,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0,
    updateCount,
    maxGradNorm: 1,
  });
  // The only read-back of a step.
  const [values, squares] = await backend.read([logprob, gradSquares]);
  const loss = -Array.from(values ?? []).reduce((sum, value) => sum + value, 0) / batch.tokenCount;
  for (const tensor of [gradSquares, refused, dLogprob]) tensor.dispose();
  tape.dispose();
  batch.dispose();
  return { loss, gradNorm: Math.sqrt(squares?.[0] ?? NaN) };
}

it("trains a new nano policy end to end: the loss goes down and it names what it sees", async () => {
  const backend = await openWasmBackend();
  const policy = await Policy.create(backend, files, { seed: 0 });
  expect(policy.parameters.trainableCount).toBeGreaterThan(900_000);
  const items = examples(policy);

  const first = await step(policy, items, 1);
  // Random weights: every token about equally likely
  expect(first.loss).toBeCloseTo(Math.log(policy.config.text.vocabSize), 0);
  expect(first.gradNorm).toBeGreaterThan(0);
  const bytes = backend.memoryBytes();
  let last = first;
  for (let update = 2; update <= 40; update++) last = await step(policy, items, update);
  expect(last.loss).toBeLessThan(0.1);
  expect(backend.memoryBytes()).toBeLessThan(bytes * 1.05); // nothing leaks from step to step

  const { rows } = await policy.generate(
    items.map((item) => item.prompt),
    { groupSize: 1, greedy: true, temperature: 1, maxNewTokens: 8, seed: 0, step: 0 },
  );
  expect(rows.map((row) => policy.tokenizer.decode(row.tokens, { skipSpecial: true }))).toEqual(
    Object.keys(COLOURS).map((word) => `it is ${word}`),
  );
  expect(rows.every((row) => row.finished)).toBe(true);
  policy.dispose();
  await backend.dispose();
});
