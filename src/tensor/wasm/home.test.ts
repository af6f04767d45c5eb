import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Home } from "../home";
import { openWasmHome } from "./home";

let home: Home;
beforeAll(async () => {
  home = await openWasmHome();
});
afterAll(() => home.dispose());

const readOne = async (tensor: Parameters<Home["read"]>[0][number]) => Array.from((await home.read([tensor]))[0] ?? []);

describe("the wasm home", () => {
  it("uploads, writes and reads back", async () => {
    const a = home.upload(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]);
    const b = home.upload(Int32Array.of(7, 8), [2]);
    home.write(a, Float32Array.of(9, 10), 1);
    const before = home.counters.readbacks;
    const [x, y] = await home.read([a, b]);
    expect(Array.from(x ?? [])).toEqual([1, 9, 10, 4, 5, 6]);
    expect(y).toEqual(Int32Array.of(7, 8));
    expect(home.counters.readbacks).toBe(before + 1);
    expect(a.shape).toEqual([2, 3]);
    a.dispose();
    b.dispose();
  });

  it("shares memory between a flat tensor and its views", async () => {
    const flat = home.zeros([12]);
    const view = home.view(flat, 5, [2, 3]);
    home.kernels.fill(view, 2);
    expect(await readOne(flat)).toEqual([0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2, 0]);
    home.write(flat, Float32Array.of(7), 6);
    expect(await readOne(view)).toEqual([2, 7, 2, 2, 2, 2]);
    const bytes = home.memoryBytes();
    view.dispose();
    expect(home.memoryBytes()).toBe(bytes);
    expect(await readOne(flat)).toEqual([0, 0, 0, 0, 0, 2, 7, 2, 2, 2, 2, 0]);
    flat.dispose();
    expect(home.memoryBytes()).toBe(bytes - 48);
  });

  it("keeps values when its memory grows", async () => {
    const small = home.upload(Float32Array.of(1, 2, 3), [3]);
    const large = home.zeros([40_000_000]);
    expect(await readOne(small)).toEqual([1, 2, 3]);
    large.dispose();
    expect(await readOne(home.kernels.add(small, small))).toEqual([2, 4, 6]);
    small.dispose();
  });

  it("says when its memory is full", () => {
    const bytes = home.memoryBytes();
    expect(() => home.zeros([1_100_000_000])).toThrow("needs 4400000000 bytes");
    expect(() => home.zeros([1_050_000_000])).toThrow("Use a smaller batch");
    expect(home.memoryBytes()).toBe(bytes);
  });

  it("names what does not fit", () => {
    const x = home.zeros([2, 3]);
    const w = home.zeros([4, 5]);
    expect(() => home.kernels.linear(x, { format: "f32", out: 4, in: 5, values: w }, null, null)).toThrow(
      "linear: weight is [4, 5], expected [any, 3]",
    );
    expect(() => home.view(x, 4, [3])).toThrow("outside a tensor of 6 elements");
    expect(() => home.upload(Float32Array.of(1), [2])).toThrow("do not fill shape [2]");
    expect(() => home.write(x, Int32Array.of(1))).toThrow("the tensor is float32");
    const token = home.upload(Int32Array.of(9), [1]);
    expect(() => home.kernels.embedding({ format: "f32", out: 4, in: 5, values: w }, null, token)).toThrow(
      "outside [0, 4)",
    );
    x.dispose();
    expect(() => home.kernels.add(x, w)).toThrow();
    w.dispose();
    token.dispose();
  });

  it("keeps two homes apart, and lets one end before the other", async () => {
    const other = await openWasmHome();
    const here = home.upload(Float32Array.of(1, 2), [2]);
    const there = other.upload(Float32Array.of(5, 6), [2]);
    expect(() => home.kernels.add(here, there)).toThrow("not in this wasm home");
    await other.dispose();
    await other.dispose();
    there.dispose();
    expect(() => other.zeros([1])).toThrow("disposed");
    expect(await readOne(here)).toEqual([1, 2]);
    here.dispose();
  });
});
