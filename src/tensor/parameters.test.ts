/** One flat buffer, many names: fused groups, frozen and packed parameters, and snapshots that continue bit for bit. */
import { describe, expect, it } from "vitest";
import { type ParameterGroup, ParameterSet } from "./parameters";
import { openReferenceBackend } from "./reference/backend";
import { openWasmBackend } from "./wasm/backend";

const groups: ParameterGroup[] = [
  { key: "norm", parts: [{ name: "norm.weight", shape: [3] }], trainable: true },
  {
    key: "qkv",
    parts: [
      { name: "q.weight", shape: [2, 4] },
      { name: "k.weight", shape: [1, 4] },
    ],
    trainable: true,
  },
  { key: "frozen", parts: [{ name: "frozen.weight", shape: [2, 2] }], trainable: false },
  {
    key: "half",
    parts: [
      { name: "half.a", shape: [1, 2] },
      { name: "half.b", shape: [2, 2] },
    ],
    trainable: false,
    format: "f16",
  },
];
const ramp = (n: number, start = 0): Float32Array => Float32Array.from({ length: n }, (_, i) => start + i / 8);
const adam = (updateCount: number) => ({
  learningRate: 0.01,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0.01,
  updateCount,
  maxGradNorm: 1,
});

describe.each([
  { name: "reference", open: openReferenceBackend },
  { name: "wasm", open: openWasmBackend },
])("ParameterSet on the $name backend", ({ open }) => {
  it("binds fused groups as one matrix and keeps their parts' names", async () => {
    const backend = await open();
    const set = new ParameterSet(backend, groups);
    expect([set.trainableCount, set.count]).toEqual([15, 25]);
    set.write("q.weight", ramp(8));
    set.write("k.weight", ramp(4, 5));
    const { weight, grad } = set.matrix("qkv");
    if (weight.format !== "f32" || grad === null) throw new Error("a trainable group is f32 and has a gradient");
    expect([weight.out, weight.in]).toEqual([3, 4]);
    expect([...((await backend.read([weight.values]))[0] ?? [])]).toEqual([...ramp(8), ...ramp(4, 5)]);
    expect([...(await set.read("k.weight"))]).toEqual([...ramp(4, 5)]);
    backend.kernels.fill(grad, 2);
    expect([...(await set.readGrad("k.weight"))]).toEqual([2, 2, 2, 2]);
    expect([...(await set.readGrad("norm.weight"))]).toEqual([0, 0, 0]);
    set.zeroGrad();
    expect([...(await set.readGrad("q.weight"))].every((g) => g === 0)).toBe(true);
    await backend.dispose();
  });

  it("packs frozen groups once all their parts are there, and has no gradient for them", async () => {
    const backend = await open();
    const set = new ParameterSet(backend, groups);
    expect(() => set.matrix("half")).toThrow("not loaded");
    set.write("half.a", Float32Array.of(1, -0.5));
    set.write("half.b", Float32Array.of(2, 3, 65504, 2 ** -24));
    expect(set.matrix("half").weight.format).toBe("f16");
    expect([...(await set.read("half.b"))]).toEqual([2, 3, 65504, 2 ** -24]);
    await expect(set.readGrad("frozen.weight")).rejects.toThrow("frozen");
    expect((await set.readAll()).get("half.a")).toEqual(Float32Array.of(1, -0.5));
    await backend.dispose();
  });

  it("takes a packed tensor row by row as it takes it whole", async () => {
    const backend = await open();
    const wide = (): ParameterSet =>
      new ParameterSet(backend, [
        {
          key: "w",
          parts: [
            { name: "a", shape: [3, 4, 16] },
            { name: "b", shape: [5, 64] },
          ],
          trainable: false,
          format: "int4",
        },
        { key: "h", parts: [{ name: "c", shape: [5, 6] }], trainable: false, format: "f16" },
      ]);
    const [whole, rows] = [wide(), wide()];
    const values = { a: ramp(192, -7), b: ramp(320, -20), c: ramp(30) };
    for (const [name, all] of Object.entries(values)) {
      whole.write(name, all);
      const columns = name === "c" ? 6 : 64;
      for (let row = 0; row * columns < all.length; row += 2) {
        if (row > 0) expect(() => rows.matrix(name === "c" ? "h" : "w")).toThrow("not loaded");
        rows.writeRows(name, row, all.slice(row * columns, (row + 2) * columns));
      }
    }
    for (const name of ["a", "b", "c"]) expect(await rows.read(name)).toEqual(await whole.read(name));
    expect(() => rows.writeRows("b", 4, new Float32Array(128))).toThrow("not whole rows");
    expect(() => rows.writeRows("b", 0, new Float32Array(63))).toThrow("not whole rows");
    expect(rows.matrix("w").weight.format).toBe("int4");
    await backend.dispose();
  });

  it("continues from a snapshot to the bit", async () => {
    const backend = await open();
    const set = new ParameterSet(backend, groups);
    set.write("q.weight", ramp(8));
    const update = (count: number): void => {
      const { grad } = set.matrix("qkv");
      if (grad !== null) backend.kernels.fill(grad, 0.3 / count);
      Object.values(set.adamw(adam(count))).forEach((tensor) => tensor.dispose());
    };
    update(1);
    const snapshot = await set.state();
    update(2);
    const first = await set.state();
    set.restore(snapshot);
    update(2);
    expect(await set.state()).toEqual(first);
    expect(first.theta).not.toEqual(snapshot.theta);
    expect(() => set.restore({ ...snapshot, m: new Float32Array(1) })).toThrow("another policy");
    await backend.dispose();
  });

  it("refuses to train nothing", async () => {
    const backend = await open();
    const set = new ParameterSet(
      backend,
      groups.filter((group) => !group.trainable),
    );
    expect(set.trainableCount).toBe(0);
    expect(() => set.adamw(adam(1))).toThrow("no trainable parameters");
    await backend.dispose();
  });
});
