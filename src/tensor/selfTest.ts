/**
 * The start-up check of a backend: a small forward and gradient of each kind of kernel against plain loops in double
 * precision written here, so that a driver that computes wrongly (TensorFlow.js was reported inaccurate on Firefox 141)
 * is passed over rather than used for training. Deterministic inputs; under a second on a GPU, most of it compilation.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Backend } from "./backend";
import type { Weight } from "./kernels";
import { randomUniform } from "./random";
import * as expected from "./selfTestLoops";

/** Relative to the largest expected value of a tensor. */
const FORWARD_TOLERANCE = 1e-4;
const GRADIENT_TOLERANCE = 1e-3;
/** When the products round their operands to f16. */
const F16_TOLERANCE = 5e-3;

interface Check {
  readonly what: string;
  readonly tensor: Tensor;
  readonly values: readonly number[];
  readonly tolerance: number;
}

/** @throws Error naming the kernel that disagrees and by how much; or whatever the backend throws */
export async function selfTest(backend: Backend): Promise<void> {
  const owned: Tensor[] = [];
  const own = <T extends Tensor>(tensor: T): T => {
    owned.push(tensor);
    return tensor;
  };
  const checks = [
    ...linearChecks(backend, own),
    ...normChecks(backend, own),
    ...attentionChecks(backend, own),
    ...headChecks(backend, own),
    ...adamwChecks(backend, own),
    ...sampleChecks(backend, own),
  ];
  const read = await backend.read(checks.map((check) => check.tensor));
  for (const tensor of owned) tensor.dispose();
  checks.forEach((check, i) => compare(backend, check, read[i] ?? new Float32Array(0)));
}

/** Milliseconds of both passes. */
export interface SelfTestTimes {
  /** Of the first pass, which compiles every kernel, where the backend compiles. */
  readonly pipelines: number;
  readonly selfTest: number;
}

/** Runs the self-test twice, to tell compiling the kernels from testing them. @throws as `selfTest` */
export async function timedSelfTest(backend: Backend): Promise<SelfTestTimes> {
  const began = performance.now();
  await selfTest(backend);
  const compiled = performance.now();
  await selfTest(backend);
  return { pipelines: compiled - began, selfTest: performance.now() - compiled };
}

type Own = <T extends Tensor>(tensor: T) => T;

function compare(
  { name: backend, description }: Backend,
  { what, values, tolerance: asked }: Check,
  got: ArrayLike<number>,
): void {
  const tolerance = description.f16Matmul === true ? Math.max(asked, F16_TOLERANCE) : asked;
  if (got.length !== values.length)
    throw new Error(`Self-test of ${backend}: ${what} has ${got.length} values, expected ${values.length}.`);
  const scale = Math.max(1e-6, ...values.map(Math.abs));
  values.forEach((value, i) => {
    const found = got[i] ?? NaN;
    if (!(Math.abs(found - value) <= tolerance * scale)) {
      throw new Error(
        `Self-test of ${backend}: ${what}[${i}] is ${found}, expected ${value} within ${tolerance * scale}.`,
      );
    }
  });
}

/** Numbers in (−1, 1) that depend only on their index. */
function numbers(count: number, stream: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => 2 * randomUniform(20, stream, 0, i) - 1);
}

const forward = (what: string, tensor: Tensor, values: readonly number[]): Check => ({
  what,
  tensor,
  values,
  tolerance: FORWARD_TOLERANCE,
});
const gradient = (what: string, tensor: Tensor, values: readonly number[]): Check => ({
  what,
  tensor,
  values,
  tolerance: GRADIENT_TOLERANCE,
});

function linearChecks(backend: Backend, own: Own): Check[] {
  const [rows, inputs, outputs] = [9, 12, 20];
  const [x, w, b, dy] = [
    numbers(rows * inputs, 1),
    numbers(outputs * inputs, 2),
    numbers(outputs, 3),
    numbers(rows * outputs, 4),
  ];
  const xT = own(backend.upload(x, [rows, inputs]));
  const dyT = own(backend.upload(dy, [rows, outputs]));
  const weight: Weight = { format: "f32", out: outputs, in: inputs, values: own(backend.upload(w, [outputs, inputs])) };
  const dw = own(backend.zeros([outputs, inputs]));
  backend.kernels.linearGradWeight(xT, dyT, dw, null);
  return [
    forward(
      "linear",
      own(backend.kernels.linear(xT, weight, own(backend.upload(b, [outputs])), null)),
      expected.linear(x, w, b, rows, inputs, outputs),
    ),
    gradient(
      "linearGradInput",
      own(backend.kernels.linearGradInput(dyT, weight, null)),
      expected.linearGradInput(dy, w, rows, inputs, outputs),
    ),
    gradient("linearGradWeight", dw, expected.linearGradWeight(x, dy, rows, inputs, outputs)),
  ];
}

function normChecks(backend: Backend, own: Own): Check[] {
  const [rows, width, eps] = [3, 20, 1e-6];
  const [x, w, dy] = [numbers(rows * width, 5), numbers(width, 6), numbers(rows * width, 7)];
  const xT = own(backend.upload(x, [rows, width]));
  const wT = own(backend.upload(w, [width]));
  const { y, dx, dw } = expected.rmsNorm(x, w, dy, rows, width, eps);
  const intoW = own(backend.zeros([width]));
  const dxT = own(backend.kernels.rmsNormGrad(xT, wT, own(backend.upload(dy, [rows, width])), eps, null, intoW));
  return [
    forward("rmsNorm", own(backend.kernels.rmsNorm(xT, wT, eps)), y),
    gradient("rmsNormGrad", dxT, dx),
    gradient("rmsNormGrad weight", intoW, dw),
  ];
}

/** Two causal heads over one key/value head: grouped queries, one online softmax. */
function attentionChecks(backend: Backend, own: Own): Check[] {
  const [rows, headDim] = [10, 4];
  const shape = { heads: 2, kvHeads: 1, headDim, qOffset: 0, kOffset: 2 * headDim, vOffset: 3 * headDim };
  const qkv = numbers(rows * 4 * headDim, 8);
  const dOut = numbers(rows * 2 * headDim, 9);
  const visible = own(
    backend.upload(Int32Array.from(Array.from({ length: rows }, (_, n) => [0, 0, 0, n + 1]).flat()), [rows, 4]),
  );
  const seenBy = own(
    backend.upload(Int32Array.from(Array.from({ length: rows }, (_, n) => [n, rows]).flat()), [rows, 2]),
  );
  const qkvT = own(backend.upload(qkv, [rows, 4 * headDim]));
  const { out, lse } = backend.kernels.attention(qkvT, qkvT, visible, shape);
  own(out);
  own(lse);
  const dQkv = own(
    backend.kernels.attentionGrad(
      qkvT,
      visible,
      seenBy,
      out,
      lse,
      own(backend.upload(dOut, [rows, 2 * headDim])),
      shape,
    ),
  );
  const want = expected.causalAttention(qkv, dOut, rows, headDim);
  return [forward("attention", out, want.out), gradient("attentionGrad", dQkv, want.dQkv)];
}

function headChecks(backend: Backend, own: Own): Check[] {
  const [rows, width, vocabulary, temperature] = [4, 8, 37, 0.8];
  const [hidden, head, dLogprob] = [numbers(rows * width, 10), numbers(vocabulary * width, 11), numbers(rows, 12)];
  const targets = Int32Array.of(0, 36, -1, 17);
  const hiddenT = own(backend.upload(hidden, [rows, width]));
  const targetsT = own(backend.upload(targets, [rows]));
  const weight: Weight = {
    format: "f32",
    out: vocabulary,
    in: width,
    values: own(backend.upload(head, [vocabulary, width])),
  };
  const { logprob, lse, entropy } = backend.kernels.tokenLogprobs(hiddenT, weight, targetsT, temperature);
  [logprob, lse, entropy].forEach(own);
  const intoHead = own(backend.zeros([vocabulary, width]));
  const dHidden = own(
    backend.kernels.tokenLogprobsGrad(
      hiddenT,
      weight,
      targetsT,
      lse,
      own(backend.upload(dLogprob, [rows])),
      temperature,
      intoHead,
    ),
  );
  const want = expected.tokenLogprobs(hidden, head, targets, dLogprob, { rows, width, vocabulary, temperature });
  return [
    forward("tokenLogprobs", logprob, want.logprob),
    forward("tokenLogprobs entropy", entropy, want.entropy),
    gradient("tokenLogprobsGrad", dHidden, want.dHidden),
    gradient("tokenLogprobsGrad head", intoHead, want.dHead),
  ];
}

/**
 * One clipped update, then two that must leave the weights as they are: one whose gradient is NaN, and one whose
 * learning rate is beyond f32.
 */
function adamwChecks(backend: Backend, own: Own): Check[] {
  const size = 70;
  const [theta, grad, m] = [numbers(size, 13), numbers(size, 14), numbers(size, 15)];
  const v = numbers(size, 16).map((value) => value * value);
  const options = {
    learningRate: 0.01,
    beta1: 0.9,
    beta2: 0.99,
    epsilon: 1e-8,
    weightDecay: 0.1,
    updateCount: 3,
    maxGradNorm: 1,
  };
  const upload = (values: Float32Array): Tensor => own(backend.upload(values, [size]));
  const [thetaT, gradT, mT, vT] = [upload(theta), upload(grad), upload(m), upload(v)];
  const squares = own(backend.kernels.sumSquares(gradT));
  own(backend.kernels.adamw(thetaT, gradT, mT, vT, squares, options));
  const broken = upload(grad.map((value, i) => (i === 41 ? NaN : value)));
  const next = { ...options, updateCount: 4 };
  own(backend.kernels.adamw(thetaT, broken, mT, vT, own(backend.kernels.sumSquares(broken)), next));
  const nought = own(backend.zeros([size]));
  const none = own(backend.zeros([1]));
  own(backend.kernels.adamw(thetaT, nought, mT, vT, none, { ...next, learningRate: 1e39 }));
  const want = expected.adamw(theta, grad, m, v, options);
  return [
    forward("sumSquares", squares, [want.squares]),
    forward("adamw", thetaT, want.theta),
    forward("adamw m", mT, want.m),
    forward("adamw v", vT, want.v),
  ];
}

function sampleChecks(backend: Backend, own: Own): Check[] {
  const [rows, vocabulary, temperature, seed, step] = [6, 11, 0.7, 5, 2];
  const logits = numbers(rows * vocabulary, 17).map((value) => 4 * value);
  const integers = (values: readonly number[], shape: readonly number[]): Tensor =>
    own(backend.upload(Int32Array.from(values), shape));
  const buffers = {
    tokens: integers(Array<number>(rows).fill(0), [rows, 1]),
    logprobs: own(backend.zeros([rows, 1])),
    entropies: own(backend.zeros([rows, 1])),
    allowed: own(backend.zeros([rows, 1])),
    next: integers(Array<number>(rows).fill(0), [rows]),
    done: integers([0, 0, 0, 1, 0, 0], [rows]),
    streams: integers([0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 70, 0], [rows, 2]),
  };
  const suppressTokens = [3, 8];
  const options = { temperature, seed, step, padToken: 9, suppressTokens };
  const common = { ...options, topK: 0, position: 0, stopTokens: [], greedy: false };
  backend.kernels.sample(own(backend.upload(logits, [rows, vocabulary])), buffers, common);
  const want = expected.sample(logits, [0, 1, 2, -1, 4, 70], { vocabulary, ...options });
  return [
    forward("sample", buffers.tokens, want.tokens),
    forward("sample logprob", buffers.logprobs, want.logprobs),
    forward("sample entropy", buffers.entropies, want.entropies),
    forward("sample allowed", buffers.allowed, want.allowed),
  ];
}
