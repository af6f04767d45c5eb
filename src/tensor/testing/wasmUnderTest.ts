/** The wasm backend that a test file shares: opened before its tests, closed after them. */
import type { Tensor } from "@tensorflow/tfjs-core";
import { afterAll, beforeAll } from "vitest";
import type { Backend } from "../backend";
import { openWasmBackend } from "../wasm/backend";

export interface WasmUnderTest {
  readonly backend: Backend;
  up(values: Float32Array | Int32Array, ...shape: number[]): Tensor;
  /** Reads tensors and disposes them. */
  read(...tensors: Tensor[]): Promise<(Float32Array | Int32Array)[]>;
}

export function wasmUnderTest(): WasmUnderTest {
  let opened: Backend | null = null;
  beforeAll(async () => {
    opened = await openWasmBackend();
  });
  afterAll(() => opened?.dispose());
  const backend = (): Backend => {
    if (opened === null) throw new Error("The wasm backend is open inside tests only.");
    return opened;
  };
  return {
    get backend() {
      return backend();
    },
    up: (values, ...shape) => backend().upload(values, shape),
    read: async (...tensors) => {
      const values = await backend().read(tensors);
      for (const tensor of tensors) tensor.dispose();
      return values;
    },
  };
}

/** a[i] + b(i) in float64. */
export function plus(a: ArrayLike<number>, b: (i: number) => number): Float64Array {
  return Float64Array.from(a, (x, i) => x + b(i));
}
