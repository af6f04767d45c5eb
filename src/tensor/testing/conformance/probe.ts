/**
 * A probe runs one conformance case on one backend: it makes seeded random inputs (the same on every backend), lets the
 * case call kernels, and collects the tensors to compare. Everything it made is disposed at the end.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Backend } from "../../backend";
import { packCache, unpackCache } from "../../cacheF16";
import type { Kernels, Weight } from "../../kernels";
import { disposeWeight, packWeight, type WeightFormat } from "../../packedWeight";
import { randomUniform } from "../../random";

/** How closely an output must agree: relative to its largest value ("f16": after rounding to f16), or to the bit. */
export type Agreement = "forward" | "gradient" | "f16" | "exact";

export interface Output {
  readonly name: string;
  readonly agreement: Agreement;
  readonly values: Float32Array | Int32Array;
  /** Elements to compare; all if absent (some values are left open by the contract). */
  readonly compared?: (index: number) => boolean;
}

interface Pending {
  readonly name: string;
  readonly agreement: Agreement;
  readonly tensor: Tensor;
  readonly compared?: (index: number) => boolean;
  /** The tensor is an f16 cache (cacheF16.ts), to be compared as the values they stand for. */
  readonly f16?: boolean;
}

export class Probe {
  readonly kernels: Kernels;
  private readonly tensors = new Set<Tensor>();
  private readonly weights: Weight[] = [];
  private readonly pending: Pending[] = [];
  private readonly refusals: Output[] = [];
  private draws = 0;

  constructor(
    readonly backend: Backend,
    private readonly seed: number,
  ) {
    this.kernels = backend.kernels;
  }

  /** Host values, standard normal times `scale` plus `shift` (Box–Muller over the counter-based stream). */
  normal(count: number, scale = 1, shift = 0): Float32Array {
    const stream = ++this.draws;
    return Float32Array.from({ length: count }, (_, i) => {
      const radius = Math.sqrt(-2 * Math.log(randomUniform(this.seed, stream, i, 0)));
      return shift + scale * radius * Math.cos(2 * Math.PI * randomUniform(this.seed, stream, i, 1));
    });
  }

  /** A tensor of random normal values. */
  random(shape: readonly number[], scale = 1, shift = 0): Tensor {
    return this.floats(
      this.normal(
        shape.reduce((a, b) => a * b, 1),
        scale,
        shift,
      ),
      shape,
    );
  }

  floats(values: Float32Array | readonly number[], shape: readonly number[] = [values.length]): Tensor {
    return this.keep(this.backend.upload(Float32Array.from(values), shape));
  }

  integers(values: Int32Array | readonly number[], shape: readonly number[] = [values.length]): Tensor {
    return this.keep(this.backend.upload(Int32Array.from(values), shape));
  }

  /** A random weight matrix in the given format. */
  weight(out: number, columns: number, format: WeightFormat, scale = 1 / Math.sqrt(columns)): Weight {
    const weight = packWeight(this.backend, this.normal(out * columns, scale), out, columns, format);
    this.weights.push(weight);
    return weight;
  }

  /** Dispose `tensor` with the probe. */
  keep<T extends Tensor>(tensor: T): T {
    this.tensors.add(tensor);
    return tensor;
  }

  /** Compare this tensor between backends. */
  compare(name: string, tensor: Tensor, agreement: Agreement, compared?: (index: number) => boolean): void {
    this.keep(tensor);
    this.pending.push({ name, tensor, agreement, ...(compared ? { compared } : {}) });
  }

  /** Compare an f16 cache by its values. */
  compareF16(name: string, cache: Tensor, agreement: Agreement, compared?: (index: number) => boolean): void {
    this.keep(cache);
    this.pending.push({ name, tensor: cache, agreement, f16: true, ...(compared ? { compared } : {}) });
  }

  /** An f16 cache of these values. */
  f16Cache(values: Float32Array, shape: readonly [rows: number, columns: number]): Tensor {
    return this.keep(this.backend.upload(packCache(values), [shape[0], shape[1] / 2]));
  }

  /** The call must throw an Error whose message names the kernel. */
  refuses(kernel: keyof Kernels, call: () => unknown): void {
    let complaint = "";
    try {
      call();
    } catch (error) {
      complaint = error instanceof Error ? error.message : String(error);
    }
    const outcome = complaint.includes(kernel) ? 1 : 0;
    this.refusals.push({
      name: `${kernel} refuses, naming itself`,
      agreement: "exact",
      values: Int32Array.of(outcome),
    });
  }

  async outputs(): Promise<Output[]> {
    const values = this.pending.length ? await this.backend.read(this.pending.map((p) => p.tensor)) : [];
    return [
      ...this.pending.map(({ tensor: _, f16 = false, ...output }, i) => ({
        ...output,
        values: f16 ? unpackCache(values[i] ?? new Int32Array(0)) : (values[i] ?? new Float32Array(0)),
      })),
      ...this.refusals,
    ];
  }

  dispose(): void {
    // A view is made after the tensor it shows: dispose in reverse.
    for (const tensor of [...this.tensors].reverse()) if (!tensor.isDisposed) tensor.dispose();
    for (const weight of this.weights) disposeWeight(weight);
  }
}
