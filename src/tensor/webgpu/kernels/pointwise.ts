/**
 * Elementwise kernels: SwiGLU, GELU, sum, fill. GELU is the exact (erf) one; erfc by Abramowitz & Stegun
 * 7.1.26 (absolute error 1.5e-7), taken for |x| so that the negative tail keeps its digits.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { KernelDispatcher } from "../dispatch";
import { type BufferSpec, type Operand, read, write } from "../kernelSpec";
import type { ParamType } from "../parameterRing";
import { expectShape, matrix } from "../shapes";
import type { TensorAllocator } from "../storage";

const ELEMENTS_PER_THREAD = 4;

interface Pointwise {
  readonly buffers: readonly BufferSpec[];
  readonly params?: Readonly<Record<string, ParamType>>;
  readonly functions?: string;
  /** WGSL statements for element `i`. */
  readonly element: string;
}

const SIGMOID = "fn sigmoid(x: f32) -> f32 { return 1.0 / (1.0 + exp(-x)); }";

const GELU = `
fn normalTail(x: f32) -> f32 { // half of erfc(|x| / sqrt(2)): the normal probability beyond |x|
  let z = abs(x) * 0.70710678118654752;
  let t = 1.0 / (1.0 + 0.3275911 * z);
  let poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return 0.5 * poly * exp(-z * z);
}
fn normalBelow(x: f32) -> f32 { let tail = normalTail(x); return select(1.0 - tail, tail, x < 0.0); }`;

const KERNELS = {
  add: { buffers: [read("a"), read("b"), write("y")], element: "y[i] = a[i] + b[i];" },
  fill: { buffers: [write("y")], params: { value: "f32" }, element: "y[i] = params.value;" },
  gelu: { buffers: [read("x"), write("y")], functions: GELU, element: "y[i] = x[i] * normalBelow(x[i]);" },
  geluGrad: {
    buffers: [read("x"), read("dy"), write("dx")],
    functions: GELU,
    element: "let v = x[i]; dx[i] = dy[i] * (normalBelow(v) + v * 0.39894228040143268 * exp(-0.5 * v * v));",
  },
  swiglu: {
    buffers: [read("gateUp"), write("y")],
    params: { width: "u32" },
    functions: SIGMOID,
    element: `
    let row = i / params.width;
    let at = row * params.width + i;
    let gate = gateUp[at];
    y[i] = gate * sigmoid(gate) * gateUp[at + params.width];`,
  },
  swigluGrad: {
    buffers: [read("gateUp"), read("dy"), write("dGateUp")],
    params: { width: "u32" },
    functions: SIGMOID,
    element: `
    let row = i / params.width;
    let at = row * params.width + i;
    let gate = gateUp[at];
    let s = sigmoid(gate);
    dGateUp[at] = dy[i] * gateUp[at + params.width] * s * (1.0 + gate * (1.0 - s));
    dGateUp[at + params.width] = dy[i] * gate * s;`,
  },
} as const satisfies Record<string, Pointwise>;

export class PointwiseKernels {
  constructor(
    private readonly dispatcher: KernelDispatcher,
    private readonly storage: TensorAllocator,
  ) {}

  add(a: Tensor, b: Tensor): Tensor {
    expectShape("add", "b", b, a.shape);
    const y = this.storage.allocate(a.shape, "float32");
    this.run("add", [a, b, y], [], a.size);
    return y;
  }

  /** `value` as a float; an int32 tensor can be filled with 0 only. */
  fill(intoX: Tensor, value: number): void {
    if (intoX.dtype === "int32" && value !== 0)
      throw new Error(`fill: an int32 tensor can only be filled with 0, got ${value}.`);
    const bound = this.dispatcher.maxBoundElements;
    if (intoX.size <= bound) {
      this.run("fill", [intoX], [value], intoX.size);
      return;
    }
    const part = bound - (bound % 64);
    for (let offset = 0; offset < intoX.size; offset += part) {
      const size = Math.min(part, intoX.size - offset);
      this.run("fill", [{ tensor: intoX, offset, size }], [value], size);
    }
  }

  gelu(x: Tensor): Tensor {
    const y = this.storage.allocate(x.shape, "float32");
    this.run("gelu", [x, y], [], x.size);
    return y;
  }

  geluGrad(x: Tensor, dy: Tensor): Tensor {
    expectShape("geluGrad", "dy", dy, x.shape);
    const dx = this.storage.allocate(x.shape, "float32");
    this.run("geluGrad", [x, dy, dx], [], x.size);
    return dx;
  }

  swiglu(gateUp: Tensor): Tensor {
    const [rows, width] = halves("swiglu", gateUp);
    const y = this.storage.allocate([rows, width], "float32");
    this.run("swiglu", [gateUp, y], [width], y.size);
    return y;
  }

  swigluGrad(gateUp: Tensor, dy: Tensor): Tensor {
    const [rows, width] = halves("swigluGrad", gateUp);
    expectShape("swigluGrad", "dy", dy, [rows, width]);
    const dGateUp = this.storage.allocate(gateUp.shape, "float32");
    this.run("swigluGrad", [gateUp, dy, dGateUp], [width], dy.size);
    return dGateUp;
  }

  private run(name: keyof typeof KERNELS, operands: readonly Operand[], params: readonly number[], size: number): void {
    const threads = this.dispatcher.traits.elementThreads;
    const kernel = this.dispatcher.kernel(name, () => {
      const spec: Pointwise = KERNELS[name];
      return {
        buffers: spec.buffers,
        params: { size: "u32", ...spec.params },
        threads,
        code: `
${spec.functions ?? ""}
fn kernel(group: u32, lane: u32) {
  for (var step = 0u; step < ${ELEMENTS_PER_THREAD}u; step++) {
    let i = (group * ${ELEMENTS_PER_THREAD}u + step) * THREADS + lane;
    if (i < params.size) {
      ${spec.element}
    }
  }
}`,
      };
    });
    this.dispatcher.run(kernel, operands, [size, ...params], Math.ceil(size / (threads * ELEMENTS_PER_THREAD)));
  }
}

function halves(kernel: string, gateUp: Tensor): [rows: number, width: number] {
  const [rows, columns] = matrix(kernel, "gateUp", gateUp);
  if (columns % 2 !== 0)
    throw new Error(`${kernel}: gateUp must have an even number of columns, got [${rows}, ${columns}].`);
  return [rows, columns / 2];
}
