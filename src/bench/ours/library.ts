/** Our own tensors, policy and training, as the page and the runner use them. */
import { openNodeBackend } from "../../runner/backend/nodeBackends";
import type { Backend, BackendName } from "../../tensor/backend";
import type { Contender, Library } from "../contender";
import type { Job } from "../job";
import { openChain } from "./chain";
import { openCopy } from "./copy";
import { openGrpo } from "./grpo";
import { openKernel } from "./kernel";
import { openMatmul } from "./matmul";
import { matmulNotes } from "./matmulNotes";
import { openRollout } from "./rollout";
import { openTraining } from "./training";

export async function openOurs(name: BackendName): Promise<Library> {
  const backend = await openNodeBackend(name);
  return {
    name: "ours",
    adapter: adapterOf(backend),
    notes: matmulNotes(backend),
    open: (job) => openJob(backend, job),
    close: () => backend.dispose(),
  };
}

/** "lavapipe (CPU), matmul by registerTiles". */
function adapterOf({ description: { adapter, matmul } }: Backend): string {
  return matmul === undefined ? adapter : `${adapter}, matmul by ${matmul}`;
}

function openJob(backend: Backend, job: Job): Promise<Contender> {
  switch (job.kind) {
    case "matmul":
      return openMatmul(backend, job);
    case "train":
      return openTraining(backend, job);
    case "rollout":
      return openRollout(backend, job);
    case "kernel":
      return openKernel(backend, job);
    case "chain":
      return openChain(backend, job);
    case "copy":
      return openCopy(backend, job);
    case "grpo":
      return openGrpo(backend, job);
    default:
      return job satisfies never;
  }
}
