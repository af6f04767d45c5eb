/**
 * The corpus a base policy learns from, two phases. **clean**: every step right, so that the policy learns to
 * see. **noisy**: readings and results wrong at the rates below, so that it comes to write carelessly what it
 * sees well (greedily right, sampled at T = 1 wrong more often than not): the base on which reflection has
 * something to repair. Half of the chains say their steps twice. Only first solutions: no reflection is shown.
 */
import { FAMILY_NAMES, type FamilyName, type Problem, type Split } from "./problem";
import { problemAt } from "./problems";
import { combineSeeds, Random } from "./random";
import { type NoiseRates, noisySolution, writeSolution } from "./solution";

export type CorpusPhase = "clean" | "noisy";

export interface CorpusOptions {
  readonly families: readonly FamilyName[];
  /** Fraction of chains whose steps are repeated. */
  readonly redundant: number;
  /** Error rates of the noisy phase. */
  readonly noise: Readonly<Record<FamilyName, NoiseRates>>;
}

/**
 * Rates about the prototype's (each reading 0.38, each result 0.2), set so that every family's chains end
 * right equally often although geometry infers twice and max or min forgives a misreading. What the noisy
 * corpus itself gets right, 20,000 examples (held by corpus.test.ts):
 * bars 39.6 %, shapes 38.5 %, geometry 38.0 % (angles 39.1, perimeters 36.9), digits 38.1 %.
 */
export const DEFAULT_CORPUS: CorpusOptions = {
  families: FAMILY_NAMES,
  redundant: 0.5,
  noise: {
    bars: { reading: 0.42, result: 0.21 },
    shapes: { reading: 0.36, result: 0.19 },
    geometry: { reading: 0.32, result: 0.15 },
    digits: { reading: 0.36, result: 0.18 },
  },
};

const CLEAN: NoiseRates = { reading: 0, result: 0 };

export interface CorpusExample {
  readonly problem: Problem;
  /** "<think> … </think> <answer> … </answer>" */
  readonly response: string;
}

/** Example number `index` of a phase: a pure function of (phase, seed, index); problems are of the training split. */
export function corpusExample(
  phase: CorpusPhase,
  seed: number,
  index: number,
  options: CorpusOptions = DEFAULT_CORPUS,
  split: Split = "train",
): CorpusExample {
  const phaseSeed = combineSeeds(seed, phase === "clean" ? 101 : 102);
  const problem = problemAt(split, index, options.families, phaseSeed);
  const random = new Random(phaseSeed, index, 103);
  const style = random.chance(options.redundant) ? "redundant" : "concise";
  const solution = noisySolution(problem, phase === "clean" ? CLEAN : options.noise[problem.family], random);
  return { problem, response: writeSolution(solution, style) };
}
