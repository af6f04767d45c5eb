/**
 * Chains of thought: readings, then inferences, e.g. "A = 3 ; C = 5 ; 3 + 5 = 8". A chain can hold errors,
 * and an error is carried on: a wrong reading goes into the inference, a wrong result into what follows it.
 */
import { compute } from "./family";
import type { Inference, Problem, Reading } from "./problem";
import type { Random } from "./random";
import { isNumberWord } from "./vocabulary";

export type ChainStyle = "concise" | "redundant";

/** How often a step is written wrongly: each reading, each result. */
export interface NoiseRates {
  readonly reading: number;
  readonly result: number;
}

/** What a solver wrote down, right or wrong. */
export interface Solution {
  readonly readings: readonly Reading[];
  readonly inferences: readonly Inference[];
}

/** 10 where the picture is labelled in tens (angles), else 1: what "one off" means. */
function unitOf(problem: Problem): 1 | 10 {
  return problem.readings.some((reading) => reading.value >= 10) ? 10 : 1;
}

/** One or two units beside the value, both ways as likely, inside [low, high] and the vocabulary. */
function misjudge(value: number, unit: number, low: number, high: number, random: Random): number {
  const beside = [-2, -1, 1, 2]
    .map((steps) => value + steps * unit)
    .filter((other) => other >= low && other <= high && isNumberWord(other));
  return random.pick(beside);
}

/**
 * The problem's solution with errors thrown in at the given rates. Later inferences have a constant on the
 * left and the result before them on the right (see `Inference`), so an error runs through to the answer.
 */
export function noisySolution(problem: Problem, rates: NoiseRates, random: Random): Solution {
  const unit = unitOf(problem);
  const readings = problem.readings.map((reading) => {
    const wrong = random.chance(rates.reading);
    const value = wrong ? misjudge(reading.value, unit, unit === 10 ? 10 : 0, 9 * unit, random) : reading.value;
    return { subject: reading.subject, value };
  });
  const inferences: Inference[] = [];
  for (const inference of problem.inferences) {
    const before = inferences.at(-1);
    const left = before === undefined ? (readings[0]?.value ?? inference.left) : inference.left;
    const right = before === undefined ? (readings[1]?.value ?? inference.right) : before.result;
    const exact = compute(left, inference.op, right);
    const wrong = random.chance(rates.result);
    const result = wrong || !isNumberWord(exact) ? misjudge(exact, unit, -Infinity, Infinity, random) : exact;
    inferences.push({ left, op: inference.op, right, result });
  }
  return { readings, inferences };
}

/** "A = 3 ; C = 5 ; 3 + 5 = 8"; redundant: the steps are repeated. */
export function writeChain(solution: Solution, style: ChainStyle): string {
  const steps = [
    ...solution.readings.map((reading) => `${reading.subject} = ${reading.value}`),
    ...solution.inferences.map((step) => `${step.left} ${step.op} ${step.right} = ${step.result}`),
  ];
  return (style === "concise" ? steps : [...steps, ...steps]).join(" ; ");
}

/** The result of the last inference. Throws where there is none. */
export function answerOf(solution: Solution): string {
  const last = solution.inferences.at(-1);
  if (last === undefined)
    throw new Error("answerOf: the solution holds no inference; its last result would be the answer");
  return String(last.result);
}

/** One solution in the format of the method: "<think> … </think> <answer> … </answer>". */
export function writeSolution(solution: Solution, style: ChainStyle): string {
  return `<think> ${writeChain(solution, style)} </think> <answer> ${answerOf(solution)} </answer>`;
}
