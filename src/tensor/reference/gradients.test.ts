/**
 * The reference itself, checked against finite differences: for random directions d, (L(x + εd) − L(x − εd)) / 2ε must
 * equal
 */

import type { Tensor } from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import type { PolicyLossOptions } from "../policyLossOptions";
import { randomUniform } from "../random";
import { openReferenceBackend } from "./backend";

const backend = await openReferenceBackend();
const k = backend.kernels;
let stream = 0;

function normal(count: number): Float32Array {
  stream++;
  return Float32Array.from(
    { length: count },
    (_, i) =>
      Math.sqrt(-2 * Math.log(randomUniform(1, stream, i, 0))) * Math.cos(2 * Math.PI * randomUniform(1, stream, i, 1)),
  );
}

interface Input {
  readonly values: Float32Array;
  readonly shape: readonly number[];
}
const input = (...shape: number[]): Input => ({ values: normal(shape.reduce((a, b) => a * b, 1)), shape });
const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((sum, x, i) => sum + x * b[i]!, 0);
const norm = (a: ArrayLike<number>): number => Math.sqrt(dot(a, a));

async function readOne(tensor: Tensor): Promise<Float32Array | Int32Array> {
  return (await backend.read([tensor]))[0]!;
}

/** Check the gradients of `forward` with respect to each input, as given by `backward(inputs, dy)`. */
async function check(
  inputs: readonly Input[],
  forward: (...x: Tensor[]) => Tensor,
  backward: (x: Tensor[], dy: Tensor) => Tensor[],
): Promise<void> {
  const upload = (shifted?: { at: number; by: Float32Array; times: number }) =>
    inputs.map(({ values, shape }, i) =>
      backend.upload(shifted?.at === i ? values.map((v, j) => v + shifted.times * shifted.by[j]!) : values, shape),
    );
  const sample = forward(...upload());
  const dy = normal(sample.size);
  const gradients = await backend.read(backward(upload(), backend.upload(dy, sample.shape)));
  for (let i = 0; i < inputs.length; i++) {
    const direction = normal(inputs[i]!.values.length);
    const epsilon = 0.01 / Math.max(1, norm(direction) / Math.sqrt(direction.length));
    const at = async (times: number) => dot(await readOne(forward(...upload({ at: i, by: direction, times }))), dy);
    const numeric = ((await at(epsilon)) - (await at(-epsilon))) / (2 * epsilon);
    const analytic = dot(gradients[i]!, direction);
    expect(Math.abs(numeric - analytic), `input ${i}: ${numeric} by differences, ${analytic} by autodiff`).toBeLessThan(
      4e-3 * Math.max(Math.abs(numeric), norm(gradients[i]!)),
    );
  }
}

const f32 = (values: Tensor) => ({ format: "f32" as const, out: values.shape[0]!, in: values.shape[1]!, values });

test("embedding", async () => {
  const ids = backend.upload(Int32Array.of(2, -1, 0, 2, -3), [5]);
  await check(
    [input(4, 6), input(3, 6)],
    (table, features) => k.embedding(f32(table!), features!, ids),
    (_, dy) => {
      const [table, features] = [backend.zeros([4, 6]), backend.zeros([3, 6])];
      k.embeddingGrad(dy, ids, table, features);
      return [table, features];
    },
  );
});

test("rmsNorm", () =>
  check(
    [input(5, 8), input(8)],
    (x, w) => k.rmsNorm(x!, w!, 1e-6),
    ([x, w], dy) => {
      const dw = backend.zeros([8]);
      return [k.rmsNormGrad(x!, w!, dy, 1e-6, null, dw), dw];
    },
  ));

test("linear", () =>
  check(
    [input(5, 8), input(6, 8), input(6), input(5, 6)],
    (x, w, b, r) => k.linear(x!, f32(w!), b!, r!),
    ([x, w], dy) => {
      const [dw, db] = [backend.zeros([6, 8]), backend.zeros([6])];
      k.linearGradWeight(x!, dy, dw, db);
      return [k.linearGradInput(dy, f32(w!), null), dw, db, dy];
    },
  ));

test("loraApply", () => {
  const columns = { offset: 2, count: 4 };
  return check(
    [input(5, 3), input(4, 3)],
    (h, b) => {
      const y = backend.zeros([5, 9]);
      k.loraApply(y, columns, h!, b!, 0.5);
      return y;
    },
    ([h, b], dy) => {
      const db = backend.zeros([4, 3]);
      return [k.loraApplyGrad(dy, columns, h!, b!, 0.5, db), db];
    },
  );
});

test("rope, whose inverse is its gradient and undoes it", async () => {
  const angles = normal(5 * 3);
  const [cos, sin] = [backend.upload(angles.map(Math.cos), [5, 3]), backend.upload(angles.map(Math.sin), [5, 3])];
  const x = input(5, 14);
  const turn = (t: Tensor, inverse: boolean) => {
    k.rope(t, cos, sin, 2, 6, inverse);
    return t;
  };
  await check(
    [x],
    (t) => turn(t!, false),
    (_, dy) => [turn(backend.upload(dy.dataSync() as Float32Array, [5, 14]), true)],
  );
  const back = await readOne(turn(turn(backend.upload(x.values, x.shape), false), true));
  expect(norm(back.map((v, i) => v - x.values[i]!))).toBeLessThan(1e-5);
});

test("attention with grouped queries, a shared prompt and a row that sees nothing", () => {
  const visible = backend.upload(
    Int32Array.of(0, 0, 0, 1, 0, 0, 0, 2, 0, 2, 2, 3, 0, 2, 2, 4, 0, 2, 4, 5, 0, 0, 0, 0),
    [6, 4],
  );
  const seenBy = backend.upload(Int32Array.of(0, 5, 1, 5, 2, 4, 3, 4, 4, 5, 0, 0), [6, 2]);
  const shape = { heads: 4, kvHeads: 2, headDim: 6, qOffset: 0, kOffset: 24, vOffset: 36 };
  return check(
    [input(6, 48)],
    (x) => k.attention(x!, x!, visible, shape).out,
    ([x], dy) => {
      const { out, lse } = k.attention(x!, x!, visible, shape);
      return [k.attentionGrad(x!, visible, seenBy, out, lse, dy, shape)];
    },
  );
});

test("swiglu", () =>
  check(
    [input(5, 12)],
    (x) => k.swiglu(x!),
    ([x], dy) => [k.swigluGrad(x!, dy)],
  ));
test("gelu", () =>
  check(
    [input(5, 12)],
    (x) => k.gelu(x!),
    ([x], dy) => [k.geluGrad(x!, dy)],
  ));

test("tokenLogprobs at a temperature, with a skipped row", () => {
  const targets = backend.upload(Int32Array.of(3, -1, 0, 8), [4]);
  return check(
    [input(4, 6), input(9, 6)],
    (h, w) => k.tokenLogprobs(h!, f32(w!), targets, 0.7).logprob,
    ([h, w], dy) => {
      const dw = backend.zeros([9, 6]);
      const { lse } = k.tokenLogprobs(h!, f32(w!), targets, 0.7);
      return [k.tokenLogprobsGrad(h!, f32(w!), targets, lse, dy, 0.7, dw), dw];
    },
  );
});

test("policyLoss: its first statistic is what dLogprob differentiates", async () => {
  const options: PolicyLossOptions = {
    surrogate: { kind: "clip", clipLow: 0.2, clipHigh: 0.28, dualClip: 3, ratioMax: 3 },
    level: "token",
    logRatioClamp: 20,
    beta: 0.04,
    klEstimator: "k3",
    klExponentClamp: 20,
    klValueClamp: 10,
  };
  const [old, ref, advantage, weight] = [normal(12), normal(12), normal(12), normal(12).map(Math.abs)].map((v) =>
    backend.upload(v, [12]),
  );
  const run = (logprob: Tensor) => k.policyLoss(logprob, old!, ref!, advantage!, weight!, null, options);
  const x = normal(12);
  const gradient = await readOne(run(backend.upload(x, [12])).dLogprob);
  const direction = normal(12);
  const at = async (times: number) =>
    (
      await readOne(
        run(
          backend.upload(
            x.map((v, i) => v + times * direction[i]!),
            [12],
          ),
        ).stats,
      )
    )[0]!;
  expect(((await at(1e-3)) - (await at(-1e-3))) / 2e-3).toBeCloseTo(dot(gradient, direction), 2);
});
