/** Stock TensorFlow.js as a library. */
import type { BackendName } from "../../../tensor/backend";
import type { Contender, Library } from "../../contender";
import type { Job } from "../../job";
import { type OpenedTfjs, openTfjsBackend } from "./backend";
import { openChain } from "./chain";
import { openKernel } from "./kernel";
import { openMatmul } from "./matmul";
import { openRollout } from "./rollout";
import { openTraining } from "./training";

export async function openTfjs(backend: BackendName): Promise<Library> {
  const opened = await openTfjsBackend(backend);
  return {
    name: "tfjs",
    adapter: opened.adapter,
    notes: [],
    open: async (job) => openJob(opened, job),
    close: async () => opened.close(),
  };
}

function openJob(opened: OpenedTfjs, job: Job): Contender {
  switch (job.kind) {
    case "matmul":
      return openMatmul(opened, job);
    case "train":
      return openTraining(opened, job);
    case "rollout":
      return openRollout(opened, job);
    case "kernel":
      return openKernel(opened, job);
    case "chain":
      return openChain(opened, job);
    case "copy":
    case "grpo":
      throw new Error("stock TensorFlow.js is compared in kernels, matmul, the training step and the rollout.");
    default:
      return job satisfies never;
  }
}
