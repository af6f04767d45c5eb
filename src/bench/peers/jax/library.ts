/** jax-js as a library, on its wasm or WebGPU backend. */
import { type Device, defaultDevice, init } from "@jax-js/jax";
import type { BackendName } from "../../../tensor/backend";
import { nodeGpu } from "../../../tensor/webgpu/node";
import type { Contender, Library } from "../../contender";
import type { Job } from "../../job";
import { countGpuCalls, type GpuCalls } from "../gpuCalls";
import { openMatmul } from "./matmul";
import { openTraining } from "./training";

export async function openJax(backend: BackendName): Promise<Library> {
  const device = deviceOf(backend);
  let calls: GpuCalls | null = null;
  if (device === "webgpu") {
    await nodeGpu();
    // jax-js reads the browser's name when it is loaded; Node's navigator has none before version 21.
    if (!("userAgent" in navigator))
      Object.defineProperty(navigator, "userAgent", { value: "Node.js", configurable: true });
    calls = countGpuCalls();
  }
  if (!(await init(device)).includes(device))
    throw new Error(`jax-js does not start its ${device} backend in Node ${process.versions.node}.`);
  defaultDevice(device);
  return {
    name: "jax-js",
    notes: [],
    adapter: device === "wasm" ? "SIMD, 1 thread" : device,
    open: async (job) => openJob(calls, job),
    close: async () => undefined,
  };
}

function deviceOf(backend: BackendName): Device {
  switch (backend) {
    case "webgpu":
      return "webgpu";
    case "wasm":
      return "wasm";
    case "reference":
      throw new Error("jax-js has no plain backend worth comparing with the reference backend.");
    default:
      return backend satisfies never;
  }
}

function openJob(calls: GpuCalls | null, job: Job): Contender {
  switch (job.kind) {
    case "matmul":
      return openMatmul(calls, job);
    case "train":
      return openTraining(calls, job);
    case "rollout":
    case "kernel":
    case "chain":
    case "copy":
    case "grpo":
      throw new Error("jax-js is compared in matmul and the training step.");
    default:
      return job satisfies never;
  }
}
