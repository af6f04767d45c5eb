/**
 * Copying memory as fast as the device itself does: the yardstick for the kernels' traffic. On WebGPU a buffer copy; on
 * the wasm and reference backends the engine's memory move, one thread.
 */
import type { Backend } from "../../tensor/backend";
import { WebGpuBackend } from "../../tensor/webgpu/backend";
import type { Contender } from "../contender";
import type { JobOf } from "../job";
import { measured } from "./measured";

export async function openCopy(backend: Backend, { bytes }: JobOf<"copy">): Promise<Contender> {
  if (backend instanceof WebGpuBackend) return gpuCopy(backend, bytes);
  const from = new Float32Array(bytes / 4).fill(1);
  const to = new Float32Array(bytes / 4);
  return {
    check: async () => [],
    run: (units) =>
      measured(backend, 1, async () => {
        for (let i = 0; i < units; i++) to.set(from);
      }),
    close: async () => undefined,
  };
}

function gpuCopy(backend: WebGpuBackend, bytes: number): Contender {
  const { device } = backend;
  const buffer = (): GPUBuffer =>
    device.createBuffer({ size: bytes, usage: GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST });
  const [from, to] = [buffer(), buffer()];
  return {
    check: async () => [],
    run: (units) =>
      measured(backend, 1, () => {
        const encoder = device.createCommandEncoder();
        for (let i = 0; i < units; i++) encoder.copyBufferToBuffer(from, 0, to, 0, bytes);
        device.queue.submit([encoder.finish()]);
        return device.queue.onSubmittedWorkDone();
      }),
    async close() {
      from.destroy();
      to.destroy();
    },
  };
}
