/** The tape against finite differences; nothing is kept after a step, and frozen parts cost no work. */
import { memory } from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "./backend";
import { attention, fusedShape, rope } from "./ops/attention";
import { gelu, reshape, rmsNorm, swiglu } from "./ops/elementwise";
import { type LinearParameters, linear } from "./ops/linear";
import { embedding, gatherRows, tokenLogprobs } from "./ops/rows";
import { type ParameterGroup, ParameterSet } from "./parameters";
import { openReferenceBackend } from "./reference/backend";
import { Tape } from "./tape";

const D = 8;
const SHAPES: Record<string, readonly number[]> = {
  table: [7, D],
  norm: [D],
  qkv: [3 * D, D],
  qkvBias: [3 * D],
  o: [D, D],
  gateUp: [2 * D, D],
  down: [D, D],
  wide: [2 * D, 2 * D],
};
const wave = (n: number, phase: number): Float32Array =>
  Float32Array.from({ length: n }, (_, i) => 0.4 * Math.sin(phase + 1.7 * i));

function parameters(backend: Backend, frozen: readonly string[] = []): ParameterSet {
  const groups = Object.entries(SHAPES).map(
    ([name, shape]): ParameterGroup => ({ key: name, parts: [{ name, shape }], trainable: !frozen.includes(name) }),
  );
  const set = new ParameterSet(backend, groups);
  Object.entries(SHAPES).forEach(([name, shape], i) =>
    set.write(
      name,
      wave(
        shape.reduce((a, b) => a * b, 1),
        i,
      ),
    ),
  );
  return set;
}

/**
 * Embedding → attention block → gated block → two rows joined → GELU → log-probabilities of gathered rows; returns Σ
 * weight·logprob.
 */
async function run(backend: Backend, set: ParameterSet, train: boolean): Promise<number> {
  const tape = new Tape(backend, train);
  const int = (values: readonly number[], shape: readonly number[]) =>
    tape.keep(backend.upload(Int32Array.from(values), shape));
  const dense = (matrix: string, bias: string | null = null): LinearParameters => ({
    matrix: set.matrix(matrix),
    bias: bias === null ? null : set.vector(bias),
    lora: [],
  });
  const shape = fusedShape(2, 2, 4);
  const angles = {
    cos: tape.keep(backend.upload(wave(8, 1).map(Math.cos), [4, 2])),
    sin: tape.keep(backend.upload(wave(8, 1).map(Math.sin), [4, 2])),
  };
  const rows = {
    visible: int([0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0], [4, 4]),
    seenBy: int([0, 4, 1, 4, 2, 4, 3, 4], [4, 2]),
  };

  const x = embedding(tape, set.matrix("table"), null, int([1, 5, 1, 3], [4]));
  const qkv = linear(tape, rmsNorm(tape, x, set.vector("norm"), 1e-6), dense("qkv", "qkvBias"));
  rope(tape, qkv, angles, shape);
  const middle = linear(tape, attention(tape, qkv, rows, shape), dense("o"), x);
  const gated = swiglu(tape, linear(tape, rmsNorm(tape, middle, set.vector("norm"), 1e-6), dense("gateUp")));
  const out = linear(tape, gated, dense("down"), middle);
  const pairs = gelu(tape, linear(tape, reshape(tape, out, [2, 2 * D]), dense("wide")));
  const chosen = gatherRows(tape, reshape(tape, pairs, [4, D]), {
    to: int([-1, 1, -1, 0], [4]),
    from: int([3, 1], [2]),
  });
  const { logprob } = tokenLogprobs(tape, chosen, set.matrix("table"), int([2, 6], [2]), 0.7);
  const weight = backend.upload(Float32Array.of(0.5, -1.25), [2]);
  if (train) {
    set.zeroGrad();
    tape.backward(logprob, weight);
  }
  const [values] = await backend.read([logprob]);
  weight.dispose();
  tape.dispose();
  return 0.5 * (values?.[0] ?? NaN) - 1.25 * (values?.[1] ?? NaN);
}

describe("Tape", () => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await openReferenceBackend();
  });
  afterAll(() => backend.dispose());

  it("gives the gradients that finite differences give, tied and shared parameters included", async () => {
    const set = parameters(backend);
    await run(backend, set, true);
    const gradients = await set.readAllGrads();
    for (const [name, gradient] of gradients) {
      const values = await set.read(name);
      for (const i of [0, Math.floor(values.length / 2), values.length - 1]) {
        const nudged = async (by: number): Promise<number> => {
          set.write(
            name,
            values.map((value, j) => (j === i ? value + by : value)),
          );
          return run(backend, set, false);
        };
        const numeric = ((await nudged(5e-3)) - (await nudged(-5e-3))) / 1e-2;
        expect(Math.abs((gradient[i] ?? NaN) - numeric), `${name}[${i}]`).toBeLessThan(
          2e-3 * Math.max(1, Math.abs(numeric)),
        );
      }
      set.write(name, values);
    }
    set.dispose();
  });

  it("keeps nothing after a step, recording or not", async () => {
    const set = parameters(backend);
    await run(backend, set, true);
    const before = memory().numTensors;
    await run(backend, set, true);
    await run(backend, set, false);
    expect(memory().numTensors).toBe(before);
    set.dispose();
  });

  it("does no backward work for frozen parts", async () => {
    const dispatches = async (frozen: readonly string[]): Promise<number> => {
      const set = parameters(backend, frozen);
      const before = backend.counters.dispatches;
      await run(backend, set, true);
      const after = backend.counters.dispatches;
      set.dispose();
      return after - before;
    };
    const all = await dispatches([]);
    const lastOnly = await dispatches(Object.keys(SHAPES).filter((name) => name !== "wide"));
    expect(lastOnly).toBeLessThan(all - 10);
  });

  it("refuses a backward pass from what was not recorded", () => {
    const tape = new Tape(backend, false);
    const x = tape.own(backend.zeros([1]));
    expect(() => tape.backward(x, x)).toThrow("depends on no trainable parameter");
    tape.dispose();
  });
});
