/**
 * The share link: only what differs from the defaults (the policy to start from, the recipe, and the settings that
 * differ from the recipe's), and a version, in the address after "#". Links without a recipe are SRPO's.
 * Read by one schema; a link that does not parse is reported to the visitor and ignored.
 */
import { z } from "zod";
import { RECIPE_NAMES, type RecipeName } from "../../srpo/recipe";
import {
  isSection,
  overLimits,
  overlay,
  PAGE_LIMITS,
  type Settings,
  type SettingsPatch,
  settingsSchema,
} from "../../worker/protocol";
import { DEFAULT_RECIPE, differences, patchOf, settingsOfRecipe } from "./recipes";
import { DEFAULT_START, SHIPPED, type ShippedName, type Start } from "./start";

export const LINK_VERSION = 1;

const linkSchema = z.object({
  v: z.literal(LINK_VERSION, { error: `this link was made by another version (expected v=${LINK_VERSION})` }),
  from: z.enum(SHIPPED, { error: `"from" must be one of ${SHIPPED.join(", ")}` }).default(DEFAULT_START),
  recipe: z.enum(RECIPE_NAMES, { error: `"recipe" must be one of ${RECIPE_NAMES.join(", ")}` }).default(DEFAULT_RECIPE),
  s: z.record(z.string(), z.unknown()).default({}),
});

/**
 * "" for the defaults, else e.g. "#v=1&from=base&recipe=grpo&s=…" with what the settings change about the recipe as
 * JSON. A folder of one's own cannot be linked to.
 */
export function encodeLink(settings: Settings, start: Start, recipe: RecipeName): string {
  const changes = differences(settings, settingsOfRecipe(recipe));
  const changed = changes.reduce<object>((patch, { path, value }) => overlay(patch, patchOf(path, value)), {});
  const from = start === DEFAULT_START || start === "own" ? "" : `&from=${start}`;
  const named = recipe === DEFAULT_RECIPE ? "" : `&recipe=${recipe}`;
  const s = changes.length === 0 ? "" : `&s=${encodeURIComponent(JSON.stringify(changed))}`;
  return from + named + s === "" ? "" : `#v=${LINK_VERSION}${from}${named}${s}`;
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

export type DecodedLink =
  | {
      readonly ok: true;
      readonly settings: SettingsPatch;
      readonly from: ShippedName;
      readonly recipe: RecipeName;
      /** What the link asks for and may not have: each with the reason and the value used instead. */
      readonly refused: readonly string[];
    }
  | { readonly ok: false; readonly why: string };

/**
 * Settings, start and recipe of a link. Keys it does not know are dropped; values out of range are refused one by one,
 * and the recipe's are used instead.
 */
export function decodeLink(hash: string): DecodedLink {
  const query = new URLSearchParams(hash.replace(/^#/, ""));
  if (!["v", "from", "recipe", "s"].some((key) => query.has(key)))
    return { ok: true, settings: {}, from: DEFAULT_START, recipe: DEFAULT_RECIPE, refused: [] };
  try {
    const link = linkSchema.parse({
      v: Number(query.get("v") ?? LINK_VERSION),
      from: query.get("from") ?? undefined,
      recipe: query.get("recipe") ?? undefined,
      s: JSON.parse(query.get("s") ?? "{}") as unknown,
    });
    const { from, recipe } = link;
    const { settings, refused } = permitted(settingsOfRecipe(recipe), link.s);
    const fault = overLimits(settings, PAGE_LIMITS);
    if (fault !== null) return { ok: false, why: `it is too large for a browser tab: ${fault}` };
    return { ok: true, settings, refused, from, recipe };
  } catch (error) {
    return {
      ok: false,
      why: error instanceof z.ZodError ? z.prettifyError(error) : `its settings are no JSON (${String(error)})`,
    };
  }
}

/**
 * The recipe's settings with as much of the patch as the schema permits.
 * @throws z.ZodError when the settings are refused for something that is not in the patch
 */
function permitted(
  recipe: Settings,
  patch: Readonly<Record<string, unknown>>,
): { readonly settings: Settings; readonly refused: readonly string[] } {
  const refused: string[] = [];
  for (let rest = patch; ; ) {
    const parsed = settingsSchema.safeParse(overlay(recipe, rest));
    if (parsed.success) return { settings: parsed.data, refused };
    const before = refused.length;
    for (const { path, message } of parsed.error.issues) {
      const found = without(rest, path.map(String));
      if (found === null) continue;
      rest = found.rest;
      const instead = found.path.reduce<unknown>((value, key) => (isSection(value) ? value[key] : undefined), recipe);
      refused.push(`${found.path.join(".")} ${short(found.value)} (${message}); ${short(instead)} instead`);
    }
    if (refused.length === before) throw parsed.error;
  }
}

/** The patch without the deepest value that lies on a path; null where there is none. */
function without(
  patch: Readonly<Record<string, unknown>>,
  [key, ...deeper]: readonly string[],
): {
  readonly rest: Readonly<Record<string, unknown>>;
  readonly path: readonly string[];
  readonly value: unknown;
} | null {
  if (key === undefined || !Object.hasOwn(patch, key)) return null;
  const value = patch[key];
  const within = isSection(value) ? without(value, deeper) : null;
  if (within !== null) return { ...within, rest: { ...patch, [key]: within.rest }, path: [key, ...within.path] };
  const { [key]: _refused, ...rest } = patch;
  return { rest, path: [key], value };
}

/** Characters of a value that a message shows. */
const SHOWN = 40;

function short(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}
