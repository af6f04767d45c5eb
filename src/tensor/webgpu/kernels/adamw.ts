/**
 * Sum of squares and AdamW over flat buffers (Loshchilov & Hutter 2019, torch's order of operations), in two passes:
 * the first computes every new value and writes only whether all are finite, the second writes them if so. The first
 * costs 4 reads a parameter, where a copy to go back to would cost 3 reads, 3 writes and as much memory as the weights
 * and moments.
 *
 * WGSL may assume that NaN and infinity do not occur, so all kernels look at bit patterns: a gradient that is not
 * finite makes the sum a NaN by its bits, and a sum or a new value that is not finite makes AdamW write nothing.
 * Options that overflow f32 are found on the host.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { AdamWOptions, DynamicOptions } from "../../kernels";
import type { KernelDispatcher } from "../dispatch";
import { type Operand, read, write } from "../kernelSpec";
import { expectShape, expectSize } from "../shapes";
import type { TensorAllocator } from "../storage";

/** A u32 view of a float is infinite or NaN when its exponent bits are all ones. */
const EXPONENT = "0x7f800000u";

const ELEMENTS_PER_THREAD = 16;

const SQUARES = `
var<workgroup> sums: array<f32, THREADS>;
var<workgroup> flags: array<u32, THREADS>;
fn kernel(group: u32, lane: u32) {
  var sum = 0.0;
  var bad = 0u;
  for (var step = 0u; step < ${ELEMENTS_PER_THREAD}u; step++) {
    let i = (group * ${ELEMENTS_PER_THREAD}u + step) * THREADS + lane;
    if (i < params.size) {
      let raw = x[i];
      let v = bitcast<f32>(raw);
      bad |= select(0u, 1u, (raw & ${EXPONENT}) == ${EXPONENT});
      sum += select(v, v * v, params.square == 1u);
    }
  }
  sums[lane] = sum;
  flags[lane] = bad;
  workgroupBarrier();
  for (var half = THREADS / 2u; half > 0u; half >>= 1u) {
    if (lane < half) {
      sums[lane] += sums[lane + half];
      flags[lane] |= flags[lane + half];
    }
    workgroupBarrier();
  }
  if (lane == 0u) { total[params.at + group] = select(bitcast<u32>(sums[0]), 0x7fc00000u, flags[0] != 0u); }
}`;

/** The new values of parameter i. */
const UPDATED = `
struct Updated { theta: f32, m: f32, v: f32 }
fn updated(i: u32) -> Updated {
  let factor = min(1.0, params.maxGradNorm / (sqrt(bitcast<f32>(gradSquares[0])) + 1e-6));
  let g = grad[i] * factor;
  let newM = params.beta1 * m[i] + params.rest1 * g;
  let newV = params.beta2 * v[i] + params.rest2 * g * g;
  let change = params.stepSize * newM / (sqrt(newV) * params.inverseRoot2 + params.epsilon);
  return Updated(theta[i] * params.decay - change, newM, newV);
}`;

const CHECK = `${UPDATED}
var<workgroup> flags: array<u32, THREADS>;
fn broken(value: f32) -> u32 {
  return select(0u, 1u, (bitcast<u32>(value) & ${EXPONENT}) == ${EXPONENT});
}
fn kernel(group: u32, lane: u32) {
  var bad = params.overflows | select(0u, 1u, (gradSquares[0] & ${EXPONENT}) == ${EXPONENT});
  for (var step = 0u; step < ${ELEMENTS_PER_THREAD}u; step++) {
    let i = (group * ${ELEMENTS_PER_THREAD}u + step) * THREADS + lane;
    if (i < params.size) {
      let next = updated(i);
      bad |= broken(next.theta) | broken(next.m) | broken(next.v);
    }
  }
  flags[lane] = bad;
  workgroupBarrier();
  for (var half = THREADS / 2u; half > 0u; half >>= 1u) {
    if (lane < half) { flags[lane] |= flags[lane + half]; }
    workgroupBarrier();
  }
  if (lane == 0u) { refused[params.at + group] = select(0u, 0x7fc00000u, flags[0] != 0u); }
}`;

const ADAMW = `${UPDATED}
fn kernel(group: u32, lane: u32) {
  if (refused[0] != 0u) { return; }
  for (var step = 0u; step < 4u; step++) {
    let i = (group * 4u + step) * THREADS + lane;
    if (i < params.size) {
      let next = updated(i);
      m[i] = next.m;
      v[i] = next.v;
      theta[i] = next.theta;
    }
  }
}`;

const PARAMS = {
  size: "u32",
  beta1: "f32",
  rest1: "f32",
  beta2: "f32",
  rest2: "f32",
  decay: "f32",
  stepSize: "f32",
  inverseRoot2: "f32",
  epsilon: "f32",
  maxGradNorm: "f32",
} as const;

export class AdamwKernels {
  constructor(
    private readonly dispatcher: KernelDispatcher,
    private readonly storage: TensorAllocator,
  ) {}

  sumSquares(x: Tensor): Tensor {
    const perGroup = this.dispatcher.traits.elementThreads * ELEMENTS_PER_THREAD;
    const part = boundPart(this.dispatcher, perGroup);
    const partials = Math.max(1, Math.ceil(x.size / perGroup));
    const level = this.storage.allocate([partials], "float32");
    if (x.size === 0) this.sum(x, level, 0, 0, true, 1);
    for (let offset = 0; offset < x.size; offset += part) {
      const size = Math.min(part, x.size - offset);
      this.sum(partOf(x, offset, size), level, size, offset / perGroup, true, Math.ceil(size / perGroup));
    }
    return this.total(level);
  }

  /** The sum of partial sums, which are disposed. */
  private total(partials: Tensor): Tensor {
    let level = partials;
    const perGroup = this.dispatcher.traits.elementThreads * ELEMENTS_PER_THREAD;
    while (level.size > 1) {
      const groups = Math.ceil(level.size / perGroup);
      const next = this.storage.allocate([groups], "float32");
      this.sum(level, next, level.size, 0, false, groups);
      level.dispose();
      level = next;
    }
    return level;
  }

  adamw(intoTheta: Tensor, grad: Tensor, intoM: Tensor, intoV: Tensor, gradSquares: Tensor, o: AdamWOptions): Tensor {
    const size = intoTheta.size;
    for (const [name, tensor] of Object.entries({ grad, intoM, intoV })) expectSize("adamw", name, tensor, size);
    expectShape("adamw", "gradSquares", gradSquares, [1]);
    const threads = this.dispatcher.traits.elementThreads;
    const check = this.dispatcher.kernel("adamwCheck", () => ({
      buffers: [read("theta"), read("grad"), read("m"), read("v"), read("gradSquares", "u32"), write("refused", "u32")],
      params: { ...PARAMS, at: "u32", overflows: "u32" },
      threads,
      code: CHECK,
    }));
    const kernel = this.dispatcher.kernel("adamw", () => ({
      buffers: [
        write("theta"),
        read("grad"),
        write("m"),
        write("v"),
        read("gradSquares", "u32"),
        read("refused", "u32"),
      ],
      params: PARAMS,
      threads,
      code: ADAMW,
    }));
    const params =
      (count: number) =>
      ({ learningRate = o.learningRate, updateCount = o.updateCount }: DynamicOptions): number[] => {
        // Bias corrections in double precision on the host: 1 − β2^t loses everything in f32.
        const stepSize = learningRate / (1 - o.beta1 ** updateCount);
        const inverseRoot2 = 1 / Math.sqrt(1 - o.beta2 ** updateCount);
        return [
          count,
          o.beta1,
          1 - o.beta1,
          o.beta2,
          1 - o.beta2,
          1 - learningRate * o.weightDecay,
          stepSize,
          inverseRoot2,
          o.epsilon,
          Math.min(o.maxGradNorm, 3e38),
        ];
      };
    const perGroup = threads * ELEMENTS_PER_THREAD;
    const checked = boundPart(this.dispatcher, perGroup);
    const partials = this.storage.allocate([Math.max(1, Math.ceil(size / perGroup))], "float32");
    for (let offset = 0; offset < size; offset += checked) {
      const count = Math.min(checked, size - offset);
      const flat = [intoTheta, grad, intoM, intoV].map((tensor) => partOf(tensor, offset, count));
      const checkParams = (dynamic: DynamicOptions): number[] => {
        const values = params(count)(dynamic);
        const overflows = values.some((value) => !Number.isFinite(Math.fround(value)));
        return [...values, offset / perGroup, Number(overflows)];
      };
      this.dispatcher.run(check, [...flat, gradSquares, partials], checkParams, Math.ceil(count / perGroup));
    }
    const refused = this.total(partials);
    const part = boundPart(this.dispatcher, 64);
    for (let offset = 0; offset < size; offset += part) {
      const count = Math.min(part, size - offset);
      const flat = [intoTheta, grad, intoM, intoV].map((tensor) => partOf(tensor, offset, count));
      this.dispatcher.run(kernel, [...flat, gradSquares, refused], params(count), Math.ceil(count / (4 * threads)));
    }
    return refused;
  }

  private sum(x: Operand, into: Tensor, size: number, at: number, square: boolean, groups: number): void {
    const kernel = this.dispatcher.kernel("sumSquares", () => ({
      buffers: [read("x", "u32"), write("total", "u32")],
      params: { size: "u32", at: "u32", square: "u32" },
      threads: this.dispatcher.traits.elementThreads,
      code: SQUARES,
    }));
    this.dispatcher.run(kernel, [x, into], [size, at, square ? 1 : 0], groups);
  }
}

/** Elements of a flat buffer that one dispatch binds: all the adapter allows, in whole units. */
function boundPart(dispatcher: KernelDispatcher, unit: number): number {
  return Math.floor(dispatcher.maxBoundElements / unit) * unit;
}

function partOf(tensor: Tensor, offset: number, size: number): Operand {
  return offset === 0 && size === tensor.size ? tensor : { tensor, offset, size };
}
