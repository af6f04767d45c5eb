/**
 * The share link: only what differs from the defaults, and a version, in the address after "#".
 * Read by one schema; a link that does not parse is told to the visitor and then ignored.
 */
import { z } from "zod";
import { defaultSettings, settingsSchema, type Settings, type SettingsPatch } from "../../worker/protocol";

export const LINK_VERSION = 1;

const linkSchema = z.object({
  v: z.literal(LINK_VERSION, { error: `this link was made by another version (expected v=${LINK_VERSION})` }),
  s: z.record(z.string(), z.unknown()).default({}),
});

type Tree = { readonly [key: string]: unknown };
const isTree = (value: unknown): value is Tree => typeof value === "object" && value !== null && !Array.isArray(value);

/** The part of `value` that differs from `base`; undefined when nothing does. Arrays count as one value. */
function difference(value: Tree, base: Tree): Tree | undefined {
  const changed = Object.entries(value).flatMap(([key, entry]): [string, unknown][] => {
    const original = base[key];
    if (isTree(entry) && isTree(original)) {
      const inner = difference(entry, original);
      return inner === undefined ? [] : [[key, inner]];
    }
    return JSON.stringify(entry) === JSON.stringify(original) ? [] : [[key, entry]];
  });
  return changed.length === 0 ? undefined : Object.fromEntries(changed);
}

function merged(base: Tree, patch: Tree): Tree {
  const entries = Object.entries(patch).map(([key, value]): [string, unknown] => {
    const original = base[key];
    return [key, isTree(value) && isTree(original) ? merged(original, value) : value];
  });
  return { ...base, ...Object.fromEntries(entries) };
}

/** "" for the defaults, else e.g. "#v=1&s=…" with the changed settings as JSON. */
export function encodeLink(settings: Settings): string {
  const changed = difference(settings, defaultSettings);
  return changed === undefined ? "" : `#v=${LINK_VERSION}&s=${encodeURIComponent(JSON.stringify(changed))}`;
}

const OPENED_KEY = "srpo-playground/opened-link";

/**
 * True the first time a tab meets this link: then a run starts under the link's settings. After that (a reload)
 * the run that is stored goes on.
 */
export function isFreshLink(hash: string, storage: Pick<Storage, "getItem" | "setItem">): boolean {
  if (hash === "" || storage.getItem(OPENED_KEY) === hash) return false;
  storage.setItem(OPENED_KEY, hash);
  return true;
}

export type DecodedLink = { readonly ok: true; readonly settings: SettingsPatch } | { readonly ok: false; readonly why: string };

/** Settings of a link. Keys it does not know are dropped, values out of range are refused with the schema's words. */
export function decodeLink(hash: string): DecodedLink {
  const query = new URLSearchParams(hash.replace(/^#/, ""));
  if (!query.has("v") && !query.has("s")) return { ok: true, settings: {} };
  try {
    const link = linkSchema.parse({ v: Number(query.get("v")), s: JSON.parse(query.get("s") ?? "{}") as unknown });
    return { ok: true, settings: settingsSchema.parse(merged(defaultSettings, link.s)) };
  } catch (error) {
    return { ok: false, why: error instanceof z.ZodError ? z.prettifyError(error) : `its settings are no JSON (${String(error)})` };
  }
}
