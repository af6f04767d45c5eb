/**
 * Writing a recipe as its differences from another, each value beside its source. What a recipe leaves out it shares
 * with the one that it is derived from, source included; departures of the nano policy are never inherited.
 */
import type { GrpoRecipe, Recipe, RecipeReward, Sources } from "./record";

/** A value, and where it comes from or why it was chosen. */
export type Sourced<T> = readonly [value: T, source: string];
type SourcedKeys<T> = { readonly [K in keyof T]: Sourced<T[K]> };

type NanoKeys = GrpoRecipe & Pick<Recipe, "coldStart">;

interface Named extends Pick<Recipe, "name" | "title" | "summary"> {
  /** Values of the nano policy that differ from the source's, with the reason. */
  readonly nano?: Partial<SourcedKeys<NanoKeys>>;
}

interface Whole extends Named {
  readonly coldStart: Sourced<boolean>;
  readonly reward: Sourced<RecipeReward>;
  readonly temperature: Sourced<number>;
  readonly grpo: SourcedKeys<GrpoRecipe>;
}

interface Differences extends Named {
  readonly coldStart?: Sourced<boolean>;
  readonly reward?: Sourced<RecipeReward>;
  readonly temperature?: Sourced<number>;
  readonly grpo?: Partial<SourcedKeys<GrpoRecipe>>;
}

/** A recipe that names every value itself. */
export function recipe({ name, title, summary, nano = {}, ...whole }: Whole): Recipe {
  return {
    name,
    title,
    summary,
    coldStart: whole.coldStart[0],
    settings: {
      reward: whole.reward[0],
      temperature: whole.temperature[0],
      grpo: valuesOf(whole.grpo),
    },
    sources: {
      coldStart: whole.coldStart[1],
      reward: whole.reward[1],
      temperature: whole.temperature[1],
      grpo: sourcesOf(whole.grpo),
    },
    nano: departures(nano),
  };
}

/** A recipe that is another one with differences. */
export function derive(from: Recipe, { name, title, summary, nano = {}, ...changes }: Differences): Recipe {
  const { settings, sources } = from;
  const {
    coldStart = [from.coldStart, sources.coldStart],
    reward = [settings.reward, sources.reward],
    temperature = [settings.temperature, sources.temperature],
    grpo = {},
  } = changes;
  return {
    name,
    title,
    summary,
    coldStart: coldStart[0],
    settings: {
      reward: reward[0],
      temperature: temperature[0],
      grpo: { ...settings.grpo, ...valuesOf(grpo) },
    },
    sources: {
      coldStart: coldStart[1],
      reward: reward[1],
      temperature: temperature[1],
      grpo: { ...sources.grpo, ...sourcesOf(grpo) },
    },
    nano: departures(nano),
  };
}

function departures({ coldStart, ...grpo }: Partial<SourcedKeys<NanoKeys>>): Recipe["nano"] {
  const whys = { ...sourcesOf(grpo), ...(coldStart === undefined ? {} : { coldStart: coldStart[1] }) };
  return {
    ...(coldStart === undefined ? {} : { coldStart: coldStart[0] }),
    grpo: valuesOf(grpo),
    whys,
    why: [...new Set(Object.values(whys))].join(" "),
  };
}

/** The first of each pair, under the same keys. */
function valuesOf(sourced: SourcedKeys<GrpoRecipe>): GrpoRecipe;
function valuesOf(sourced: Partial<SourcedKeys<GrpoRecipe>>): Partial<GrpoRecipe>;
function valuesOf(sourced: Partial<SourcedKeys<GrpoRecipe>>): Partial<GrpoRecipe> {
  return Object.fromEntries(Object.entries(sourced).map(([key, [value]]) => [key, value]));
}

/** The second of each pair, under the same keys. */
function sourcesOf(sourced: SourcedKeys<GrpoRecipe>): Sources<GrpoRecipe>;
function sourcesOf(sourced: Partial<SourcedKeys<GrpoRecipe>>): Partial<Sources<GrpoRecipe>>;
function sourcesOf(sourced: Partial<SourcedKeys<GrpoRecipe>>): Partial<Sources<GrpoRecipe>> {
  return Object.fromEntries(Object.entries(sourced).map(([key, [, source]]) => [key, source]));
}
