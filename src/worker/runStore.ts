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
import { LATEST, type SnapshotStore } from "./store";

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

export class RunStore {
  #latest: Uint8Array<ArrayBuffer> | null = null;
  #saving: Promise<void> = Promise.resolve();
  #timeline: SnapshotInfo[] = [];
  #interval = 1;
  #count = 0;

  /**
   * @param onFault called when a write fails: training continues, but the page must say that the run is not being saved
   */
  constructor(
    private readonly store: SnapshotStore,
    private readonly onFault: (error: Error) => void,
  ) {}

  get timeline(): readonly SnapshotInfo[] {
    return this.#timeline;
  }

  /** Start a new run; the stored one is deleted. */
  async start(snapshot: Snapshot): Promise<void> {
    await this.#saving;
    for (const { id } of this.#timeline.length > 0 ? this.#timeline : await this.storedTimeline())
      await this.store.delete(timelineKey(id));
    this.#timeline = [];
    this.#interval = 1;
    const bytes = encodeSnapshot(snapshot);
    this.#latest = bytes;
    this.#saving = this.writing(async () => {
      await this.store.put(START, bytes);
      await this.store.put(LATEST, bytes);
      await this.store.put(TIMELINE, json([]));
    });
    await this.mark(snapshot, "start");
  }

  /** Resume the stored run. → its latest state; null if there is none */
  async resume(): Promise<Snapshot | null> {
    const bytes = await this.store.get(LATEST);
    if (bytes === null) return null;
    const snapshot = decodeSnapshot(bytes);
    this.#latest = Uint8Array.from(bytes);
    this.#timeline = [...(await this.storedTimeline())];
    this.#interval = intervalOf(this.#timeline);
    return snapshot;
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
      await this.store.put(LATEST, bytes);
      await marking?.();
    });
  }

  /** Add a snapshot to the timeline. */
  async mark(snapshot: Snapshot, label?: string): Promise<void> {
    await this.#saving;
    const marking = this.onTimeline(snapshot, encodeSnapshot(snapshot), label);
    if (marking !== null) this.#saving = this.writing(marking);
  }

  /** List the snapshot. → the writes that remain, or null if this step is already listed */
  private onTimeline(
    { state: { stage, step } }: Snapshot,
    bytes: Uint8Array<ArrayBuffer>,
    label?: string,
  ): (() => Promise<void>) | null {
    const last = this.#timeline.at(-1);
    if (last !== undefined && last.stage === stage && last.step === step) return null;
    const id = `${stage}-${step}-${this.#count++}-${bytes.length}`;
    this.#timeline.push({ id, stage, step, bytes: bytes.length, ...(label === undefined ? {} : { label }) });
    const dropped = this.thin();
    const index = json(this.#timeline);
    return async () => {
      await this.store.put(timelineKey(id), bytes);
      await this.store.put(TIMELINE, index);
      for (const gone of dropped) await this.store.delete(timelineKey(gone.id));
    };
  }

  /** The last saved state, for a new device. @throws Error before the first */
  latest(): Snapshot {
    if (this.#latest === null) throw new Error("no state of this run has been saved yet");
    return decodeSnapshot(this.#latest);
  }

  /** The run's first state; the timeline is dropped with it. */
  async reset(): Promise<Snapshot> {
    await this.#saving;
    const bytes = await this.store.get(START);
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

  private async writing(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      this.onFault(error instanceof Error ? error : new Error(String(error)));
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

const timelineKey = (id: string): string => `timeline:${id}`;
const json = (value: unknown): Uint8Array<ArrayBuffer> =>
  new Uint8Array(new TextEncoder().encode(JSON.stringify(value)));
