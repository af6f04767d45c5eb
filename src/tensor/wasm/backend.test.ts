import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../backend";
import { openWasmBackend } from "./backend";

let backend: Backend;
beforeAll(async () => {
  backend = await openWasmBackend();
});
afterAll(() => backend.dispose());

const readOne = async (tensor: Parameters<Backend["read"]>[0][number]) =>
  Array.from((await backend.read([tensor]))[0] ?? []);

describe("the wasm backend", () => {
  it("uploads, writes and reads back", async () => {
    const a = backend.upload(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]);
    const b = backend.upload(Int32Array.of(7, 8), [2]);
    backend.write(a, Float32Array.of(9, 10), 1);
    const before = backend.counters.readbacks;
    const [x, y] = await backend.read([a, b]);
    expect(Array.from(x ?? [])).toEqual([1, 9, 10, 4, 5, 6]);
    expect(y).toEqual(Int32Array.of(7, 8));
    expect(backend.counters.readbacks).toBe(before + 1);
    expect(a.shape).toEqual([2, 3]);
    a.dispose();
    b.dispose();
  });

  it("shares memory between a flat tensor and its views", async () => {
    const flat = backend.zeros([12]);
    const view = backend.view(flat, 5, [2, 3]);
    backend.kernels.fill(view, 2);
    expect(await readOne(flat)).toEqual([0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2, 0]);
    backend.write(flat, Float32Array.of(7), 6);
    expect(await readOne(view)).toEqual([2, 7, 2, 2, 2, 2]);
    const bytes = backend.memoryBytes();
    view.dispose();
    expect(backend.memoryBytes()).toBe(bytes);
    expect(await readOne(flat)).toEqual([0, 0, 0, 0, 0, 2, 7, 2, 2, 2, 2, 0]);
    flat.dispose();
    expect(backend.memoryBytes()).toBe(bytes - 48);
  });

  it("keeps values when its memory grows", { timeout: 60_000 }, async () => {
    const small = backend.upload(Float32Array.of(1, 2, 3), [3]);
    const large = backend.zeros([40_000_000]);
    expect(await readOne(small)).toEqual([1, 2, 3]);
    large.dispose();
    expect(await readOne(backend.kernels.add(small, small))).toEqual([2, 4, 6]);
    small.dispose();
  });

  it("says when its memory is full", () => {
    const bytes = backend.memoryBytes();
    expect(() => backend.zeros([1_100_000_000])).toThrow("needs 4400000000 bytes");
    expect(() => backend.zeros([1_050_000_000])).toThrow("Use a smaller batch");
    expect(backend.memoryBytes()).toBe(bytes);
  });

  it("names what does not fit", () => {
    const x = backend.zeros([2, 3]);
    const w = backend.zeros([4, 5]);
    expect(() => backend.kernels.linear(x, { format: "f32", out: 4, in: 5, values: w }, null, null)).toThrow(
      "linear: weight is [4, 5], expected [any, 3]",
    );
    expect(() => backend.view(x, 4, [3])).toThrow("outside a tensor of 6 elements");
    expect(() => backend.upload(Float32Array.of(1), [2])).toThrow("do not fill shape [2]");
    expect(() => backend.write(x, Int32Array.of(1))).toThrow("the tensor is float32");
    const token = backend.upload(Int32Array.of(9), [1]);
    expect(() => backend.kernels.embedding({ format: "f32", out: 4, in: 5, values: w }, null, token)).toThrow(
      "outside [0, 4)",
    );
    x.dispose();
    expect(() => backend.kernels.add(x, w)).toThrow();
    w.dispose();
    token.dispose();
  });

  it("keeps two backends apart, and lets one end before the other", async () => {
    const other = await openWasmBackend();
    const here = backend.upload(Float32Array.of(1, 2), [2]);
    const there = other.upload(Float32Array.of(5, 6), [2]);
    expect(() => backend.kernels.add(here, there)).toThrow("not in this wasm backend");
    await other.dispose();
    await other.dispose();
    there.dispose();
    expect(() => other.zeros([1])).toThrow("disposed");
    expect(await readOne(here)).toEqual([1, 2]);
    here.dispose();
  });
});
