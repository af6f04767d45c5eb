/**
 * `npm run bench:grader`: the equivalent grader on the labelled pairs: right answers accepted and wrong ones refused,
 * by kind; then the time per pair, over those pairs and over long hostile texts. Another file of {answer, gold, right,
 * kind} can be named on the command line.
 */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { gradeAnswer } from "../srpo/grader/grader";

const pairSchema = z.object({ answer: z.string(), gold: z.string(), right: z.boolean(), kind: z.string() });
type Pair = z.output<typeof pairSchema>;

/** The most expensive answers: at the bounds of length, nesting, members and work. */
const HOSTILE: readonly (readonly [string, string])[] = [
  [`${"(".repeat(190)}x${")".repeat(190)}`, "x"],
  [`${"\\frac{1}{".repeat(18)}x${"}".repeat(18)}`, "x"],
  [
    Array.from({ length: 30 }, (_, n) => `sqrt(${n}+x)`).join(", "),
    Array.from({ length: 30 }, (_, n) => `sqrt(x+${29 - n})`).join(", "),
  ],
  [Array.from({ length: 30 }, (_, n) => n).join(","), Array.from({ length: 30 }, (_, n) => 29 - n).join(",")],
  ["((x+y)^40+(x-y)^40)^40/((x+1)^39+y^39)^39", "((y+x)^40+(x-y)^40)^40/((x+1)^39+y^39)^39"],
  ["9^9^9^9^9", "9^9^9^9"],
  ["60!".repeat(20), "60!"],
  [Array.from({ length: 70 }, () => "x^2").join("+"), `70x^2`],
  ["1,".repeat(199), "1"],
  ["$".repeat(400), "8"],
  ["a or ".repeat(79), "a"],
  ["5 ft ".repeat(60), "5 ft"],
];

const path = process.argv[2] ?? "src/srpo/golden/grader_pairs.jsonl";
const pairs = readFileSync(path, "utf8")
  .trim()
  .split("\n")
  .map((line) => pairSchema.parse(JSON.parse(line)));

const kinds = [...new Set(pairs.map(({ kind }) => kind))].sort();
const count = (of: readonly Pair[], wanted: boolean): string => {
  const labelled = of.filter(({ right }) => right === wanted);
  const agreed = labelled.filter(({ answer, gold }) => gradeAnswer(answer, gold, "equivalent").right === wanted);
  return labelled.length === 0 ? "–" : `${agreed.length} / ${labelled.length}`;
};
const lines = [...kinds, null].map((kind) => {
  const of = pairs.filter((pair) => kind === null || pair.kind === kind);
  return `| ${kind ?? "all"} | ${count(of, true)} | ${count(of, false)} |`;
});

/** Milliseconds of each pair, the shortest of three runs after a warm-up: other processes only ever add time. */
function times(texts: readonly (readonly [string, string])[]): readonly number[] {
  for (const [answer, gold] of texts) for (let n = 0; n < 20; n++) gradeAnswer(answer, gold, "equivalent");
  return texts
    .map(([answer, gold]) =>
      Math.min(
        ...[0, 1, 2].map(() => {
          const start = performance.now();
          gradeAnswer(answer, gold, "equivalent");
          return performance.now() - start;
        }),
      ),
    )
    .sort((a, b) => a - b);
}

function summary(name: string, sorted: readonly number[]): string {
  const at = (share: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(3);
  return `| ${name} | ${sorted.length} | ${at(0.5)} | ${at(0.99)} | ${at(1)} |`;
}

process.stdout.write(
  [
    "| kind | right accepted | wrong refused |",
    "|---|---|---|",
    ...lines,
    "",
    "| time per pair, ms | pairs | median | p99 | max |",
    "|---|---|---|---|---|",
    summary("labelled", times(pairs.map(({ answer, gold }) => [answer, gold] as const))),
    summary("hostile", times(HOSTILE)),
    "",
  ].join("\n"),
);
