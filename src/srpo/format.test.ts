import { describe, expect, it } from "vitest";
import { parseResponse, segmentAt, tokenSegments } from "./format";
import { formatReasons } from "./formatReasons";
import type { Segment } from "./types";

/** The segment of each white-space separated word. */
function wordSegments(text: string): readonly (Segment | null)[] {
  const { spans } = parseResponse(text);
  return Array.from(text.matchAll(/\S+/g), (word) => segmentAt(spans, word.index));
}

const good =
  "<think> t1 </think> <answer> a1 </answer> <reflection> r </reflection> <think> t2 </think> <answer> a2 </answer>";
const replaced = (from: string, to: string): string => good.replace(from, to);

describe("a well-formed response", () => {
  it("is split into first solution, reflection and refined solution", () => {
    expect(parseResponse(good)).toMatchObject({
      firstSolution: { think: "t1", answer: "a1" },
      reflection: "r",
      refinedSolution: { think: "t2", answer: "a2" },
      firstAnswer: "a1",
      lastAnswer: "a2",
      reflectionBetween: true,
    });
    expect(formatReasons(good)).toEqual([]);
    expect(formatReasons(good, "released")).toEqual([]);
  });
  it("may have white space between, before and after its blocks, or none at all", () => {
    for (const text of [` \n${good}\n`, good.replaceAll("> <", "><"), good.replaceAll(" ", "\n\t")])
      expect(formatReasons(text)).toEqual([]);
  });
  it("gives each segment its spans", () => {
    const { spans } = parseResponse(good);
    expect(spans.map((s) => [s.segment, good.slice(s.start, s.end)])).toEqual([
      ["first", "<think> t1 </think>"],
      ["first", "<answer> a1 </answer>"],
      ["reflection", "<reflection> r </reflection>"],
      ["refined", "<think> t2 </think>"],
      ["refined", "<answer> a2 </answer>"],
    ]);
    expect(segmentAt(spans, good.indexOf("r </refl"))).toBe("reflection");
    expect(segmentAt(spans, good.indexOf(" <answer>"))).toBeNull();
  });
});

describe("reasons, one plain sentence each", () => {
  it.each([
    ["", ["The response is empty."]],
    [
      "8",
      [
        "There is no <think>; two are expected.",
        "There is no <answer>; two are expected.",
        "There is no <reflection>; one is expected.",
        "The text stands outside any block.",
      ],
    ],
    [
      "<think> a </think> <answer> 8 </answer>",
      [
        "There is 1 <think>; two are expected.",
        "There is 1 <answer>; two are expected.",
        "There is no <reflection>; one is expected.",
      ],
    ],
    [`Sure ! ${good}`, ["Text stands before the first <think>."]],
    [`${good} done`, ["Text stands after the last </answer>."]],
    [replaced("</reflection> <think>", "</reflection> so <think>"), ["Text stands between </reflection> and <think>."]],
    [replaced("> r <", "> <"), ["The <reflection> block is empty."]],
    [replaced(" a1 ", ""), ["The first <answer> block is empty."]],
    [replaced("</reflection>", ""), ["A <reflection> is never closed."]],
    [replaced("<reflection>", ""), ["There is no <reflection>; one is expected.", "A </reflection> closes nothing."]],
    [
      replaced("</reflection>", "</reflection> <reflection> s </reflection>"),
      ["There are 2 <reflection>; one is expected."],
    ],
    [
      "<think> a </think> <answer> 1 </answer> <think> b </think> <reflection> r </reflection> <answer> 2 </answer>",
      [
        "The blocks stand in the order think, answer, think, reflection, answer; expected think, answer, reflection, " +
          "think, answer.",
      ],
    ],
    [
      "<think> a <answer> 1 </think> </answer> <reflection> r </reflection> <think> b </think> <answer> 2 </answer>",
      ["Blocks overlap: each must be closed before the next opens."],
    ],
  ])("%j", (text, reasons) => {
    expect(formatReasons(text)).toEqual(reasons);
  });
  it("the released pattern lets text lead, and blanks fill a block", () => {
    expect(formatReasons(`Sure ! ${good}`, "released")).toEqual([]);
    expect(formatReasons(replaced("> r <", "> <"), "released")).toEqual([]);
    expect(formatReasons(replaced("> r <", "><"), "released")).toEqual(["The <reflection> block is empty."]);
    expect(formatReasons(`${good} done`, "released")).toEqual(["Text stands after the last </answer>."]);
  });
});

describe("against patterns written the other way", () => {
  // Any text without a tag in it.
  const filled = String.raw`(?:(?!</?(?:think|answer|reflection)>)[\s\S])`;
  const block = (name: string, inside: string): string => `<${name}>${inside}</${name}>`;
  const five = (inside: string): string =>
    ["think", "answer", "reflection", "think", "answer"].map((name) => block(name, inside)).join("\\s*");
  const strict = new RegExp(`^\\s*${five(`\\s*(?!\\s)${filled}+?`)}\\s*$`);
  const released = new RegExp(`^${filled}*${five(`${filled}+?`)}\\s*$`);
  const pieces = ["<think>", "</think>", "<answer>", "</answer>", "<reflection>", "</reflection>", " ", "x", " "];
  it("agrees on 20,000 damaged responses", () => {
    let state = 1;
    const draw = (below: number): number => {
      state = (state * 48271) % 2147483647;
      return state % below;
    };
    const seen = { strict: 0, released: 0 };
    const disagreed: string[] = [];
    for (let i = 0; i < 20_000; i++) {
      const parts = good.split(/(<[^>]*>)/).filter((part) => part !== "");
      for (let edits = draw(3); edits > 0; edits--)
        parts.splice(draw(parts.length + 1), draw(2), pieces[draw(pieces.length)] ?? "");
      const text = parts.join("");
      const wanted = { strict: strict.test(text), released: released.test(text) };
      if (
        (formatReasons(text).length === 0) !== wanted.strict ||
        (formatReasons(text, "released").length === 0) !== wanted.released
      )
        disagreed.push(text);
      seen.strict += Number(wanted.strict);
      seen.released += Number(wanted.released);
    }
    expect(disagreed).toEqual([]);
    expect(seen.strict).toBeGreaterThan(1000);
    expect(seen.released).toBeGreaterThan(seen.strict);
  });
});

describe("malformed text still has parts", () => {
  it("a lone answer is the first solution; there is nothing to compare it with", () => {
    expect(parseResponse("<think> a </think> <answer> 8 </answer>")).toMatchObject({
      firstSolution: { think: "a", answer: "8" },
      reflection: null,
      refinedSolution: null,
      firstAnswer: "8",
      lastAnswer: null,
      reflectionBetween: false,
    });
  });
  it("of three answers the last one is the refined one", () => {
    expect(parseResponse(`${good} <think> t3 </think> <answer> a3 </answer>`)).toMatchObject({
      refinedSolution: { think: "t3", answer: "a3" },
      lastAnswer: "a3",
      reflectionBetween: true,
    });
  });
  it("a second answer without a think of its own", () => {
    expect(parseResponse("<think> a </think> <answer> 1 </answer> <answer> 2 </answer>").refinedSolution).toEqual({
      think: "",
      answer: "2",
    });
  });
  it("an answer without a think", () => {
    expect(parseResponse("<answer> 1 </answer>").firstSolution).toEqual({ think: "", answer: "1" });
    expect(parseResponse("nothing").firstSolution).toBeNull();
  });
  it("two reflections, an empty one, or one outside the answers do not count", () => {
    expect(
      parseResponse(
        replaced("<reflection> r </reflection>", "<reflection> r </reflection> <reflection> s </reflection>"),
      ).reflectionBetween,
    ).toBe(false);
    expect(parseResponse(replaced("> r <", "> <")).reflectionBetween).toBe(false);
    expect(
      parseResponse("<reflection> r </reflection> <answer> 1 </answer> <answer> 2 </answer>").reflectionBetween,
    ).toBe(false);
  });
  it("takes linear time over many unclosed tags", () => {
    const before = process.cpuUsage();
    const text = "<think>".repeat(100_000);
    parseResponse(text);
    formatReasons(text);
    // Processor time: the clock also counts what else the machine is doing.
    expect(process.cpuUsage(before).user).toBeLessThan(1_000_000);
  });
});

describe("segments of words and tokens", () => {
  it("every word of a good response has one, tags included", () => {
    expect(wordSegments("<think> a </think> so <answer> 1 </answer> <reflection> r")).toEqual([
      "first",
      "first",
      "first",
      null,
      "first",
      "first",
      "first",
      "reflection",
      "reflection",
    ]);
  });
  it("a truncated response is coloured as far as it goes", () => {
    expect(wordSegments("<think> a b")).toEqual(["first", "first", "first"]);
    expect(wordSegments("<think> a <answer> 1 <reflection> r <think> b")).toEqual([
      "first",
      "first",
      "first",
      "first",
      "reflection",
      "reflection",
      "refined",
      "refined",
    ]);
  });
  it("without a reflection, what follows the first answer is the refined solution", () => {
    expect(wordSegments("<think> a </think> <answer> 1 </answer> <think> b")).toEqual([
      "first",
      "first",
      "first",
      "first",
      "first",
      "first",
      "refined",
      "refined",
    ]);
  });
  it("word tokens and the end token", () => {
    const text = "<think> a </think>";
    expect(tokenSegments(text, ["<think>", "a", "</think>", "<|im_end|>"])).toEqual(["first", "first", "first", null]);
  });
  it("subword pieces that split words and carry spaces", () => {
    expect(
      tokenSegments("<think> height </think> x", ["<th", "ink", ">", " hei", "ght", " </", "think>", " x"]),
    ).toEqual(["first", "first", "first", "first", "first", "first", "first", null]);
  });
  it("agree with each other on word tokens", () => {
    for (const text of [good, `Sure ! ${good} done`, replaced("</reflection>", "")])
      expect(tokenSegments(text, text.match(/\S+/g) ?? [])).toEqual(wordSegments(text));
  });
});
