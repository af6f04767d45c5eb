/**
 * The padding token's row of the embedding table is trained like any other where the token stands in a sequence
 * (docs/method.md): transformers' nn.Embedding gives the row of `pad_token_id` no gradient. Batches are packed without
 * padding, so the row takes part only where a text contains the token itself.
 */
import { expect, it } from "vitest";
import { Tape } from "../tensor/tape";
import { openWasmBackend } from "../tensor/wasm/backend";
import { InMemoryFiles } from "./checkpoint/checkpointFiles";
import { Policy } from "./policy";
import { syntheticFiles } from "./syntheticCheckpoint";

const PAD = 498;
const TABLE = "model.embed_tokens.weight";

it("changes when a sequence contains the token, and not when none does", async () => {
  const backend = await openWasmBackend();
  const policy = await Policy.create(backend, new InMemoryFiles(syntheticFiles("tiny", "f32")), { seed: 2 });
  expect(policy.config.text.padTokenId).toBe(PAD);
  const { hiddenSize } = policy.config.text;
  const padRow = async (): Promise<Float32Array> =>
    (await policy.parameters.read(TABLE)).slice(PAD * hiddenSize, (PAD + 1) * hiddenSize);
  const train = async (prompt: readonly number[]): Promise<void> => {
    const batch = policy.packBatch([
      { prompt: policy.model.encode(Int32Array.from(prompt), []), responses: [Int32Array.of(20, 21, 500)] },
    ]);
    const tape = new Tape(backend, true);
    const { logprob } = policy.responseLogprobs(tape, batch, { temperature: 1, trainVision: false });
    const gradient = backend.upload(new Float32Array(batch.tokenCount).fill(-1), [batch.tokenCount]);
    policy.parameters.zeroGrad();
    tape.backward(logprob, gradient);
    const { gradSquares, refused } = policy.parameters.adamw({
      learningRate: 0.01,
      beta1: 0,
      beta2: 0,
      epsilon: 1e-8,
      weightDecay: 0,
      updateCount: 1,
      maxGradNorm: 1,
    });
    gradSquares.dispose();
    refused.dispose();
    gradient.dispose();
    tape.dispose();
    batch.dispose();
  };
  const before = await padRow();
  await train([499, 7, 8, 9]);
  expect(await padRow()).toEqual(before);
  await train([499, PAD, 8, 9]);
  expect(await padRow()).not.toEqual(before);
  policy.dispose();
  await backend.dispose();
});
