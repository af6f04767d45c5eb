/**
 * Plausible groups for tests and for looking at the page without an engine: bar-chart problems with pictures,
 * responses in the method's format, scores by the paper's values. Made from a seed, so every screenshot is the same.
 */

import { groupAdvantages } from "../../srpo/advantage";
import { scoreResponse } from "../../srpo/score";
import type { RewardConfig, Segment } from "../../srpo/types";
import type { GroupRecord, Phase, ProblemRecord, SampleRecord, SampleScore } from "../../worker/protocol";

export type Random = () => number;

/** Mulberry32: uniform in [0, 1). */
export function random(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const BAR_COLOURS = [
  [66, 110, 196],
  [214, 138, 46],
  [46, 150, 120],
  [150, 90, 170],
] as const;
const NAMES = ["A", "B", "C", "D"] as const;

export function barProblem(seed: number): ProblemRecord {
  const next = random(seed * 7919 + 13);
  const heights = NAMES.map(() => Math.floor(next() * 10));
  const pixels = new Uint8Array(32 * 32 * 3).fill(247);
  const set = (x: number, y: number, colour: readonly number[]): void => pixels.set(colour, (y * 32 + x) * 3);
  heights.forEach((height, bar) => {
    for (let y = 0; y < height * 3; y++)
      for (let x = 0; x < 5; x++) set(2 + bar * 7 + x, 29 - y, BAR_COLOURS[bar] ?? [0, 0, 0]);
  });
  for (let x = 0; x < 32; x++) set(x, 30, [60, 66, 76]);
  const left = Math.floor(next() * 4);
  const right = (left + 1 + Math.floor(next() * 3)) % 4;
  const answer = (heights[left] ?? 0) + (heights[right] ?? 0);
  return {
    id: `bars:train:${seed}`,
    family: "bars",
    picture: { width: 32, height: 32, pixels },
    question: `${NAMES[left]} + ${NAMES[right]} ?`,
    answer: String(answer),
  };
}

const clamp = (value: number): number => Math.max(0, Math.min(9, value));

/** The policy's words for one problem, better with `skill` in [0, 1]. */
function respond(
  problem: ProblemRecord,
  skill: number,
  next: Random,
): { words: string[]; segments: (Segment | null)[] } {
  const [left = "A", , right = "C"] = problem.question.split(" ");
  const answer = Number(problem.answer);
  const trueLeft = clamp(Math.floor(answer / 2));
  const trueRight = answer - trueLeft;
  const slip = (): number => (next() < 0.34 * (1 - skill) ? (next() < 0.5 ? -1 : 1) : 0);
  const readLeft = clamp(trueLeft + slip());
  const readRight = clamp(trueRight + slip());
  const first = readLeft + readRight;
  const think1 = `${left} = ${readLeft} ; ${right} = ${readRight} ; ${readLeft} + ${readRight} = ${first}${next() < 0.3 ? ` ; so ${readLeft} + ${readRight} = ${first}` : ""}`;
  const sees = next() < 0.45 + 0.5 * skill;
  const second = sees ? answer : clamp(first + (next() < 0.3 ? 1 : 0));
  const firstRight = first === answer;
  const reflection =
    firstRight && second === answer
      ? "all good"
      : sees && readLeft !== trueLeft
        ? `check ${left} ; it is ${trueLeft} not ${readLeft}`
        : sees
          ? `check ${right} ; it is ${trueRight} not ${readRight}`
          : "check again ; the sum is right";
  const think2 = `${left} = ${trueLeft} ; ${right} = ${second - trueLeft} ; ${trueLeft} + ${second - trueLeft} = ${second}`;
  const wellFormed = next() < 0.93;
  const words: string[] = [];
  const segments: (Segment | null)[] = [];
  const say = (text: string, segment: Segment | null): void => {
    for (const word of text.split(" ")) {
      words.push(word);
      segments.push(segment);
    }
  };
  const block = (tag: string, text: string, segment: Segment): void => {
    say(`<${tag}>`, segment);
    say(text, segment);
    say(`</${tag}>`, segment);
  };
  block("think", think1, "first");
  block("answer", String(first), "first");
  if (wellFormed) block("reflection", reflection, "reflection");
  block("think", think2, "refined");
  block("answer", String(second), "refined");
  say("<|im_end|>", null);
  return { words, segments };
}

export function score(text: string, answer: string, reward: RewardConfig): SampleScore {
  const { parsed: _parsed, ...rest } = scoreResponse(text, answer, reward);
  return rest;
}

export interface FixtureOptions {
  readonly seed: number;
  readonly skill: number;
  readonly groupSize: number;
  readonly phase: Phase | null;
  readonly reward: RewardConfig;
}

export function group({ seed, skill, groupSize, phase, reward }: FixtureOptions): GroupRecord {
  const problem = barProblem(seed);
  const next = random(seed * 31 + Math.round(skill * 1000));
  const responses = Array.from({ length: groupSize }, () => respond(problem, skill, next));
  return finish(
    problem,
    responses.map(({ words, segments }) => {
      const logprobs = words.map((word) =>
        word.startsWith("<") ? -0.02 * next() : -(next() ** 3) * 2.2 * (1.1 - skill),
      );
      const entropies = logprobs.map((logprob) => -logprob * (0.5 + next()));
      const text = words.slice(0, -1).join(" ");
      return {
        text,
        tokens: words,
        tokenIds: words.map((_, at) => at),
        logprobs,
        entropies,
        segments,
        finished: true,
        score: score(text, problem.answer, reward),
      };
    }),
    phase,
    next,
  );
}

/** Keep what the phases up to `phase` have made; null is a sampled group: scored and normalised, not trained on. */
export function finish(
  problem: ProblemRecord,
  scored: readonly SampleRecord[],
  phase: Phase | null,
  next: Random,
): GroupRecord {
  const bare = ({ score: _score, ...sample }: SampleRecord): SampleRecord => sample;
  if (phase === "rollout") return { problem, samples: scored.map(bare) };
  if (phase === "score") return { problem, samples: scored };
  const totals = scored.map(({ score }) => (score && "terms" in score ? score.terms.total : null));
  const { advantages, mean, std, flat } = groupAdvantages(totals, "srpo");
  const samples = scored.map((sample, row): SampleRecord => {
    const advantage = advantages[row] ?? 0;
    const after = {
      logprobsAfter: sample.logprobs.map((logprob) => Math.min(-1e-4, logprob + advantage * 0.02 * (0.3 + next()))),
    };
    return { ...sample, advantage, ...(phase === "update" ? after : {}) };
  });
  return { problem, samples, normalised: { mean, std, flat } };
}
