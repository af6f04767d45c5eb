/**
 * The contract between the page and the worker that trains: one union each way. Every command and every event names its
 * run, so late messages of an abandoned run are recognised. Both sides parse what they receive and handle every case
 * (`never`).
 */
import type { BackendName } from "../tensor/backend";
import type {
  DataProgress,
  EvaluationRecord,
  GroupRecord,
  Phase,
  ReflectionExample,
  SnapshotInfo,
  Stage,
  StepMetrics,
} from "../training/records";
import type { Settings, SettingsPatch } from "../training/settings";

/** The lists that both sides read messages and files with. */
export { FAMILY_NAMES } from "../tasks/problem";
export { BACKEND_NAMES } from "../tensor/backend";
export { overLimits, PAGE_LIMITS } from "../training/bounds";
/** The schema of the settings and their defaults travel with the contract: both sides parse with the same one. */
export { isSection, overlay } from "../training/overlay";
export type { GroupPrefix, ProblemRecord, SampleRecord, SampleScore } from "../training/records";
export { ratioBinKey, STAGES, scoreOf } from "../training/records";
export { defaultSettings, settingsSchema } from "../training/settings";
export type {
  DataProgress,
  EvaluationRecord,
  GroupRecord,
  Phase,
  ReflectionExample,
  Settings,
  SettingsPatch,
  SnapshotInfo,
  Stage,
  StepMetrics,
};

/** The policies that come with the page. */
export const SHIPPED = ["base", "sft", "srpo"] as const;
export type ShippedName = (typeof SHIPPED)[number];
/** The stage that continues from a shipped policy. */
export const STAGE_OF_SHIPPED: Readonly<Record<ShippedName, Stage>> = { base: "base", sft: "grpo", srpo: "grpo" };

/** Where a run starts: a shipped policy by name, or a Hugging Face folder the visitor dropped. */
export type PolicySource =
  | { readonly kind: "shipped"; readonly name: ShippedName }
  | { readonly kind: "files"; readonly files: readonly { readonly path: string; readonly bytes: ArrayBuffer }[] };

export type Command = {
  readonly run: string;
} /**
 * Start or restart a run; `resume`: the stored one, if any, with its own settings. `backend` null: the first of
 * BACKEND_NAMES that passes its self-test.
 */ & (
  | {
      /**
       * Start (or restart) a run; `resume`: continue the stored one, if there is one, under its own settings. `backend`
       * null: the first that passes its self-test, in the order webgpu, wasm, reference.
       */
      readonly type: "open";
      readonly source: PolicySource;
      readonly settings: SettingsPatch;
      readonly backend: BackendName | null;
      readonly resume: boolean;
      /** URL that the shipped policies are relative to; the client fills in the page's own. */
      readonly base?: string;
      /** Of a page that keeps several runs; a runner has one. */
      readonly choice?: RunChoice;
    }
  /** Change settings; training uses them from the next step. */
  | { readonly type: "configure"; readonly settings: SettingsPatch }
  | { readonly type: "stage"; readonly stage: Stage }
  /** Step until paused; `delay` ms between phases (slow motion), 0 at full speed. `until`: stop after this step. */
  | { readonly type: "play"; readonly delay: number; readonly until: number | null }
  | { readonly type: "pause" }
  /** Finish the current step, or do a whole one. */
  | { readonly type: "step" }
  /** Do the next phase only. */
  | { readonly type: "phase" }
  /** Back to the start of the run: weights, optimiser, random streams, data. */
  | { readonly type: "reset" }
  /** Go back to a snapshot; later steps are removed from the run (fork). */
  | { readonly type: "restore"; readonly snapshot: string }
  /** Group to re-evaluate after each update (`logprobsAfter`); null: none. */
  | { readonly type: "observe"; readonly group: number | null }
  /** Fresh samples of one problem with the current weights; nothing is trained. */
  | { readonly type: "sample"; readonly family: string | null; readonly greedy: boolean }
  | { readonly type: "evaluate"; readonly problems: number }
  /** Write the trained policy as a Hugging Face folder. */
  | { readonly type: "export" }
  /** Destroy the GPU device on purpose, to see the recovery. */
  | { readonly type: "loseDevice" }
  /** In a run with several tabs: let this tab steer; the others watch. A worker's only page always steers. */
  | { readonly type: "steer" }
  | { readonly type: "close" }
);

/** A run that lives in the runner, outside this tab. */
export interface ServedRun {
  /** The policy's folder. */
  readonly policy: string;
  /** The file of problems; null: the built-in ones. */
  readonly data: string | null;
  /** Whether this tab steers the run; otherwise it watches. */
  readonly steering: boolean;
}

/** One of the runs that a page keeps. */
export interface StoredRunInfo {
  readonly id: string;
  readonly name: string;
  /** Where it was when it was last saved. */
  readonly stage: Stage;
  readonly step: number;
  /** Milliseconds since 1970. */
  readonly openedAt: number;
}

/** Which of the page's runs to open. */
export interface RunChoice {
  /** With `resume`: the run to continue; null, or one that is gone: the one opened last… */
  readonly id: string | null;
  /** …unless a new one is wanted then. */
  readonly orNew: boolean;
  /** Of a new run. */
  readonly name: string;
  /** Keep the run that this tab has open, rather than replace it by the new one. */
  readonly keepEarlier: boolean;
}

/** Start-up times in milliseconds. */
export interface StartCosts {
  readonly download: number;
  readonly device: number;
  readonly pipelines: number;
  readonly selfTest: number;
  readonly load: number;
}

export type SavingState =
  | { readonly state: "saved" }
  /** The newest save could not be read (`message`): the run continues from an older one. */
  | { readonly state: "olderSave"; readonly message: string }
  /** `at`: the newest finished step that is stored. `full`: there is no room left. */
  | {
      readonly state: "failed";
      readonly full: boolean;
      readonly message: string;
      readonly at: Pick<SnapshotInfo, "stage" | "step"> | null;
    }
  /** The browser stores nothing for this page. */
  | { readonly state: "forbidden"; readonly message: string }
  /** The browser cannot tell tabs apart: two that have the same run overwrite each other's saves. */
  | { readonly state: "unguarded" }
  /** The stored run cannot be continued: it is kept, and a new one was started. */
  | { readonly state: "unreadable"; readonly message: string };

export type Event = { readonly run: string } & (
  | {
      readonly type: "progress";
      readonly what: "download" | "device" | "selfTest" | "load" | "evaluate" | "restore";
      readonly done: number;
      readonly total: number;
    }
  | {
      readonly type: "opened";
      readonly backend: BackendName;
      readonly adapter: string;
      readonly features: readonly string[];
      readonly costs: StartCosts;
      /** Why better backends were passed over, in order. */
      readonly passedOver: readonly { readonly backend: BackendName; readonly why: string }[];
      readonly parameters: number;
      readonly settings: Settings;
      readonly stage: Stage;
      readonly step: number;
      readonly resumed: boolean;
      /** The policy that the (stored) run started from. "own": a dropped folder. */
      readonly start: ShippedName | "own";
      readonly history: readonly StepMetrics[];
      /** Present when the run lives in the runner (`srpo serve`). */
      readonly served?: ServedRun;
      /** Another tab of this browser steers the run; this one watches. */
      readonly watching?: true;
    }
  /** The runs that this page keeps, the last opened first. `current`: the one that is open. */
  | { readonly type: "shelf"; readonly current: string; readonly runs: readonly StoredRunInfo[] }
  /** Whether the run is being saved. */
  | ({ readonly type: "saving" } & SavingState)
  /** Connection to the runner: lost and reconnecting (`opened` follows on success), or refused for good. */
  | { readonly type: "connection"; readonly state: "lost" | "refused"; readonly message: string }
  /** This tab has started or stopped steering the served run. */
  | { readonly type: "steering"; readonly steering: boolean }
  /** The badge's text has changed: a worker was lost. */
  | { readonly type: "adapter"; readonly adapter: string }
  | { readonly type: "configured"; readonly settings: Settings }
  | { readonly type: "playing"; readonly playing: boolean }
  | { readonly type: "stage"; readonly stage: Stage; readonly step: number }
  /** A phase has started. */
  | { readonly type: "phaseStarted"; readonly phase: Phase; readonly step: number }
  /** A phase has finished; `groups` holds the results so far. */
  | { readonly type: "phase"; readonly phase: Phase; readonly step: number; readonly groups: readonly GroupRecord[] }
  | { readonly type: "stepped"; readonly metrics: StepMetrics }
  | { readonly type: "data"; readonly progress: DataProgress; readonly examples: readonly ReflectionExample[] }
  | { readonly type: "sampled"; readonly group: GroupRecord }
  | { readonly type: "evaluated"; readonly evaluation: EvaluationRecord }
  | { readonly type: "snapshots"; readonly snapshots: readonly SnapshotInfo[] }
  | {
      readonly type: "restored";
      readonly stage: Stage;
      readonly step: number;
      readonly history: readonly StepMetrics[];
    }
  | {
      readonly type: "exported";
      readonly files: readonly { readonly path: string; readonly bytes: ArrayBuffer }[];
      /** The runner's folder with the policy, if it is too large to send; `files` is then empty. */
      readonly writtenTo?: string;
    }
  | { readonly type: "deviceLost"; readonly message: string; readonly recovering: boolean; readonly attempt: number }
  /** A step was refused (not finite); the weights are those before it. */
  | { readonly type: "refused"; readonly step: number; readonly message: string }
  /** `fatal`: this run cannot continue; otherwise the last command failed and the run is unchanged. */
  | { readonly type: "error"; readonly message: string; readonly fatal: boolean }
);
