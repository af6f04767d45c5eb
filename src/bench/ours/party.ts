/** Our own tensors, policy and training, as the page and the runner use them. */
import { openNodeHome } from "../../runner/backend/nodeBackends";
import type { Home, HomeName } from "../../tensor/home";
import { timed } from "../clock";
import type { Contender, Job, Party, Run } from "../contender";
import { openChain } from "./chain";
import { openCopy } from "./copy";
import { openGrpo } from "./grpo";
import { openKernel } from "./kernel";
import { openProduct } from "./product";
import { productNotes } from "./productNotes";
import { openRollout } from "./rollout";
import { openTraining } from "./training";

export async function openOurs(name: HomeName): Promise<Party> {
  const home = await openNodeHome(name);
  return {
    name: "ours",
    adapter: adapterOf(home),
    notes: productNotes(home),
    open: (job) => openJob(home, job),
    close: () => home.dispose(),
  };
}

/** "lavapipe (CPU), products by registerTiles". */
function adapterOf({ description: { adapter, products } }: Home): string {
  return products === undefined ? adapter : `${adapter}, products by ${products}`;
}

function openJob(home: Home, job: Job): Promise<Contender> {
  switch (job.kind) {
    case "product":
      return openProduct(home, job);
    case "train":
      return openTraining(home, job);
    case "rollout":
      return openRollout(home, job);
    case "kernel":
      return openKernel(home, job);
    case "chain":
      return openChain(home, job);
    case "copy":
      return openCopy(home, job);
    case "grpo":
      return openGrpo(home, job);
    default:
      return job satisfies never;
  }
}

/** Time and counters of `units` times `work`. */
export async function measured(home: Home, units: number, work: () => Promise<unknown>): Promise<Run> {
  const before = { ...home.counters };
  const { milliseconds, hostMilliseconds } = await timed(units, work);
  const { dispatches, submits, readbacks, bytesUploaded, bytesRead } = home.counters;
  return {
    milliseconds,
    hostMilliseconds: home.name === "webgpu" ? hostMilliseconds : null,
    counts: {
      dispatches: dispatches - before.dispatches,
      submits: submits - before.submits,
      readbacks: readbacks - before.readbacks,
      bytesUploaded: bytesUploaded - before.bytesUploaded,
      bytesRead: bytesRead - before.bytesRead,
      bytesHeld: home.memoryBytes(),
    },
  };
}
