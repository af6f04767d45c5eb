/** A worker's host in Node: backends by Dawn, wasm or the reference, a policy folder on disk, snapshots in the run's folder. */
import { setTimeout as after, setImmediate as nextTurn } from "node:timers/promises";
import type { CheckpointFiles } from "../../policy/checkpoint/checkpointFiles";
import { Policy } from "../../policy/policy";
import { BACKEND_NAMES, type BackendName } from "../../tensor/backend";
import { timedSelfTest } from "../../tensor/selfTest";
import type { ProblemSource } from "../../training/problemSource";
import { Host, type HostDependencies } from "../../worker/host";
import type { Event } from "../../worker/protocol";
import type { LoadPolicy, OpenBackend } from "../../worker/run";
import type { SnapshotStore } from "../../worker/store";
import { openNodeBackend } from "../backend/nodeBackends";
import { asInput } from "../backend/openPolicy";
import { fittingOptions } from "../run/deviceMemory";
import type { RunPlan } from "../run/runPlan";

/** A backend that has passed its self-test: the one that is wanted, else the first of webgpu, wasm, reference that does. */
export const openTestedBackend: OpenBackend = async (wanted, onProgress) => {
  const passedOver: { readonly backend: BackendName; readonly why: string }[] = [];
  for (const name of wanted === null ? BACKEND_NAMES : [wanted]) {
    const began = performance.now();
    onProgress("device", 0, 1);
    try {
      const backend = await openNodeBackend(name);
      onProgress("device", 1, 1);
      const opened = performance.now();
      try {
        onProgress("selfTest", 0, 1);
        const times = await timedSelfTest(backend);
        onProgress("selfTest", 1, 1);
        return { backend, passedOver, deviceTime: opened - began, times };
      } catch (error) {
        await backend.dispose();
        throw error;
      }
    } catch (error) {
      passedOver.push({ backend: name, why: error instanceof Error ? error.message : String(error) });
    }
  }
  throw new Error(
    `No backend for the policy could be opened. ${passedOver.map(({ backend, why }) => `${backend}: ${why}`).join(" ")}`,
  );
};

export interface NodeRunOptions {
  readonly plan: Pick<RunPlan, "policy" | "packing" | "lora" | "recompute" | "memory" | "data">;
  readonly source: ProblemSource;
  /** The policy's folder. */
  readonly files: CheckpointFiles;
  readonly store: SnapshotStore;
  readonly post: (event: Event) => void;
  readonly onStep?: HostDependencies["onStep"];
}

export function nodeHost({ plan, source, files, store, post, onStep }: NodeRunOptions): Host {
  const load: LoadPolicy = async (backend, read, settings) =>
    asInput(plan.policy, Policy.load(backend, read, await fittingOptions(plan, settings, read, backend.name)));
  return new Host({
    openBackend: openTestedBackend,
    openReplicas: async () => [],
    load,
    source,
    ...(onStep ? { onStep } : {}),
    filesOf: () => files,
    filesAtHand: true,
    protectStored: true,
    store,
    post,
    now: () => performance.now(),
    // An immediate lets what has come in through the socket be heard.
    sleep: async (ms) => void (await (ms > 0 ? after(ms) : nextTurn())),
  });
}
