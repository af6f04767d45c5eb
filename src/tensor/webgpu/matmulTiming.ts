/** What the tuner measures with: the products of TUNED_SHAPES on a backend's own device, numbers in, wall clock out. */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Backend } from "../backend";
import { packWeight } from "../packedWeight";
import type { Dispatcher } from "./dispatch";
import { packed } from "./kernels/linear";
import { type Matmul, runMatmul } from "./kernels/matmul";
import { type MatmulKind, matmulVariant, plainVariant } from "./kernels/matmul/choice";
import { type Timing, TUNED_SHAPES } from "./kernels/matmul/tuner";
import type { MatmulAdapter, MatmulVariantName } from "./kernels/matmul/variant";
import { weightAccess } from "./kernels/weightAccess";

/** Target length of one measurement and number of tries; the best counts. */
const MEASURED_MS = 6;
const ROUNDS = 3;
const MAX_REPETITIONS = 200;

/** In [−1, 1], without a period that a tile could share. */
const numbers = (count: number, stream: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => ((i * 7919 + stream * 104729) % 2003) / 1001 - 1);

interface Inputs {
  readonly product: Matmul;
  readonly c: Tensor;
  readonly owned: readonly Tensor[];
}

export class MatmulTiming implements Timing {
  private readonly inputs = new Map<MatmulKind, Inputs>();
  private readonly expected = new Map<MatmulKind, ArrayLike<number>>();

  constructor(
    private readonly backend: Backend,
    private readonly device: GPUDevice,
    private readonly dispatcher: Dispatcher,
    private readonly adapter: MatmulAdapter,
    private readonly now: () => number,
  ) {}

  async compare(kind: MatmulKind, variant: MatmulVariantName): Promise<number | { readonly error: string }> {
    const { product, c } = this.inputsOf(kind);
    const filters = ["validation", "internal", "out-of-memory"] as const;
    for (const filter of filters) this.device.pushErrorScope(filter);
    this.run(product, kind, variant, 1);
    this.backend.flush();
    const errors = await Promise.all(filters.map(() => this.device.popErrorScope()));
    const error = errors.find((found) => found !== null);
    if (error) return { error: error.message };
    const [values] = await this.backend.read([c]);
    if (values === undefined) throw new Error("The read-back returned nothing.");
    if (variant === plainVariant(this.adapter)) this.expected.set(kind, values);
    const expected = this.expected.get(kind);
    if (expected === undefined) throw new Error(`The plain variant has not run for ${kind}.`);
    let [difference, largest] = [0, 0];
    for (let i = 0; i < expected.length; i++) {
      const [got, wanted] = [values[i] ?? NaN, expected[i] ?? NaN];
      if (!Number.isFinite(got)) return Infinity;
      difference = Math.max(difference, Math.abs(got - wanted));
      largest = Math.max(largest, Math.abs(wanted));
    }
    return difference / largest;
  }

  async time(kind: MatmulKind, variant: MatmulVariantName): Promise<number> {
    const { product } = this.inputsOf(kind);
    const once = await this.measure(product, kind, variant, 1);
    const count = Math.max(1, Math.min(MAX_REPETITIONS, Math.ceil(MEASURED_MS / Math.max(once, 1e-3))));
    let best = Infinity;
    for (let round = 0; round < ROUNDS; round++)
      best = Math.min(best, (await this.measure(product, kind, variant, count)) / count);
    return best;
  }

  dispose(): void {
    for (const { owned } of this.inputs.values()) for (const tensor of owned) tensor.dispose();
    this.inputs.clear();
  }

  private async measure(product: Matmul, kind: MatmulKind, variant: MatmulVariantName, count: number): Promise<number> {
    await this.device.queue.onSubmittedWorkDone();
    const began = this.now();
    this.run(product, kind, variant, count);
    this.backend.flush();
    await this.device.queue.onSubmittedWorkDone();
    return this.now() - began;
  }

  private run(product: Matmul, kind: MatmulKind, variant: MatmulVariantName, times: number): void {
    const plan = matmulVariant(variant).plan(TUNED_SHAPES[kind], this.adapter);
    if (plan === null) throw new Error(`${variant} is not written for ${kind}.`);
    for (let i = 0; i < times; i++) runMatmul(this.dispatcher, product, plan);
  }

  /** Created on first use of the kind; each value depends on its index alone. */
  private inputsOf(kind: MatmulKind): Inputs {
    const known = this.inputs.get(kind);
    if (known) return known;
    const { orientation, m, n, k, format } = TUNED_SHAPES[kind];
    const [rows, columns] = orientation === "NT" ? [n, k] : [k, n];
    const a = this.backend.upload(numbers(m * k, 1), orientation === "TN" ? [k, m] : [m, k]);
    const weight = packWeight(this.backend, numbers(rows * columns, 2), rows, columns, format);
    const c = this.backend.zeros([m, n]);
    const b =
      orientation === "TN" && weight.format === "f32"
        ? { access: weightAccess("f32", n % 4 === 0), operands: [weight.values] }
        : packed(weight);
    const stored =
      weight.format === "f32"
        ? [weight.values]
        : weight.format === "f16"
          ? [weight.packed]
          : [weight.packed, weight.scales];
    const made: Inputs = { product: { orientation, m, n, k, a, b, c }, c, owned: [a, c, ...stored] };
    this.inputs.set(kind, made);
    return made;
  }
}
