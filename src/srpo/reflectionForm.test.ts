/** The forms of reflection: what is read, what is well formed, and what several rounds are worth. */
import { describe, expect, it } from "vitest";
import { explainTerm } from "./explain";
import { transitionsIn } from "./facts";
import { parseResponse, tokenRounds, tokenSegments } from "./format";
import { formatReasons } from "./formatReasons";
import { openerOf, PAPER_FORM, type ReflectionForm, triggerPattern, writeReflection } from "./reflectionForm";
import { defaultRewardConfig } from "./reward";
import { countWords, scoreResponse } from "./score";

const solution = (answer: string): string => `<think> t ${answer} </think> <answer> ${answer} </answer>`;
/** A response with these answers and a reflection between each two, in a form. */
const response = (form: ReflectionForm, ...answers: readonly string[]): string =>
  answers.map((answer, i) => `${i === 0 ? "" : `${writeReflection(`r${i}`, form)} `}${solution(answer)}`).join(" ");
const reasons = (text: string, form: ReflectionForm): readonly string[] => formatReasons(text, "strict", form);

describe("other tag names", () => {
  const check: ReflectionForm = { ...PAPER_FORM, tag: "check" };
  const text = response(check, "1", "2");
  it("stand where the paper's stand", () => {
    expect(text).toContain("<check> r1 </check>");
    expect(reasons(text, check)).toEqual([]);
    expect(parseResponse(text, check)).toMatchObject({ reflection: "r1", reflectionBetween: true });
    expect(tokenSegments(text, text.split(" "), check).filter((segment) => segment === "reflection")).toHaveLength(3);
  });
  it("are the only ones that count: the paper's tags are then plain text", () => {
    expect(reasons(response(PAPER_FORM, "1", "2"), check)).toEqual([
      "There is no <check>; one is expected.",
      "Text stands between </answer> and <think>.",
    ]);
    expect(reasons(text, PAPER_FORM)[0]).toBe("There is no <reflection>; one is expected.");
  });
});

describe("a trigger", () => {
  const wait: ReflectionForm = { ...PAPER_FORM, kind: "trigger", trigger: "Wait , is it right ?" };
  const text = response(wait, "1", "2");
  it("opens what stands between an answer and the next think", () => {
    expect(text).toBe(
      "<think> t 1 </think> <answer> 1 </answer> Wait , is it right ? r1 <think> t 2 </think> <answer> 2 </answer>",
    );
    expect(reasons(text, wait)).toEqual([]);
    expect(formatReasons(text, "released", wait)).toEqual([]);
    expect(parseResponse(text, wait)).toMatchObject({ reflection: "r1", reflectionBetween: true });
    const { terms, facts } = scoreResponse(text, "2", defaultRewardConfig, countWords, wait);
    expect(terms).toMatchObject({ format: 0.5, accuracy: 0, effectiveness: 0.5, reflectionFormat: 0.25 });
    // The tag pair's two tokens are gone, the trigger's six are there.
    expect(facts).toMatchObject({ lengthTokens: 21, baseTokens: 3 });
  });
  it("is a part of the reflection's segment, and no other text is", () => {
    const segments = tokenSegments(text, text.split(" "), wait);
    expect(segments.map((segment) => segment?.slice(0, 3)).join(" ")).toBe(
      `${"fir ".repeat(7)}${"ref ".repeat(7)}${"ref ".repeat(7)}`.trim(),
    );
    expect(segments.slice(7, 14)).toEqual(Array(7).fill("reflection"));
    const cut = text.slice(0, text.indexOf(" r1") + 3);
    expect(tokenSegments(cut, cut.split(" "), wait).at(-1)).toBe("reflection");
  });
  it("may have other white space between its words, and ends with a whole word", () => {
    expect(reasons(text.replace("Wait , is", "\n\nWait ,\n is"), wait)).toEqual([]);
    expect(triggerPattern("Wait").exec("Waiter")).toBeNull();
    expect([openerOf(PAPER_FORM), openerOf(wait)]).toEqual(["<reflection>", "Wait , is it right ?"]);
    expect(triggerPattern("(a+)?").exec(" (a+)? b")?.[0]).toBe(" (a+)?");
  });
  it.each([
    ["Wait , is it right ? r1", "", ["There is no “Wait , is it right ?”; one is expected."]],
    [
      "Wait , is it",
      "Well , is it",
      ["There is no “Wait , is it right ?”; one is expected.", "Text stands between </answer> and <think>."],
    ],
    [" r1", "", ["Nothing follows “Wait , is it right ?”."]],
    [
      "r1 <think> t 2 </think> <answer> 2 </answer>",
      "r1",
      [
        "There is 1 <think>; two are expected.",
        "There is 1 <answer>; two are expected.",
        "No <think> follows the reflection that begins with “Wait , is it right ?”.",
      ],
    ],
  ])("%j → %j gives its reasons", (from, to, expected) => {
    expect(reasons(text.replace(from, to), wait)).toEqual(expected);
  });
  it("without a reflection pays neither I_eff nor I_ref", () => {
    const { terms } = scoreResponse(text.replace("Wait", "Well"), "2", defaultRewardConfig, countWords, wait);
    expect(terms).toMatchObject({ format: 0, effectiveness: 0, reflectionFormat: 0 });
  });
});

describe("several rounds", () => {
  const three: ReflectionForm = { ...PAPER_FORM, rounds: 3 };
  it("1 to n of them are well formed, and no more", () => {
    expect(reasons(response(three, "1", "2"), three)).toEqual([]);
    expect(reasons(response(three, "1", "2", "3"), three)).toEqual([]);
    expect(reasons(response(three, "1", "2", "3", "4"), three)).toEqual([]);
    expect(reasons(response(three, "1", "2", "3", "4", "5"), three)).toEqual([
      "There are 5 <think>; four are expected.",
      "There are 5 <answer>; four are expected.",
      "There are 4 <reflection>; three are expected.",
    ]);
    expect(reasons(solution("1"), three)).toEqual(formatReasons(solution("1")));
    const worded: ReflectionForm = { ...three, kind: "trigger", trigger: "hm" };
    expect(reasons(response(worded, "1", "2", "3"), worded)).toEqual([]);
    expect(reasons(response(three, "1", "2", "3").replace(" r2 ", " "), three)).toEqual([
      "The second <reflection> block is empty.",
    ]);
  });
  it("first is the first answer, refined the last, and each round has its transition", () => {
    const { facts, rounds, ...score } = scoreResponse(
      response(three, "8", "7", "8", "8"),
      "8",
      defaultRewardConfig,
      countWords,
      three,
    );
    expect(score).toMatchObject({
      firstRight: true,
      refinedRight: true,
      transition: "kept",
      firstSolution: { answer: "8" },
      refinedSolution: { think: "t 8", answer: "8" },
    });
    expect(transitionsIn(facts, "equivalent")).toEqual(["spoilt", "fixed", "kept"]);
    expect(rounds).toEqual([
      { reflection: "r1", solution: { think: "t 7", answer: "7" }, transition: "spoilt" },
      { reflection: "r2", solution: { think: "t 8", answer: "8" }, transition: "fixed" },
      { reflection: "r3", solution: { think: "t 8", answer: "8" }, transition: "kept" },
    ]);
    expect(score.gradeReasons.equivalent.between).toHaveLength(2);
  });
  it("the last round is paid: spoiling an answer and repairing it earns more than keeping it", () => {
    const total = (...answers: readonly string[]): number =>
      scoreResponse(response(three, ...answers), "8", { ...defaultRewardConfig, lengthWeight: 0 }, countWords, three)
        .terms.total;
    expect(total("8", "8")).toBe(1.5);
    expect(total("8", "8", "8")).toBe(1.5);
    expect(total("7", "7", "8")).toBe(1.25);
    expect(total("7", "8", "7")).toBe(0.5); // 0.5 format − 0.25 + 0.25
    expect(total("8", "7", "8")).toBe(1.75);
    const official = { ...defaultRewardConfig, variant: "official", lengthWeight: 0 } as const;
    const paid = (...answers: readonly string[]): number =>
      scoreResponse(response(three, ...answers), "8", official, countWords, three).terms.total;
    // As the released scorer pays the pair of answers of the last round.
    expect([paid("7", "8", "8"), paid("8", "7", "8"), paid("7", "8", "7"), paid("8", "7", "7")]).toEqual([
      1.25, 1.5, 0.75, 0.5,
    ]);
  });
  it("every round needs its reflection", () => {
    const bare = response(three, "7", "8", "8").replace("<reflection> r1 </reflection> ", "");
    const { terms, facts } = scoreResponse(bare, "8", defaultRewardConfig, countWords, three);
    expect(terms).toMatchObject({ effectiveness: 0, reflectionFormat: 0 });
    expect(explainTerm("effectiveness", facts, defaultRewardConfig).sentence).toMatch(/^A round lacks/);
  });
  it("answers beyond the last allowed round leave the last answer as the refined one", () => {
    const { rounds } = parseResponse(response(three, "1", "2", "3", "4", "5"), three);
    expect(rounds.map(({ solution: { answer } }) => answer)).toEqual(["2", "3", "5"]);
    expect(rounds.at(-1)?.reflection).toBeNull();
  });
  it("the page can tell the rounds' tokens apart, and is told which round was paid", () => {
    const text = response(three, "8", "7", "8");
    const words = text.split(" ");
    const rounds = tokenRounds(text, words, three);
    expect(rounds).toEqual([...Array(7).fill(0), ...Array(10).fill(1), ...Array(10).fill(2)]);
    const { facts } = scoreResponse(text, "8", defaultRewardConfig, countWords, three);
    expect(explainTerm("effectiveness", facts, defaultRewardConfig).sentence).toBe(
      "In the last of 2 rounds, fixed a wrong answer: +0.5.",
    );
    expect(explainTerm("format", facts, defaultRewardConfig).sentence).toMatch(/^All eight blocks/);
    expect(explainTerm("reflectionFormat", facts, defaultRewardConfig).sentence).toMatch(/^Every round/);
  });
  it("one allowed round reads a longer response as before: from the first answer to the last", () => {
    const { facts, transition, rounds } = scoreResponse(response(PAPER_FORM, "7", "7", "8"), "8", defaultRewardConfig);
    expect(transition).toBe("fixed");
    expect(facts.right.equivalent).toEqual({ first: false, refined: true });
    expect(rounds).toBeUndefined();
  });
});
