/**
 * Which run to open: the one this tab had before a reload, else the one that its link opened earlier in this browser,
 * else, without a link, the run opened last. A link that is new here opens a run of its own.
 */
import { z } from "zod";
import type { RunChoice } from "../../worker/protocol";
import { lasting, ofThisTab, type TextStorage } from "./browserStorage";

const TAB_KEY = "srpo-playground/run";
const LINKS_KEY = "srpo-playground/links";
/** Links remembered, the newest last. */
const LINKS_KEPT = 50;

const tabSchema = z.object({ id: z.string(), hash: z.string() });
const linksSchema = z.array(z.tuple([z.string(), z.string()]));

function read<T>(storage: TextStorage, key: string, schema: z.ZodType<T>): T | null {
  const text = storage.get(key);
  if (text === null) return null;
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    console.warn(`What the browser kept as "${key}" is damaged and is not used.`, error);
    return null;
  }
}

export interface Storages {
  readonly tab: TextStorage;
  readonly lasting: TextStorage;
}

const browser: Storages = { tab: ofThisTab, lasting };

export interface Choice {
  readonly choice: RunChoice;
  /** Continue a stored run; false: a link that this browser meets for the first time. */
  readonly resume: boolean;
}

/** @param hash the address after and with "#"; "" for the plain address */
export function chooseRun(hash: string, now: Date, { tab, lasting: links }: Storages = browser): Choice {
  const before = read(tab, TAB_KEY, tabSchema);
  const byLink = read(links, LINKS_KEY, linksSchema)?.find(([each]) => each === hash)?.[1] ?? null;
  const id = before?.hash === hash ? before.id : hash === "" ? null : byLink;
  const resume = hash === "" || id !== null;
  return { choice: { id, orNew: hash !== "", name: runName(now, hash !== ""), keepEarlier: true }, resume };
}

/** The tab has this run now, and its address leads to it. */
export function rememberRun(id: string, hash: string, { tab, lasting: links }: Storages = browser): void {
  tab.set(TAB_KEY, JSON.stringify({ id, hash }));
  if (hash === "") return;
  const others = (read(links, LINKS_KEY, linksSchema) ?? []).filter(([each]) => each !== hash);
  links.set(LINKS_KEY, JSON.stringify([...others, [hash, id]].slice(-LINKS_KEPT)));
}

/** e.g. "28 Nov, 17:40", "Link of 28 Nov, 17:40" */
export function runName(now: Date, fromLink: boolean): string {
  const when = now.toLocaleString("en-GB", {
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
  });
  return fromLink ? `Link of ${when}` : `Run of ${when}`;
}
