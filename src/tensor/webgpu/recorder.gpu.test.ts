/**
 * Recorded work: replays give the same results as the work itself, with fewer steps on the host, and refuse what they
 * cannot repeat.
 */

import type { Tensor } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend, Recorder } from "../backend";
import type { DynamicOptions } from "../kernels";
import type { WebGpuBackend } from "./backend";
import { openNodeWebGpuBackend } from "./node";

let backend: WebGpuBackend;
beforeAll(async () => {
  backend = await openNodeWebGpuBackend();
});
afterAll(() => backend.dispose());

const floats = (...values: number[]): Float32Array => Float32Array.from(values);

/** y = gelu(x + x) summed onto `sum`, which stays where it is; z = y + zeros. */
function work(on: Backend, x: Tensor, sum: Tensor): readonly Tensor[] {
  const { kernels } = on;
  const doubled = kernels.add(x, x);
  const y = kernels.gelu(doubled);
  doubled.dispose();
  const rows = on.view(y, 0, [1, y.size]);
  const row = on.view(sum, 0, [1, sum.size]);
  const one = on.zeros([1, 1]);
  kernels.fill(one, 1);
  kernels.linearGradWeight(rows, one, row, null); // sum += y
  one.dispose();
  const zeros = on.zeros(x.shape);
  const z = kernels.add(y, zeros);
  zeros.dispose();
  rows.dispose();
  row.dispose();
  y.dispose();
  return [z];
}

async function runs(recorder: Recorder, inputs: readonly Float32Array[]): Promise<number[][]> {
  const sum = backend.zeros([3]);
  const results: Tensor[] = [];
  for (const values of inputs) {
    const x = backend.upload(values, [3]);
    results.push(...recorder.run("work", [x], {}, () => work(backend, x, sum)));
    x.dispose();
    // Memory of the recording must not be lent to others in between.
    backend.upload(floats(9, 9, 9), [3]).dispose();
  }
  const read = await backend.read([...results, sum]);
  tf.dispose([...results, sum]);
  return read.map((values) => [...values]);
}

describe("recorded work", () => {
  it("gives the same bits as the work itself, from new inputs into new outputs", async () => {
    const inputs = [floats(1, -2, 0.5), floats(3, 0.1, -1), floats(0, 7, 2), floats(-0.3, 0.2, 4)];
    const recorder = backend.recorder(4);
    const replayed = await runs(recorder, inputs);
    recorder.dispose();
    const direct: Recorder = {
      run: (_key, _inputs, _dynamicOptions, body) => body(),
      reserve: () => undefined,
      dispose: () => undefined,
    };
    expect(replayed).toEqual(await runs(direct, inputs));
  });

  it("replays into the current pass, and so several replays into one submit", async () => {
    const recorder = backend.recorder(1);
    const body = (x: Tensor): readonly Tensor[] => {
      let y = backend.kernels.add(x, x);
      for (let i = 0; i < 199; i++) {
        const next = backend.kernels.gelu(y);
        y.dispose();
        y = next;
      }
      return [y];
    };
    const x = backend.upload(floats(50, 60), [2]);
    const [first] = recorder.run("long", [x], {}, () => body(x));
    backend.flush();
    const start = { ...backend.counters };
    const bytes = backend.memoryBytes();
    const [second] = recorder.run("long", [x], {}, () => {
      throw new Error("the work was run again");
    });
    const [third] = recorder.run("long", [second ?? x], {}, () => {
      throw new Error("the work was run again");
    });
    expect(backend.counters.dispatches - start.dispatches).toBe(400);
    expect(backend.memoryBytes()).toBeLessThanOrEqual(bytes + 2 * 4096); // the new outputs
    second?.dispose(); // its memory must stay until the replay that reads it is done
    backend.upload(floats(-1, -1), [2]).dispose();
    const [a, c] = await backend.read([first ?? x, third ?? x]);
    expect(backend.counters.submits - start.submits).toBe(1);
    const [again] = recorder.run("long", [first ?? x], {}, () => {
      throw new Error("the work was run again");
    });
    const [d] = await backend.read([again ?? x]);
    expect(c).toEqual(d);
    expect(c).not.toEqual(a);
    tf.dispose([x, first ?? x, third ?? x, again ?? x]);
    recorder.dispose();
  });

  it("gives options their values of the moment", async () => {
    const recorder = backend.recorder(1);
    const rows = backend.upload(Int32Array.of(0), [1]);
    const into = backend.zeros([5, 2]);
    for (const cacheOffset of [0, 3, 1]) {
      const x = backend.upload(floats(cacheOffset + 1, cacheOffset), [1, 2]);
      recorder.run("copy", [x, rows, into], { cacheOffset }, () => {
        backend.kernels.copyRows(x, { offset: 0, count: 2 }, rows, cacheOffset, into);
        return [];
      });
      x.dispose();
    }
    const [values] = await backend.read([into]);
    expect([...(values ?? [])]).toEqual([1, 0, 2, 1, 0, 0, 4, 3, 0, 0]);
    tf.dispose([rows, into]);
    recorder.dispose();
  });

  it("records again for other shapes and other keys, and forgets the least recently used", () => {
    const recorder = backend.recorder(2);
    let recorded = 0;
    const run = (key: string, size: number): void => {
      const x = backend.zeros([size]);
      tf.dispose([
        ...recorder.run(key, [x], {}, () => {
          recorded++;
          return [backend.kernels.gelu(x)];
        }),
      ]);
      x.dispose();
    };
    for (const [key, size] of [
      ["a", 4],
      ["a", 4],
      ["a", 5],
      ["a", 4],
      ["b", 4],
      ["a", 4],
      ["a", 5],
    ] as const)
      run(key, size);
    expect(recorded).toBe(4);
    recorder.dispose();
  });

  it("takes the memory of the largest run before there is one, and does nothing else", async () => {
    const recorder = backend.recorder(20);
    // Two tensors alive at a time, whose sizes swap from one shape to the other.
    const body = (x: Tensor): readonly Tensor[] => {
      const [rows = 0, width = 0] = x.shape;
      const y = backend.kernels.gelu(x);
      const fixed = backend.zeros([3000]);
      const sum = backend.kernels.add(y, x);
      y.dispose();
      const flat = backend.view(sum, 0, [rows * width]);
      const z = backend.kernels.gelu(flat);
      tf.dispose([fixed, flat, sum]);
      return [z];
    };
    const run = async (rows: number): Promise<ArrayLike<number>> => {
      const x = backend.upload(new Float32Array(rows * 8).fill(rows / 100), [rows, 8], 4000 * 8);
      const [z] = recorder.run("rows", [x], {}, () => body(x));
      const [values] = await backend.read([z ?? x]);
      tf.dispose([x, z ?? x]);
      return values ?? [];
    };
    const { dispatches } = backend.counters;
    let prepared = 0;
    expect(() => recorder.reserve("rows", "no shape", () => () => [backend.upload(floats(1), [1])])).toThrow(
      /upload inside recorded work/,
    );
    const blank = backend.zeros([4000, 8]);
    for (let i = 0; i < 2; i++)
      recorder.reserve("rows", "4000", () => {
        prepared++;
        return () => body(blank);
      });
    blank.dispose();
    expect(prepared).toBe(1);
    expect(backend.counters.dispatches).toBe(dispatches);
    await run(4000);
    const bytes = backend.memoryBytes();
    const gelu = (x: number): number => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
    for (const rows of [7, 1500, 400, 3999, 90, 2600, 374, 375]) {
      const values = await run(rows);
      expect(values).toHaveLength(rows * 8);
      const x = rows / 100;
      expect(Math.abs((values[rows * 8 - 1] ?? NaN) - gelu(gelu(x) + x))).toBeLessThan(0.01 * x);
      expect(backend.memoryBytes()).toBe(bytes);
    }
    recorder.dispose();
  });

  it("gives its memory back when the last recorder goes", async () => {
    const x = backend.zeros([1000]);
    await backend.read([x]);
    const sizes: number[] = [];
    for (let i = 0; i < 3; i++) {
      const recorder = backend.recorder(1);
      tf.dispose([...recorder.run("k", [x], {}, () => work1000(x))]);
      recorder.dispose();
      sizes.push(backend.memoryBytes());
    }
    expect(sizes[2]).toBe(sizes[0]);
    x.dispose();

    function work1000(input: Tensor): readonly Tensor[] {
      const y = backend.kernels.gelu(input);
      const z = backend.kernels.gelu(y);
      y.dispose();
      return [z];
    }
  });

  it("refuses what a replay could not repeat", () => {
    const x = backend.zeros([2]);
    const attempt =
      (dynamicOptions: DynamicOptions, body: () => readonly Tensor[]): (() => unknown) =>
      () => {
        const recorder = backend.recorder(1);
        try {
          return recorder.run("attempt", [x], dynamicOptions, body);
        } finally {
          recorder.dispose();
        }
      };
    expect(attempt({}, () => [backend.upload(floats(1), [1])])).toThrow(/upload inside recorded work/);
    expect(
      attempt({}, () => {
        backend.write(x, floats(1));
        return [];
      }),
    ).toThrow(/write inside recorded work/);
    expect(attempt({}, () => [tf.neg(x)])).toThrow(/stock/);
    expect(attempt({}, () => [x])).toThrow(/did not allocate/);
    expect(
      attempt({}, () => {
        backend.kernels.gelu(x);
        return [];
      }),
    ).toThrow(/left 1 tensors/);
    const rows = backend.upload(Int32Array.of(0), [1]);
    const into = backend.zeros([4, 2]);
    const copy = (): readonly Tensor[] => {
      backend.kernels.copyRows(backend.view(x, 0, [1, 2]), { offset: 0, count: 2 }, rows, 1, into);
      return [];
    };
    expect(attempt({ cacheOffset: 2 }, copy)).toThrow(/other options/);
    expect(() => backend.recorder(1).run("twice", [x, backend.view(x, 0, [1])], {}, () => [])).toThrow(/share memory/);

    const recorder = backend.recorder(1);
    const weight = backend.zeros([2]);
    const body = (): readonly Tensor[] => [backend.kernels.add(x, weight)];
    tf.dispose([...recorder.run("captured", [x], {}, body)]);
    weight.dispose();
    backend.flush();
    expect(() => recorder.run("captured", [x], {}, body)).toThrow(/disposed since/);
    recorder.dispose();
    tf.dispose([x, rows, into]);
  });

  it("can be left out", async () => {
    const direct = await openNodeWebGpuBackend({ record: false });
    const x = direct.upload(floats(1, 2), [2]);
    let ran = 0;
    const recorder = direct.recorder(1);
    for (let i = 0; i < 2; i++)
      tf.dispose([
        ...recorder.run("k", [x], {}, () => {
          ran++;
          return [direct.kernels.gelu(x)];
        }),
      ]);
    expect(ran).toBe(2);
    expect(direct.records).toBe(false);
    await direct.dispose();
  });
});
