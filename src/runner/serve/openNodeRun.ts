/** A worker's host in Node: homes by Dawn, wasm or the reference, a policy folder on disk, snapshots in the run's folder. */
import { setImmediate as nextTurn, setTimeout as after } from "node:timers/promises";
import type { CheckpointFiles } from "../../policy/checkpointFiles";
import { Policy } from "../../policy/policy";
import type { HomeName } from "../../tensor/home";
import { selfTest } from "../../tensor/selfTest";
import { Host } from "../../worker/host";
import type { Event } from "../../worker/protocol";
import type { LoadPolicy, OpenHome } from "../../worker/run";
import type { SnapshotStore } from "../../worker/store";
import { HOME_NAMES, openNodeHome } from "../nodeHomes";
import { asInput } from "../openPolicy";
import type { ServedRecord } from "./servedFolder";

/** A home that has passed its self-test: the one that is wanted, else the first of webgpu, wasm, reference that does. */
export const openTestedHome: OpenHome = async (wanted, onProgress) => {
  const passedOver: { readonly home: HomeName; readonly why: string }[] = [];
  for (const name of wanted === null ? HOME_NAMES : [wanted]) {
    const began = performance.now();
    onProgress("device", 0, 1);
    try {
      const home = await openNodeHome(name);
      onProgress("device", 1, 1);
      const opened = performance.now();
      try {
        onProgress("selfTest", 0, 1);
        await selfTest(home);
        onProgress("selfTest", 1, 1);
      } catch (error) {
        await home.dispose();
        throw error;
      }
      return { home, passedOver, deviceTime: opened - began, selfTestTime: performance.now() - opened };
    } catch (error) {
      passedOver.push({ home: name, why: error instanceof Error ? error.message : String(error) });
    }
  }
  throw new Error(`No home for the policy could be opened. ${passedOver.map(({ home, why }) => `${home}: ${why}`).join(" ")}`);
};

/** With a rank, an adapter alone is trained; without one, the weights that the settings say. */
function loadFrom({ policy, lora }: ServedRecord): LoadPolicy {
  return (home, files, settings) => asInput(policy, Policy.load(home, files, lora.rank === 0
    ? { trainable: settings.freezeVision ? "language" : "all" }
    : { lora: { ...lora, baseModel: policy }, seed: settings.seed }));
}

export interface NodeRunOptions {
  readonly record: ServedRecord;
  /** The policy's folder. */
  readonly files: CheckpointFiles;
  readonly store: SnapshotStore;
  readonly post: (event: Event) => void;
}

export function nodeHost({ record, files, store, post }: NodeRunOptions): Host {
  return new Host({
    openHome: openTestedHome, openReplicas: async () => [], load: loadFrom(record), filesOf: () => files, filesAtHand: true, protectStored: true, store, post,
    now: () => performance.now(),
    // An immediate lets what has come in through the socket be heard.
    sleep: async (ms) => void await (ms > 0 ? after(ms) : nextTurn()),
  });
}
