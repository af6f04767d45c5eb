/**
 * Saves a run: its latest state after every step, so a closed tab or a lost device loses at most the current step; its
 * start, for reset; and a thinned timeline, for rewinding.
 *
 * Saving overlaps with training: step n is written while step n + 1 runs. The next save waits for the previous write,
 * so at most one step can be lost.
 */
import { z } from "zod";
import { decodeSnapshot, encodeSnapshot, type Snapshot } from "../training/snapshot";
import { type SnapshotInfo, STAGES } from "./protocol";
import { LATEST, PREVIOUS, type SnapshotStore } from "./store";

const START = "start";
const TIMELINE = "timeline";
/** Maximum number of timeline snapshots; a full timeline drops every second one and doubles its interval. */
const TIMELINE_LENGTH = 24;

const timelineSchema = z.array(
  z.object({
    id: z.string(),
    stage: z.enum(STAGES),
    step: z.int(),
    label: z.string().optional(),
    bytes: z.int(),
  }),
);

/** What became of a write. A run that cannot be saved is trained all the same. */
export type Saving =
  | { readonly saved: true }
  /** `at`: the newest finished step that is stored; null if there is none. */
  | { readonly saved: false; readonly error: Error; readonly at: Pick<SnapshotInfo, "stage" | "step"> | null };

export interface Resumed {
  readonly snapshot: Snapshot;
  /** Why the newest state could not be read, and an older one is taken; null: this is the newest. */
  readonly damaged: string | null;
}

export class RunStore {
  #latest: Uint8Array<ArrayBuffer> | null = null;
  #saving: Promise<void> = Promise.resolve();
  #timeline: SnapshotInfo[] = [];
  #interval = 1;
  #count = 0;
  /** Writes without which no state of this run could be resumed; null once they are done. */
  #foundation: (() => Promise<void>) | null = null;
  /** The first state, until it is durable. */
  #start: Uint8Array<ArrayBuffer> | null = null;
  #savedAt: Pick<SnapshotInfo, "stage" | "step"> | null = null;
  #failing = false;

  /**
   * @param onSaving called when a write fails, and when writing works again
   * @param onUnlisted called when a listed snapshot could not be stored and is no longer listed
   */
  constructor(
    private readonly store: SnapshotStore,
    private readonly onSaving: (saving: Saving) => void,
    private readonly onUnlisted: () => void = () => undefined,
  ) {}

  get timeline(): readonly SnapshotInfo[] {
    return this.#timeline;
  }

  /** The last write failed: what is stored is older than the run. */
  get failing(): boolean {
    return this.#failing;
  }

  /**
   * Start a new run. Older snapshots are deleted once its first state is durable.
   * @param source stores what the run starts from; no state is stored without it
   */
  async start(snapshot: Snapshot, source: () => Promise<void> = async () => undefined): Promise<void> {
    await this.#saving;
    const earlier = this.#timeline.length > 0 ? this.#timeline : await this.storedTimeline().catch(() => []);
    this.#timeline = [];
    this.#interval = 1;
    const bytes = encodeSnapshot(snapshot);
    this.#latest = bytes;
    this.#start = bytes;
    this.#foundation = async () => {
      await source();
      await this.store.put(START, bytes);
    };
    this.#saving = this.writing(async () => {
      await this.putLatest(snapshot, bytes);
      await this.store.put(TIMELINE, json([]));
      for (const { id } of earlier) await this.store.delete(timelineKey(id));
    });
    await this.mark(snapshot, "start");
  }

  /**
   * Resume the stored run. → its newest state that can be read; null if no run is stored
   * @throws SnapshotError of the newest when none can be read
   */
  async resume(): Promise<Resumed | null> {
    const timeline = await this.storedTimeline().catch((error: unknown) => {
      console.warn("The stored timeline cannot be read.", error);
      return [];
    });
    let damage: unknown = null;
    for (const key of [LATEST, PREVIOUS, ...timeline.map(({ id }) => timelineKey(id)).reverse(), START]) {
      const bytes = await this.store.get(key);
      if (bytes === null) continue;
      try {
        const snapshot = decodeSnapshot(bytes);
        this.#latest = Uint8Array.from(bytes);
        this.#timeline = [...timeline];
        this.#interval = intervalOf(timeline);
        this.#savedAt = snapshot.state;
        return { snapshot, damaged: damage === null ? null : messageOf(damage) };
      } catch (error) {
        damage ??= error;
      }
    }
    if (damage === null) return null;
    throw damage;
  }

  /** Save a new state. Waits for the previous write, not for this one. */
  async keep(snapshot: Snapshot): Promise<void> {
    const bytes = encodeSnapshot(snapshot);
    this.#latest = bytes;
    await this.#saving;
    const { step, pending } = snapshot.state;
    const marking =
      pending === null && step > 0 && step % this.#interval === 0 ? this.onTimeline(snapshot, bytes) : null;
    this.#saving = this.writing(async () => {
      await this.putLatest(snapshot, bytes);
      await marking?.write();
    }, marking?.id);
  }

  private async putLatest({ state: { stage, step } }: Snapshot, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.lay();
    await this.store.put(LATEST, bytes);
    this.#savedAt = { stage, step };
  }

  /** What every stored state needs; tried again with each write until it is durable. */
  private async lay(): Promise<void> {
    await this.#foundation?.();
    this.#foundation = null;
    this.#start = null;
  }

  /** Add a snapshot to the timeline. */
  async mark(snapshot: Snapshot, label?: string): Promise<void> {
    await this.#saving;
    const marking = this.onTimeline(snapshot, encodeSnapshot(snapshot), label);
    if (marking !== null) this.#saving = this.writing(marking.write, marking.id);
  }

  /** List the snapshot. → its id and the writes that remain, or null if this step is already listed */
  private onTimeline(
    { state: { stage, step } }: Snapshot,
    bytes: Uint8Array<ArrayBuffer>,
    label?: string,
  ): { readonly id: string; readonly write: () => Promise<void> } | null {
    const last = this.#timeline.at(-1);
    if (last !== undefined && last.stage === stage && last.step === step) return null;
    const id = `${stage}-${step}-${this.#count++}-${bytes.length}`;
    this.#timeline.push({ id, stage, step, bytes: bytes.length, ...(label === undefined ? {} : { label }) });
    const dropped = this.thin();
    const write = async (): Promise<void> => {
      await this.lay();
      await this.store.put(timelineKey(id), bytes);
      await this.store.put(TIMELINE, json(this.#timeline));
      for (const gone of dropped) await this.store.delete(timelineKey(gone.id));
    };
    return { id, write };
  }

  /** The last saved state, for a new device. @throws Error before the first */
  latest(): Snapshot {
    if (this.#latest === null) throw new Error("no state of this run has been saved yet");
    return decodeSnapshot(this.#latest);
  }

  /** The run's first state; the timeline is dropped with it. */
  async reset(): Promise<Snapshot> {
    await this.#saving;
    const bytes = this.#start ?? (await this.store.get(START));
    if (bytes === null) throw new Error("the start of this run is no longer in the store: open the run again");
    return decodeSnapshot(bytes);
  }

  /** A snapshot of the timeline; later ones are removed. @throws Error when the id is unknown */
  async rewind(id: string): Promise<Snapshot> {
    const index = this.#timeline.findIndex((info) => info.id === id);
    if (index < 0) throw new Error(`there is no snapshot "${id}" in this run`);
    await this.#saving;
    const bytes = await this.store.get(timelineKey(id));
    if (bytes === null) throw new Error(`snapshot "${id}" is listed but no longer in the store`);
    const snapshot = decodeSnapshot(bytes);
    const later = this.#timeline.splice(index + 1);
    const kept = json(this.#timeline);
    this.#saving = this.writing(async () => {
      await this.store.put(TIMELINE, kept);
      for (const gone of later) await this.store.delete(timelineKey(gone.id));
    });
    return snapshot;
  }

  /** Resolves when everything saved so far is durable. */
  settled(): Promise<void> {
    return this.#saving;
  }

  /** Drop every second step (never a labelled one) when the timeline is full. → the dropped ones */
  private thin(): SnapshotInfo[] {
    if (this.#timeline.length <= TIMELINE_LENGTH) return [];
    this.#interval *= 2;
    const dropped = this.#timeline.filter((info) => info.label === undefined && info.step % this.#interval !== 0);
    this.#timeline = this.#timeline.filter((info) => !dropped.includes(info));
    return dropped;
  }

  private async storedTimeline(): Promise<readonly SnapshotInfo[]> {
    const bytes = await this.store.get(TIMELINE);
    if (bytes === null) return [];
    const parsed = timelineSchema.safeParse(JSON.parse(new TextDecoder().decode(bytes)));
    if (!parsed.success) throw new Error("the stored timeline is damaged: start a new run");
    return parsed.data.map(({ label, ...info }) => (label === undefined ? info : { ...info, label }));
  }

  /** @param listed a snapshot of the timeline that is written: one that is not stored is not offered either */
  private async writing(write: () => Promise<void>, listed?: string): Promise<void> {
    try {
      await write();
      if (this.#failing) this.onSaving({ saved: true });
      this.#failing = false;
    } catch (error) {
      this.#failing = true;
      this.#timeline = this.#timeline.filter(({ id }) => id !== listed);
      if (listed !== undefined) this.onUnlisted();
      this.onSaving({
        saved: false,
        error: error instanceof Error ? error : new Error(String(error)),
        at: this.#savedAt,
      });
    }
  }
}

/** The interval that a stored timeline was thinned to: the largest power of two that divides all its steps. */
function intervalOf(timeline: readonly SnapshotInfo[]): number {
  const steps = timeline.filter((info) => info.label === undefined).map((info) => info.step);
  let interval = 1;
  while (steps.length > 1 && steps.every((step) => step % (2 * interval) === 0)) interval *= 2;
  return interval;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const timelineKey = (id: string): string => `timeline:${id}`;
const json = (value: unknown): Uint8Array<ArrayBuffer> =>
  new Uint8Array(new TextEncoder().encode(JSON.stringify(value)));
