/**
 * One run among those that a page keeps: its keys have the run's id in front. Its latest state alternates between two
 * places, so the one before stays readable until the next is durable, and a damaged one costs one step.
 */
import { z } from "zod";
import { STAGES, type StoredRunInfo } from "./protocol";
import { type Database, LATEST, PREVIOUS, type SnapshotStore } from "./store";

/** The run that versions before there were several kept: its keys have nothing in front. */
const FIRST_RUN = "first";
const ABOUT = "about";
/** Which of the two places is the newest; absent: the first. */
const NEWEST = "newest";
const PLACES = [LATEST, "latest:other"] as const;
type Place = 0 | 1;

const aboutSchema = z.object({
  name: z.string(),
  stage: z.enum(STAGES),
  step: z.int().nonnegative(),
  openedAt: z.number(),
});
export type About = z.output<typeof aboutSchema>;

const prefixOf = (id: string): string => (id === FIRST_RUN ? "" : `run:${id}/`);

/** The run that a key belongs to; null for what belongs to no run. */
function runOfKey(key: string): string | null {
  const found = /^run:([^/]+)\//.exec(key)?.[1];
  if (found !== undefined) return found;
  return key === LATEST || key === ABOUT ? FIRST_RUN : null;
}

/** The page's runs, the last opened first. A damaged description costs the name, not the run. */
export async function storedRuns(database: Database): Promise<readonly StoredRunInfo[]> {
  const keys = await database.keys();
  const ids = new Set(keys.flatMap((key) => runOfKey(key) ?? []));
  const complete = [...ids].filter((id) => PLACES.some((place) => keys.includes(prefixOf(id) + place)));
  const runs = await Promise.all(
    complete.map(async (id): Promise<StoredRunInfo> => ({ id, ...(await readAbout(database, id)) })),
  );
  return runs.sort((a, b) => b.openedAt - a.openedAt);
}

async function readAbout(database: Database, id: string): Promise<About> {
  const unknown: About = { name: "Earlier run", stage: "base", step: 0, openedAt: 0 };
  const bytes = await database.get(prefixOf(id) + ABOUT);
  if (bytes === null) return unknown;
  try {
    return aboutSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (error) {
    console.warn(`The description of the stored run ${id} is damaged.`, error);
    return unknown;
  }
}

export async function deleteRun(database: Database, id: string): Promise<void> {
  const prefix = prefixOf(id);
  const own = (key: string): boolean =>
    prefix === "" ? /^(latest|newest|about|start|timeline|source)(:|$)/.test(key) : key.startsWith(prefix);
  for (const key of (await database.keys()).filter(own)) await database.delete(key);
}

export interface StoredRunOptions {
  readonly id: string;
  /** What is written beside the latest state. */
  readonly about: () => About;
  /** False once another tab has the run: nothing may be written any more. */
  readonly owned: () => boolean;
  /** Called when a state is durable. */
  readonly onSaved: () => void;
}

export class StoredRun implements SnapshotStore {
  #id: string;
  #newest: Place | null = null;

  constructor(
    private readonly database: Database,
    private readonly options: StoredRunOptions,
  ) {
    this.#id = options.id;
  }

  get id(): string {
    return this.#id;
  }

  /** Keep what is stored under the old id, and write under another one from now on. */
  moveTo(id: string): void {
    this.#id = id;
    this.#newest = null;
  }

  /** @throws Error when another tab has taken the run over */
  async put(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    if (!this.options.owned()) throw new Error("another tab has taken this run over");
    if (key !== LATEST) return this.database.put(this.key(key), bytes);
    const place = other(await this.newest());
    await this.database.putAll([
      [this.key(PLACES[place]), bytes],
      [this.key(NEWEST), json(place)],
      [this.key(ABOUT), json(this.options.about())],
    ]);
    this.#newest = place;
    this.options.onSaved();
  }

  async get(key: string): Promise<Uint8Array | null> {
    if (key === LATEST) return this.database.get(this.key(PLACES[await this.newest()]));
    if (key === PREVIOUS) return this.database.get(this.key(PLACES[other(await this.newest())]));
    return this.database.get(this.key(key));
  }

  async delete(key: string): Promise<void> {
    if (this.options.owned()) await this.database.delete(this.key(key));
  }

  private key(key: string): string {
    return prefixOf(this.#id) + key;
  }

  private async newest(): Promise<Place> {
    if (this.#newest !== null) return this.#newest;
    const bytes = await this.database.get(this.key(NEWEST));
    return bytes !== null && new TextDecoder().decode(bytes) === "1" ? 1 : 0;
  }
}

const other = (place: Place): Place => (place === 0 ? 1 : 0);
const json = (value: unknown): Uint8Array<ArrayBuffer> =>
  new Uint8Array(new TextEncoder().encode(JSON.stringify(value)));
