/**
 * The share link: only what differs from the defaults (settings, and the policy to start from), and a version, in the
 * address after "#".
 * Read by one schema; a link that does not parse is reported to the visitor and ignored.
 */
import { z } from "zod";
import { defaultSettings, overlay, type Settings, type SettingsPatch, settingsSchema } from "../../worker/protocol";
import { DEFAULT_START, SHIPPED, type ShippedName, type Start } from "./start";

export const LINK_VERSION = 1;

const linkSchema = z.object({
  v: z.literal(LINK_VERSION, { error: `this link was made by another version (expected v=${LINK_VERSION})` }),
  from: z.enum(SHIPPED, { error: `"from" must be one of ${SHIPPED.join(", ")}` }).default(DEFAULT_START),
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

/**
 * "" for the defaults, else e.g. "#v=1&from=base&s=…" with the changed settings as JSON. A folder of one's own cannot
 * be linked to.
 */
export function encodeLink(settings: Settings, start: Start): string {
  const changed = difference(settings, defaultSettings);
  const from = start === DEFAULT_START || start === "own" ? "" : `&from=${start}`;
  const s = changed === undefined ? "" : `&s=${encodeURIComponent(JSON.stringify(changed))}`;
  return from + s === "" ? "" : `#v=${LINK_VERSION}${from}${s}`;
}

/** 128 bits in base64url, as `srpo serve` prints them. */
const TOKEN = /^[\w-]{22}$/;

/**
 * The token of a link to a served run (`#run=…`), which is served at the page's own address; null for any other link. A
 * token that was cut in copying becomes "-", which the runner refuses in words.
 */
export function servedToken(hash: string): string | null {
  const token = new URLSearchParams(hash.replace(/^#/, "")).get("run");
  return token === null || TOKEN.test(token) ? token : "-";
}

const OPENED_KEY = "srpo-playground/opened-link";

/**
 * True when this browser meets another link than the last time: then a run starts as the link says. Followed again, in
 * this tab or another, the stored run continues.
 * @param storage shared by all tabs, as the stored run is
 */
export function isFreshLink(hash: string, storage: Pick<Storage, "getItem" | "setItem">): boolean {
  if (hash === "" || storage.getItem(OPENED_KEY) === hash) return false;
  storage.setItem(OPENED_KEY, hash);
  return true;
}

export type DecodedLink =
  | { readonly ok: true; readonly settings: SettingsPatch; readonly from: ShippedName }
  | { readonly ok: false; readonly why: string };

/**
 * Settings and start of a link. Keys it does not know are dropped, values out of range are refused with the schema's
 * words.
 */
export function decodeLink(hash: string): DecodedLink {
  const query = new URLSearchParams(hash.replace(/^#/, ""));
  if (!["v", "from", "s"].some((key) => query.has(key))) return { ok: true, settings: {}, from: DEFAULT_START };
  try {
    const link = linkSchema.parse({
      v: Number(query.get("v") ?? LINK_VERSION),
      from: query.get("from") ?? undefined,
      s: JSON.parse(query.get("s") ?? "{}") as unknown,
    });
    return { ok: true, settings: settingsSchema.parse(overlay(defaultSettings, link.s)), from: link.from };
  } catch (error) {
    return {
      ok: false,
      why: error instanceof z.ZodError ? z.prettifyError(error) : `its settings are no JSON (${String(error)})`,
    };
  }
}
