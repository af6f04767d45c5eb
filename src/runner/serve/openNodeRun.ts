/** The worker's host in Node: a tested backend, a policy folder on disk, snapshots in the run's folder. */
import { setTimeout as after, setImmediate as nextTurn } from "node:timers/promises";
import type { CheckpointFiles } from "../../policy/checkpoint/checkpointFiles";
import { Policy } from "../../policy/policy";
import { BACKEND_NAMES, type BackendName } from "../../tensor/backend";
import { timedSelfTest } from "../../tensor/selfTest";
import type { ProblemSource } from "../../training/problemSource";
import type { Scorer } from "../../training/score";
import { Host, type HostDependencies } from "../../worker/host";
import type { Event } from "../../worker/protocol";
import type { LoadPolicy, OpenBackend } from "../../worker/run";
import type { SnapshotStore } from "../../worker/store";
import { openNodeBackend } from "../backend/nodeBackends";
import { asInput } from "../backend/openPolicy";
import { fittingOptions } from "../run/deviceMemory";
import type { RunPlan } from "../run/runPlan";

/** Open the requested backend, else the first that passes its self-test. */
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
  throw new Error(`No backend works here. ${passedOver.map(({ backend, why }) => `${backend}: ${why}`).join(" ")}`);
};

export interface NodeRunOptions {
  readonly plan: Pick<RunPlan, "policy" | "packing" | "lora" | "recompute" | "memory" | "data" | "allowNonFinite">;
  readonly source: ProblemSource;
  /** Throws where the policy's files are not those that the run started with: a lost device loads them again. */
  readonly unchanged?: () => Promise<void>;
  /** The method's own by default. */
  readonly scorer?: Scorer;
  /** The policy's folder. */
  readonly files: CheckpointFiles;
  readonly store: SnapshotStore;
  readonly post: (event: Event) => void;
  readonly onStep?: HostDependencies["onStep"];
}

export function nodeHost({ plan, unchanged, source, scorer, files, store, post, onStep }: NodeRunOptions): Host {
  const load: LoadPolicy = async (backend, read, settings) => {
    const options = await fittingOptions(plan, settings, read, backend.name);
    const policy = await asInput(plan.policy, Policy.load(backend, read, options));
    try {
      await unchanged?.();
    } catch (error) {
      policy.dispose();
      throw error;
    }
    return policy;
  };
  return new Host({
    openBackend: openTestedBackend,
    openReplicas: async () => [],
    load,
    source,
    ...(scorer ? { scorer } : {}),
    ...(onStep ? { onStep } : {}),
    filesOf: () => files,
    filesAtHand: true,
    store,
    post,
    now: () => performance.now(),
    // An immediate lets messages from the socket in.
    sleep: async (ms) => void (await (ms > 0 ? after(ms) : nextTurn())),
  });
}
