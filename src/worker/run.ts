/**
 * An opened run: a backend, the policy on it and the session that trains it, and how to make all three again on a new
 * device. What a run needs from its surroundings comes in as arguments, so that it runs in a worker, in Node and in
 * tests.
 */
import { type CheckpointFiles, InMemoryFiles } from "../policy/checkpoint/checkpointFiles";
import { Policy } from "../policy/policy";
import type { Backend, BackendName } from "../tensor/backend";
import type { SelfTestTimes } from "../tensor/selfTest";
import { DataParallel } from "../training/parallel/parallel";
import type { Replica } from "../training/parallel/replica";
import type { ProblemSource } from "../training/problemSource";
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

/** Told what is wrong with the replicas; training goes on with those that are left. */
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

/** Read every file of a folder once, so that a lost device needs no network. */
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
  /** Null: the best that opens. */
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
      session: new Session(policy, settings, { stage, now, parallel, source }),
      costs,
    };
  } catch (error) {
    await opened.backend.dispose();
    throw error;
  }
}

/** A policy that cannot be replicated trains alone, with the same result. */
async function replicated(
  policy: Policy,
  trainable: "all" | "language",
  openReplicas: OpenReplicas,
  onLost: OnReplicas,
): Promise<DataParallel> {
  const replicas = await openReplicas(policy, trainable).catch((error: unknown) => {
    onLost(
      `A second worker could not be started: ${error instanceof Error ? error.message : String(error)} Training goes ` +
        "on with one.",
    );
    return [];
  });
  return new DataParallel(policy, replicas, { onLost });
}

/** What the badge says: the backend's adapter, and how many workers compute where there are several. */
export function adapterOf({ opened, parallel }: Run): string {
  const { adapter } = opened.backend.description;
  return parallel === null || parallel.workers === 1 ? adapter : `SIMD, ${parallel.workers} workers`;
}

/** Give everything back. On a lost device the tensors are gone already, and only the backend is closed. */
export async function closeRun({ session, policy, parallel, opened }: Run, lost: boolean): Promise<void> {
  await parallel?.dispose();
  if (!lost) {
    session.dispose();
    policy.dispose();
  }
  await opened.backend.dispose();
}
