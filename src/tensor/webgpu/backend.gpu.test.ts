/** The WebGPU backend itself: views, writes, one-trip reads, counters, errors that surface, loss and reopening. */
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DeviceLostError, KernelError } from "../backend";
import { openBestBackend } from "../open";
import { selfTest } from "../selfTest";
import type { WebGpuBackend } from "./backend";
import { read, write } from "./kernelSpec";
import { nodeGpu, openNodeWebGpuBackend } from "./node";

let backend: WebGpuBackend;
beforeAll(async () => {
  backend = await openNodeWebGpuBackend();
});
afterAll(() => backend.dispose());

const floats = (...values: number[]): Float32Array => Float32Array.from(values);

describe("the WebGPU backend", () => {
  it("passes the self-test with the kernels this adapter gets", { timeout: 120_000 }, () => selfTest(backend));

  it("keeps writes in order with the work recorded around them", async () => {
    const x = backend.upload(floats(1, 2, 3), [3]);
    const before = backend.kernels.add(x, x);
    backend.write(x, floats(10), 1);
    const after = backend.kernels.add(x, x);
    const [a, b] = await backend.read([before, after]);
    expect([...(a ?? [])]).toEqual([2, 4, 6]);
    expect([...(b ?? [])]).toEqual([2, 20, 6]);
    tf.dispose([x, before, after]);
  });

  it("shares memory between a flat tensor, its views and stock operations, and frees it once", async () => {
    const flat = backend.zeros([200]);
    const view = backend.view(flat, 64, [2, 3]);
    const nested = backend.view(view, 0, [3]);
    backend.kernels.fill(view, 2);
    backend.write(nested, floats(7), 2);
    const doubled = tf.add(view, view);
    const [all, stock, part] = await backend.read([flat, doubled, view]);
    expect([...(all ?? [])].slice(62, 72)).toEqual([0, 0, 2, 2, 7, 2, 2, 2, 0, 0]);
    expect([...(stock ?? [])]).toEqual([4, 4, 14, 4, 4, 4]);
    expect([...(part ?? [])]).toEqual([2, 2, 7, 2, 2, 2]);
    expect([...(await view.data())]).toEqual([2, 2, 7, 2, 2, 2]);
    view.dispose();
    nested.dispose();
    expect([...((await backend.read([flat]))[0] ?? [])].slice(64, 67)).toEqual([2, 2, 7]);
    tf.dispose([flat, doubled]);
    expect(() => backend.view(backend.zeros([8]), 4, [4])).toThrow(/multiple of 64/);
    expect(() => backend.kernels.fill(flat, 1)).toThrow(/disposed/);
  });

  it("reads many tensors in one trip and counts exactly", async () => {
    const tensors = Array.from({ length: 5 }, (_, i) => backend.upload(Int32Array.of(i, -i), [2]));
    backend.flush();
    const start = { ...backend.counters };
    const sums = tensors.map((tensor) => tf.neg(tensor));
    const y = backend.kernels.add(backend.upload(floats(1), [1]), backend.upload(floats(2), [1]));
    const values = await backend.read([...tensors, y]);
    expect(values.map((row) => [...row])).toEqual([[0, 0], [1, -1], [2, -2], [3, -3], [4, -4], [3]]);
    const { dispatches, submits, readbacks, bytesUploaded, bytesRead } = backend.counters;
    expect(dispatches - start.dispatches).toBe(6);
    expect(submits - start.submits).toBe(1);
    expect(readbacks - start.readbacks).toBe(1);
    expect(bytesUploaded - start.bytesUploaded).toBe(8);
    expect(bytesRead - start.bytesRead).toBe(44);
    tf.dispose([...tensors, ...sums, y]);
  });

  it("says which argument has which wrong shape", () => {
    const x = backend.zeros([2, 3]);
    const weight = { format: "f32", out: 4, in: 5, values: backend.zeros([4, 5]) } as const;
    expect(() => backend.kernels.linear(x, weight, null, null)).toThrow(
      "linear: x must have shape [2, 5], got [2, 3].",
    );
  });

  it("recycles the buffers of a repeated step", async () => {
    const step = (): void => {
      const x = backend.zeros([300, 70]);
      const y = backend.kernels.gelu(x);
      backend.kernels.add(x, y).dispose();
      tf.dispose([x, y]);
      backend.flush();
    };
    step();
    const bytes = backend.memoryBytes();
    for (let i = 0; i < 20; i++) step();
    expect(backend.memoryBytes()).toBe(bytes);
    await backend.read([]);
  });
});

describe("a fault of the device", () => {
  it("fails the next read with the kernel's name when WGSL does not compile", async () => {
    const broken = await openNodeWebGpuBackend();
    const [x, y] = [broken.zeros([8]), broken.zeros([8])];
    // Dawn reports at once in Node, so that the dispatch itself may already throw; browsers report later.
    const misspelt = async (): Promise<unknown> => {
      const kernel = broken.dispatcher.kernel("misspelt kernel", () => ({
        buffers: [read("x"), write("y")],
        params: {},
        threads: 8,
        code: "fn kernel(group: u32, lane: u32) { y[lane] = nonsense(x[lane]); }",
      }));
      broken.dispatcher.run(kernel, [x, y], [], 1);
      return broken.read([y]);
    };
    const failure = await misspelt().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(KernelError);
    expect(String(failure)).toMatch(/misspelt kernel|nonsense/);
    await expect(broken.read([x])).rejects.toBeInstanceOf(KernelError);
    await broken.dispose();
  });

  it("fails the next read when a command is invalid", async () => {
    const broken = await openNodeWebGpuBackend();
    const x = broken.zeros([4]);
    const other = broken.device.createBuffer({ size: 16, usage: GPUBufferUsage.COPY_DST });
    broken.device.queue.writeBuffer(other, 12, floats(1, 2, 3, 4));
    await expect(broken.read([x])).rejects.toBeInstanceOf(KernelError);
    await broken.dispose();
  });

  it("refuses one buffer read and written by one dispatch", async () => {
    const one = await openNodeWebGpuBackend();
    const flat = one.zeros([128]);
    expect(() =>
      one.kernels.copyRows(
        one.view(flat, 0, [1, 8]),
        { offset: 0, count: 8 },
        one.upload(Int32Array.of(0), [1]),
        0,
        one.view(flat, 64, [1, 8]),
      ),
    ).toThrow(/read and write one buffer/);
    await one.dispose();
  });

  it("settles `lost`, rejects reads, and a new backend opens in the same process", async () => {
    const first = await openNodeWebGpuBackend();
    const x = first.upload(floats(1, 2), [2]);
    const pending = first.read([first.kernels.add(x, x)]);
    first.loseDevice();
    expect(await first.lost).toBeInstanceOf(DeviceLostError);
    await expect(pending).rejects.toBeInstanceOf(DeviceLostError);
    await expect(first.read([x])).rejects.toBeInstanceOf(DeviceLostError);
    expect(() => first.kernels.add(x, x)).toThrow(DeviceLostError);

    const second = await openNodeWebGpuBackend();
    const y = second.upload(floats(3, 4), [2]);
    const [sum] = await second.read([second.kernels.add(y, y)]);
    expect([...(sum ?? [])]).toEqual([6, 8]);
    await second.dispose();
    await second.dispose();
  });

  it("is left behind by the order of backends, with the reason", { timeout: 120_000 }, async () => {
    const noAdapter = { requestAdapter: () => Promise.resolve(null) };
    const gpu: GPU = Object.assign(Object.create(await nodeGpu()), noAdapter);
    const { backend: next, passedOver } = await openBestBackend({ gpu });
    expect(next.name).not.toBe("webgpu");
    expect(passedOver[0]).toEqual({ backend: "webgpu", why: expect.stringContaining("no adapter") });
    await next.dispose();
  });
});
