/**
 * An opened run: a home, the policy on it and the session that trains it, and how to make all three again on a new
 * device. What a run needs from its surroundings comes in as arguments, so that it runs in a worker, in Node and in tests.
 */
import { InMemoryFiles, type CheckpointFiles } from "../policy/checkpointFiles";
import { Policy } from "../policy/policy";
import type { Home, HomeName } from "../tensor/home";
import { Session } from "../training/session";
import type { Settings } from "../training/settings";
import type { Stage, StartCosts } from "./protocol";

/** A home that has passed its self-test, and why better ones were passed over. */
export interface OpenedHome {
  readonly home: Home;
  readonly passedOver: readonly { readonly home: HomeName; readonly why: string }[];
  /** Milliseconds. */
  readonly deviceTime: number;
  readonly selfTestTime: number;
}

/** @param wanted null: the first that passes its self-test, in the order webgpu, wasm, reference */
export type OpenHome = (wanted: HomeName | null, onProgress: (what: "device" | "selfTest", done: number, total: number) => void) => Promise<OpenedHome>;

export type OnProgress = (what: "download" | "device" | "selfTest" | "load", done: number, total: number) => void;

export interface Run {
  readonly opened: OpenedHome;
  readonly policy: Policy;
  readonly session: Session;
  readonly costs: StartCosts;
}

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

export async function openRun(openHome: OpenHome, wanted: HomeName | null, files: CheckpointFiles, settings: Settings, stage: Stage, downloadTime: number, now: () => number, onProgress: OnProgress): Promise<Run> {
  const opened = await openHome(wanted, onProgress);
  try {
    const began = now();
    onProgress("load", 0, 1);
    const policy = await Policy.load(opened.home, files, { trainable: settings.freezeVision ? "language" : "all" });
    onProgress("load", 1, 1);
    const costs = { download: downloadTime, device: opened.deviceTime, selfTest: opened.selfTestTime, load: now() - began };
    return { opened, policy, session: new Session(policy, settings, { stage, now }), costs };
  } catch (error) {
    await opened.home.dispose();
    throw error;
  }
}

/** Give everything back. On a lost device the tensors are gone already, and only the home is closed. */
export async function closeRun({ session, policy, opened }: Run, lost: boolean): Promise<void> {
  if (!lost) {
    session.dispose();
    policy.dispose();
  }
  await opened.home.dispose();
}
