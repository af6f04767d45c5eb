/** Each kernel alone, on the backend: its inputs are made once, its results are disposed at once. */

import type { Tensor } from "@tensorflow/tfjs-core";
import type { Backend } from "../../tensor/backend";
import type { AttentionShape, Weight } from "../../tensor/kernels";
import { kernelOptions, settingsObjective } from "../../training/objective";
import { defaultSettings } from "../../training/settings";
import type { Contender } from "../contender";
import type { JobOf } from "../job";
import { type KernelName, SIZES } from "../kernelWork";
import { matmulInputs } from "../workload";
import { measured } from "./measured";

const {
  rows: N,
  sequence: T,
  responses: R,
  hidden: D,
  heads,
  headDim,
  inner: F,
  vocabulary: V,
  rank,
  parameters: P,
} = SIZES;
const EPS = 1e-6;

export async function openKernel(backend: Backend, { name }: JobOf<"kernel">): Promise<Contender> {
  const inputs: Tensor[] = [];
  const keep = (tensor: Tensor): Tensor => {
    inputs.push(tensor);
    return tensor;
  };
  const once = prepare(backend, keep)[name]();
  const sink = keep(backend.zeros([1]));
  const run = (units: number) =>
    measured(backend, 1, () => {
      for (let i = 0; i < units; i++) for (const tensor of once()) tensor.dispose();
      // Reading waits for all work recorded before.
      return backend.read([sink]);
    });
  return {
    /** The kernels' values are checked by the conformance tests. */
    check: async () => [],
    run,
    async close() {
      for (const tensor of inputs.reverse()) tensor.dispose();
    },
  };
}

/** For each kernel: make its inputs, and return a function that calls it and returns the tensors to dispose. */
function prepare(
  backend: Backend,
  keep: (tensor: Tensor) => Tensor,
): Readonly<Record<KernelName, () => () => readonly Tensor[]>> {
  const k = backend.kernels;
  let streams = 0;
  const floats = (...shape: number[]): Tensor =>
    keep(
      backend.upload(
        matmulInputs(
          shape.reduce((a, b) => a * b, 1),
          streams++,
        ),
        shape,
      ),
    );
  const zeros = (...shape: number[]): Tensor => keep(backend.zeros(shape));
  const integers = (count: number, value: (i: number) => number, shape: readonly number[] = [count]): Tensor =>
    keep(
      backend.upload(
        Int32Array.from({ length: count }, (_, i) => value(i)),
        shape,
      ),
    );
  const weight = (out: number, columns: number): Weight => ({
    format: "f32",
    out,
    in: columns,
    values: floats(out, columns),
  });
  const ids = (): Tensor => integers(N, (i) => (7 * i) % V);
  // Angles of a real rotation: it is applied in place again and again, and must not change the size of x.
  const turned = (by: (angle: number) => number): Tensor =>
    keep(
      backend.upload(
        Float32Array.from({ length: (N * headDim) / 2 }, (_, i) => by(i)),
        [N, headDim / 2],
      ),
    );
  const angles = (): readonly [Tensor, Tensor] => [turned(Math.cos), turned(Math.sin)];
  const shape: AttentionShape = { heads, kvHeads: heads, headDim, qOffset: 0, kOffset: D, vOffset: 2 * D };
  const start = (row: number): number => row - (row % T);
  const visible = (): Tensor =>
    integers(4 * N, (i) => [start(Math.floor(i / 4)), Math.floor(i / 4) + 1, 0, 0][i % 4] ?? 0, [N, 4]);
  const seenBy = (): Tensor =>
    integers(2 * N, (i) => (i % 2 === 0 ? Math.floor(i / 2) : start(Math.floor(i / 2)) + T), [N, 2]);
  const nothing = (call: () => void) => (): readonly Tensor[] => {
    call();
    return [];
  };
  return {
    embedding: () => {
      const [table, i] = [weight(V, D), ids()];
      return () => [k.embedding(table, null, i)];
    },
    embeddingGrad: () => {
      const [dy, i, into] = [floats(N, D), ids(), zeros(V, D)];
      return nothing(() => k.embeddingGrad(dy, i, into, null));
    },
    rmsNorm: () => {
      const [x, w] = [floats(N, D), floats(D)];
      return () => [k.rmsNorm(x, w, EPS)];
    },
    rmsNormGrad: () => {
      const [x, w, dy, into] = [floats(N, D), floats(D), floats(N, D), zeros(D)];
      return () => [k.rmsNormGrad(x, w, dy, EPS, null, into)];
    },
    linear: () => {
      const [x, w, bias] = [floats(N, D), weight(2 * F, D), floats(2 * F)];
      return () => [k.linear(x, w, bias, null)];
    },
    linearGradInput: () => {
      const [dy, w] = [floats(N, 2 * F), weight(2 * F, D)];
      return () => [k.linearGradInput(dy, w, null)];
    },
    linearGradWeight: () => {
      const [x, dy, into, bias] = [floats(N, D), floats(N, 2 * F), zeros(2 * F, D), zeros(2 * F)];
      return nothing(() => k.linearGradWeight(x, dy, into, bias));
    },
    loraApply: () => {
      const [y, h, b] = [floats(N, D), floats(N, rank), floats(D, rank)];
      return nothing(() => k.loraApply(y, { offset: 0, count: D }, h, b, 1e-3));
    },
    loraApplyGrad: () => {
      const [dy, h, b, into] = [floats(N, D), floats(N, rank), floats(D, rank), zeros(D, rank)];
      return () => [k.loraApplyGrad(dy, { offset: 0, count: D }, h, b, 1, into)];
    },
    // Queries and keys.
    rope: () => {
      const [x, [cos, sin]] = [floats(N, 3 * D), angles()];
      return nothing(() => k.rope(x, cos, sin, 2 * heads, headDim, false));
    },
    attention: () => {
      const [qkv, v] = [floats(N, 3 * D), visible()];
      return () => {
        const { out, lse } = k.attention(qkv, qkv, v, shape);
        return [out, lse];
      };
    },
    attentionGrad: () => {
      const [qkv, v, s, dOut] = [floats(N, 3 * D), visible(), seenBy(), floats(N, D)];
      const { out, lse } = k.attention(qkv, qkv, v, shape);
      keep(out);
      keep(lse);
      return () => [k.attentionGrad(qkv, v, s, out, lse, dOut, shape)];
    },
    copyRows: () => {
      const [x, rows, into] = [floats(N, 2 * D), integers(N, (i) => i), zeros(N, 2 * D)];
      return nothing(() => k.copyRows(x, { offset: 0, count: 2 * D }, rows, 0, into));
    },
    // A decode step, 64 tokens into every response.
    ropeToCache: () => {
      const [qkv, cos, sin, rows, into] = [
        floats(R, 3 * D),
        floats(R, headDim / 2),
        floats(R, headDim / 2),
        integers(R, (i) => i * T),
        zeros(R * T, 2 * D),
      ];
      return nothing(() => k.ropeToCache(qkv, cos, sin, 0, shape, rows, T - 1, into));
    },
    swiglu: () => {
      const x = floats(N, 2 * F);
      return () => [k.swiglu(x)];
    },
    swigluGrad: () => {
      const [x, dy] = [floats(N, 2 * F), floats(N, F)];
      return () => [k.swigluGrad(x, dy)];
    },
    gelu: () => {
      const x = floats(N, F);
      return () => [k.gelu(x)];
    },
    geluGrad: () => {
      const [x, dy] = [floats(N, F), floats(N, F)];
      return () => [k.geluGrad(x, dy)];
    },
    add: () => {
      const [a, b] = [floats(N, D), floats(N, D)];
      return () => [k.add(a, b)];
    },
    fill: () => {
      const x = zeros(P);
      return nothing(() => k.fill(x, 0));
    },
    tokenLogprobs: () => {
      const [x, w, targets] = [floats(N, D), weight(V, D), ids()];
      return () => {
        const { logprob, lse, entropy } = k.tokenLogprobs(x, w, targets, 1);
        return [logprob, lse, entropy];
      };
    },
    tokenLogprobsGrad: () => {
      const [x, w, targets, dLogprob, into] = [floats(N, D), weight(V, D), ids(), floats(N), zeros(V, D)];
      const { logprob, lse, entropy } = k.tokenLogprobs(x, w, targets, 1);
      [logprob, lse, entropy].forEach(keep);
      return () => [k.tokenLogprobsGrad(x, w, targets, lse, dLogprob, 1, into)];
    },
    policyLoss: () => {
      const [logprob, old, ref, advantage, weights] = [floats(N), floats(N), floats(N), floats(N), floats(N)];
      const options = kernelOptions(settingsObjective(defaultSettings));
      return () => {
        const { dLogprob, stats } = k.policyLoss(logprob, old, ref, advantage, weights, null, options);
        return [dLogprob, stats];
      };
    },
    sample: () => {
      const logits = floats(R, V);
      const buffers = {
        tokens: keep(backend.zeros([R, 1], "int32")),
        logprobs: zeros(R, 1),
        entropies: zeros(R, 1),
        allowed: zeros(R, 1),
        next: keep(backend.zeros([R], "int32")),
        done: keep(backend.zeros([R], "int32")),
        streams: keep(backend.zeros([R, 2], "int32")),
      };
      const options = {
        temperature: 1,
        greedy: false,
        topK: 0,
        seed: 0,
        step: 0,
        position: 0,
        stopTokens: [],
        suppressTokens: [3, 4, 5, 6],
        padToken: 0,
      };
      return nothing(() => k.sample(logits, buffers, options));
    },
    sumSquares: () => {
      const x = floats(P);
      return () => [k.sumSquares(x)];
    },
    adamw: () => {
      const [theta, grad, m, v] = [floats(P), floats(P), zeros(P), zeros(P)];
      const squares = keep(k.sumSquares(grad));
      const options = {
        learningRate: 1e-3,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weightDecay: 0.01,
        updateCount: 10,
        maxGradNorm: 1,
      };
      return () => [k.adamw(theta, grad, m, v, squares, options)];
    },
  };
}
