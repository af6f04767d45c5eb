/**
 * An opened run: a backend, the policy on it, and the session that trains it. Opening takes its dependencies as
 * arguments, so it works in a worker, in Node and in tests, and again on a new device.
 */
import { type CheckpointFiles, InMemoryFiles } from "../policy/checkpoint/checkpointFiles";
import { Policy } from "../policy/policy";
import type { Backend, BackendName } from "../tensor/backend";
import type { SelfTestTimes } from "../tensor/selfTest";
import { DataParallel } from "../training/parallel/parallel";
import type { Replica } from "../training/parallel/replica";
import type { ProblemSource } from "../training/problemSource";
import type { Scorer } from "../training/score";
import { Session } from "../training/session";
import type { Settings } from "../training/settings";
import type { Stage, StartCosts } from "./protocol";

/** A backend that has passed its self-test, and why better ones were passed over. */
export interface OpenedBackend {
  readonly backend: Backend;
  readonly passedOver: readonly { readonly backend: BackendName; readonly why: string }[];
  /** Milliseconds. */
  readonly deviceTime: number;
  readonly times: SelfTestTimes;
}

/** @param wanted null: the first that passes its self-test, in the order webgpu, wasm, reference */
export type OpenBackend = (
  wanted: BackendName | null,
  onProgress: (what: "device" | "selfTest", done: number, total: number) => void,
) => Promise<OpenedBackend>;

/** Copies of a policy on the wasm backend that share its work. */
export type OpenReplicas = (policy: Policy, trainable: "all" | "language") => Promise<readonly Replica[]>;

/** Called when a replica is lost; training continues with the rest. */
export type OnReplicas = (message: string) => void;

export type OnProgress = (what: "download" | "device" | "selfTest" | "load", done: number, total: number) => void;

export interface Run {
  readonly opened: OpenedBackend;
  readonly policy: Policy;
  /** On the wasm backend; null on others. */
  readonly parallel: DataParallel | null;
  readonly session: Session;
  readonly costs: StartCosts;
}

/** Opens the policy of a run. */
export type LoadPolicy = (backend: Backend, files: CheckpointFiles, settings: Settings) => Promise<Policy>;

export const loadPolicy: LoadPolicy = (backend, files, settings) =>
  Policy.load(backend, files, { trainable: settings.freezeVision ? "language" : "all" });

/** Read every file of a folder once, so recovering a lost device needs no network. */
export async function download(files: CheckpointFiles, onProgress: OnProgress): Promise<InMemoryFiles> {
  const names = files.list();
  const read = new Map<string, Uint8Array>();
  for (const [index, name] of names.entries()) {
    onProgress("download", index, names.length);
    read.set(name, await files.read(name));
  }
  onProgress("download", names.length, names.length);
  return new InMemoryFiles(read);
}

export interface RunOptions {
  readonly openBackend: OpenBackend;
  readonly load: LoadPolicy;
  /** By default the built-in picture problems. */
  readonly source?: ProblemSource | undefined;
  /** By default the method's own. */
  readonly scorer?: Scorer | undefined;
  /** Null: the first that passes its self-test. */
  readonly wanted: BackendName | null;
  readonly files: CheckpointFiles;
  readonly settings: Settings;
  readonly stage: Stage;
  /** Milliseconds. */
  readonly downloadTime: number;
  readonly now: () => number;
  readonly onProgress: OnProgress;
  readonly openReplicas: OpenReplicas;
  readonly onReplicas: OnReplicas;
}

export async function openRun({
  openBackend,
  load,
  source,
  scorer,
  wanted,
  files,
  settings,
  stage,
  downloadTime,
  now,
  onProgress,
  openReplicas,
  onReplicas,
}: RunOptions): Promise<Run> {
  const opened = await openBackend(wanted, onProgress);
  try {
    const began = now();
    onProgress("load", 0, 1);
    const policy = await load(opened.backend, files, settings);
    const trainable = settings.freezeVision ? "language" : "all";
    const parallel =
      opened.backend.name === "wasm" ? await replicated(policy, trainable, openReplicas, onReplicas) : null;
    onProgress("load", 1, 1);
    const costs = { download: downloadTime, device: opened.deviceTime, ...opened.times, load: now() - began };
    return {
      opened,
      policy,
      parallel,
      session: new Session(policy, settings, { stage, now, parallel, source, scorer }),
      costs,
    };
  } catch (error) {
    await opened.backend.dispose();
    throw error;
  }
}

/** Without a replica the policy trains on one worker, with the same result. */
async function replicated(
  policy: Policy,
  trainable: "all" | "language",
  openReplicas: OpenReplicas,
  onLost: OnReplicas,
): Promise<DataParallel> {
  const replicas = await openReplicas(policy, trainable).catch((error: unknown) => {
    onLost(
      "Training continues with one worker. The second did not start: " +
        `${error instanceof Error ? error.message : String(error)}`,
    );
    return [];
  });
  return new DataParallel(policy, replicas, { onLost });
}

/** The text of the badge: the backend's adapter, or the number of workers if there are several. */
export function adapterOf({ opened, parallel }: Run): string {
  const { adapter } = opened.backend.description;
  return parallel === null || parallel.workers === 1 ? adapter : `SIMD, ${parallel.workers} workers`;
}

/** The trained policy as the files of a Hugging Face folder; of an adapter, only the adapter's. */
export async function exportedFiles(policy: Policy): Promise<{ readonly path: string; readonly bytes: ArrayBuffer }[]> {
  const written = policy.model.lora === null ? await policy.toFiles() : await policy.adapterFiles();
  return [...written].map(([path, bytes]) => ({ path, bytes: Uint8Array.from(bytes).buffer }));
}

/** Release everything. On a lost device the tensors are already gone, so only the backend is closed. */
export async function closeRun({ session, policy, parallel, opened }: Run, lost: boolean): Promise<void> {
  await parallel?.dispose();
  if (!lost) {
    session.dispose();
    policy.dispose();
  }
  await opened.backend.dispose();
}
