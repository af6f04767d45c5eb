/**
 * Overrides that a recipe's mechanism cannot use: a clip range where the surrogate has no clip, an estimator of a KL
 * term that is switched off. Such a key would be accepted and change nothing; whoever set it would read the run as if
 * it did. What can be used is decided by the settings that result, not by a list for each recipe; the recipe gives the
 * reason. A recipe's own values are never in conflict, nor is a key that repeats them.
 */
import { nanoSettings, type Recipe, type RecipeSettings } from "./recipe";

export interface RecipeConflict {
  /** Path in the settings, e.g. grpo.clipHigh. */
  readonly key: string;
  readonly value: unknown;
  /** Why it has no effect, and what to do instead; whole sentences. */
  readonly reason: string;
}

/** Why the settings cannot use a key. */
interface Unused {
  readonly why: string;
  /** The setting that decides it, whose source is the recipe's reason. */
  readonly because: `grpo.${keyof RecipeSettings["grpo"]}` | `reward.${keyof RecipeSettings["reward"]}`;
  /** What would make the key count. */
  readonly unless: string;
}

interface Rule {
  /** Paths; one that names a section stands for all keys in it. */
  readonly keys: readonly string[];
  /** Null where the settings use the keys. */
  readonly unused: (settings: RecipeSettings) => Unused | null;
}

const CLIP = ["grpo.clipLow", "grpo.clipHigh", "grpo.ratioMax", "grpo.dualClip"];
const TAU = ["grpo.tauPositive", "grpo.tauNegative"];

const surrogateIsNot =
  (wanted: "clip" | "cispo" | "sapo", lacks: string) =>
  ({ grpo }: RecipeSettings): Unused | null =>
    grpo.surrogate === wanted
      ? null
      : {
          why: `grpo.surrogate is "${grpo.surrogate}", which has no ${lacks}`,
          because: "grpo.surrogate",
          unless: `set grpo.surrogate to "${wanted}"`,
        };

/** In this order: the first rule that applies gives the reason. */
const RULES: readonly Rule[] = [
  { keys: CLIP, unused: surrogateIsNot("clip", "clip") },
  { keys: ["grpo.cispoLow", "grpo.cispoHigh"], unused: surrogateIsNot("cispo", "weight to bound") },
  { keys: TAU, unused: surrogateIsNot("sapo", "gate") },
  {
    keys: [...CLIP, ...TAU, "grpo.ratioLevel"],
    // Replayed samples have ratios of their own.
    unused: ({ grpo }) =>
      grpo.updatesPerRollout * grpo.epochs > 1 || grpo.replay !== null
        ? null
        : {
            why: "with one update a rollout every probability ratio is 1",
            because: "grpo.updatesPerRollout",
            unless: "set grpo.updatesPerRollout or grpo.epochs to 2 or more",
          },
  },
  {
    keys: ["grpo.klEstimator", "grpo.klPlacement"],
    unused: ({ grpo }) =>
      (grpo.stages.length > 0 ? grpo.stages : [grpo]).some(({ beta }) => beta > 0)
        ? null
        : { why: "grpo.beta is 0, so there is no KL term", because: "grpo.beta", unless: "set grpo.beta above 0" },
  },
  {
    keys: ["grpo.beta", "grpo.groupSize"],
    unused: ({ grpo }) =>
      grpo.stages.length === 0
        ? null
        : { why: "each of grpo.stages has its own", because: "grpo.stages", unless: "change it in grpo.stages" },
  },
  {
    keys: ["grpo.refills"],
    unused: ({ grpo }) =>
      grpo.onlineFilter !== null || grpo.refills === 0
        ? null
        : {
            why: "without grpo.onlineFilter every group is kept, and none has to be replaced",
            because: "grpo.onlineFilter",
            unless: 'set grpo.onlineFilter, e.g. to "mixed"',
          },
  },
  {
    keys: ["reward.effectiveness", "reward.adaptiveTiers"],
    unused: ({ reward }) => weightIsZero(reward, "effectivenessWeight"),
  },
  {
    keys: ["reward.lengthShape", "reward.targetFactor", "reward.maxFactor"],
    unused: ({ reward }) => weightIsZero(reward, "lengthWeight"),
  },
  { keys: ["reward.overlongCache"], unused: ({ reward }) => weightIsZero(reward, "overlongWeight") },
  {
    keys: ["reward.reflectionFormatWeight"],
    unused: ({ reward }) =>
      reward.variant === "paper"
        ? null
        : {
            why: `reward.variant is "${reward.variant}", which has no such term`,
            because: "reward.variant",
            unless: 'set reward.variant to "paper"',
          },
  },
];

type Weight = "effectivenessWeight" | "lengthWeight" | "overlongWeight";

function weightIsZero(reward: RecipeSettings["reward"], name: Weight): Unused | null {
  const key = `reward.${name}` as const;
  return reward[name] !== 0 ? null : { why: `${key} is 0`, because: key, unless: `set ${key} to another number` };
}

/**
 * Overrides without effect.
 * @param settings that result: the recipe's, with everything that was given
 * @param given keys set on top of the recipe, as a patch of the settings (run file, flags, a page's change)
 */
export function recipeConflicts(recipe: Recipe, settings: RecipeSettings, given: object): readonly RecipeConflict[] {
  const [source, nano] = [recipe.settings, nanoSettings(recipe)];
  return leaves(given).flatMap(({ key, value }) => {
    const own = [source, nano].some((each) => JSON.stringify(at(each, key)) === JSON.stringify(value));
    const unused = own ? null : unusedKey(key, settings);
    if (unused === null) return [];
    const { why, because, unless } = unused;
    const decided = JSON.stringify(at(settings, because)) === JSON.stringify(at(nano, because));
    const reason = [
      `${why}.`,
      ...(decided ? [sentence(reasonOf(recipe, because))] : []),
      `Leave it out, or ${unless}.`,
    ];
    return [{ key, value, reason: reason.join(" ") }];
  });
}

/** Why the settings cannot use a key, e.g. `grpo.surrogate is "sapo", which has no clip`; null where they use it. */
export function unusedReason(key: string, settings: RecipeSettings): string | null {
  return unusedKey(key, settings)?.why ?? null;
}

function unusedKey(key: string, settings: RecipeSettings): Unused | null {
  for (const { keys, unused } of RULES) {
    if (!keys.some((named) => key === named || key.startsWith(`${named}.`))) continue;
    const found = unused(settings);
    if (found !== null) return found;
  }
  return null;
}

/** The recipe's reason for a value: that of the nano policy where it departs, else the source's. */
function reasonOf({ sources, nano }: Recipe, path: Unused["because"]): string {
  if (path.startsWith("reward.")) return sources.reward;
  const key = path.slice("grpo.".length) as keyof RecipeSettings["grpo"];
  return nano.whys[key] ?? sources.grpo[key];
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.?$/, ".")}`;

const isSection = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Every value of a patch with its path. */
function leaves(patch: object, prefix = ""): { readonly key: string; readonly value: unknown }[] {
  return Object.entries(patch).flatMap(([name, value]: [string, unknown]) =>
    isSection(value) ? leaves(value, `${prefix}${name}.`) : [{ key: prefix + name, value }],
  );
}

function at(settings: RecipeSettings, path: string): unknown {
  return path.split(".").reduce<unknown>((value, name) => (isSection(value) ? value[name] : undefined), settings);
}
