/**
 * Problems out of seeds, and the split. Whether a picture may be trained on is decided by a hash of what it
 * shows, not by its seed: every picture with the same facts falls on the same side, so no evaluation picture
 * can come up in training, whatever seed drew it. One picture in EVAL_SHARE is kept for evaluation.
 */

import { bars } from "./families/bars";
import { digits } from "./families/digits";
import { geometry } from "./families/geometry";
import { shapes } from "./families/shapes";
import type { ProblemParts, TaskFamily } from "./family";
import { FAMILY_NAMES, type FamilyName, type Problem, type Split } from "./problem";
import { combineSeeds, hashText, Random } from "./random";

export const FAMILIES: Readonly<Record<FamilyName, TaskFamily>> = { bars, shapes, geometry, digits };

/** One picture in EVAL_SHARE is held out for evaluation. */
export const EVAL_SHARE = 8;
/** Changing it changes every picture. */
const SPLIT_SEED = 1;

/** The side on which a picture of these facts falls. */
export function splitOf(family: FamilyName, facts: string): Split {
  return combineSeeds(SPLIT_SEED, hashText(`${family}:${facts}`)) % EVAL_SHARE === 0 ? "eval" : "train";
}

/** The problem's facts before drawing; the first draw of the seed's stream that falls on the wanted side. */
export function makeParts(family: FamilyName, split: Split, seed: number): ProblemParts {
  const random = new Random(hashText(family), seed);
  for (let attempt = 0; attempt < 10_000; attempt++) {
    const parts = FAMILIES[family].make(random);
    if (splitOf(family, parts.facts) === split) return parts;
  }
  throw new Error(
    `makeProblem: 10,000 draws of family "${family}" gave none of split "${split}"; the family's pictures are too ` +
      `few for a split of 1 in ${EVAL_SHARE}`,
  );
}

/** The problem of a family, split and seed (an unsigned 32-bit integer); the same on every platform. */
export function makeProblem(family: FamilyName, split: Split, seed: number): Problem {
  const parts = makeParts(family, split, seed >>> 0);
  const last = parts.inferences.at(-1);
  if (last === undefined)
    throw new Error(
      `makeProblem: family "${family}" made a problem without an inference; every problem needs one, its result is ` +
        "the answer",
    );
  return {
    id: `${family}:${split}:${seed >>> 0}`,
    family,
    picture: parts.draw(),
    question: parts.question,
    readings: parts.readings,
    inferences: parts.inferences,
    answer: String(last.result),
  };
}

/**
 * Problem number `index` of the endless stream of a split: the families take turns, so any run of
 * consecutive indices is balanced. `stream` (the run's seed) gives another stream of the same split.
 */
export function problemAt(
  split: Split,
  index: number,
  families: readonly FamilyName[] = FAMILY_NAMES,
  stream = 0,
): Problem {
  const family = families[index % families.length];
  if (family === undefined)
    throw new Error("problemAt: no family given; name at least one of bars, shapes, geometry, digits");
  return makeProblem(family, split, combineSeeds(stream, index));
}

/** Makes a problem again from its id, "family:split:seed". Throws where the id is not of that form. */
export function problemOf(id: string): Problem {
  const [name, split, seed] = id.split(":");
  const family = FAMILY_NAMES.find((known) => known === name);
  if (family === undefined || (split !== "train" && split !== "eval") || seed === undefined || !/^\d+$/.test(seed)) {
    throw new Error(
      `problemOf: "${id}" is not a problem id; expected family:split:seed, e.g. "bars:train:7", family one of ` +
        `${FAMILY_NAMES.join(", ")}`,
    );
  }
  return makeProblem(family, split, Number(seed));
}
