/** What teachers answer besides the three blocks: parts, refusals, nothing, hidden thinking; and pauses as dates. */
import { describe, expect, test } from "vitest";
import { chatAnswer } from "./chatAnswer";
import { retryAfter } from "./retryAfter";
import { visibleAnswer } from "./visibleAnswer";

const completion = (message: object, finish: string | null = "stop"): unknown => ({
  choices: [{ message, finish_reason: finish }],
  usage: { prompt_tokens: 7, completion_tokens: 3 },
});

describe("chat completions", () => {
  test.each<[string, object, string | null, string]>([
    ["text", { content: "well" }, "stop", "well"],
    [
      "parts",
      {
        content: [
          { type: "text", text: "we" },
          { type: "text", text: "ll" },
        ],
      },
      "stop",
      "well",
    ],
    ["strings", { content: ["we", "ll"] }, "stop", "well"],
    [
      "thinking in parts of its own",
      {
        content: [
          { type: "thinking", thinking: "hm" },
          { type: "reasoning", text: "hm" },
          { type: "text", text: "well" },
        ],
      },
      "stop",
      "well",
    ],
    ["thinking in a field of its own", { content: "well", reasoning_content: "hm", reasoning: "hm" }, "stop", "well"],
    ["null beside it", { content: "well", refusal: null }, null, "well"],
  ])("%s is an answer", (_what, message, finish, text) => {
    expect(chatAnswer(completion(message, finish))).toEqual({
      text,
      refused: null,
      promptTokens: 7,
      completionTokens: 3,
    });
  });

  test.each<[string, object, string | null, RegExp]>([
    ["null content", { content: null }, "stop", /^the teacher's answer was empty \(finish_reason stop\)$/],
    ["no content", {}, null, /^the teacher's answer was empty$/],
    ["all spent on thinking", { content: "", reasoning_content: "…" }, "length", /empty \(finish_reason length\)/],
    ["an empty list", { content: [] }, "stop", /empty/],
    ["a refusal", { content: null, refusal: "I can't help." }, "stop", /^the teacher refused: I can't help\.$/],
    ["a refusal as a part", { content: [{ type: "refusal", refusal: "No." }] }, "stop", /refused: No\./],
    ["a filter", { content: "wel" }, "content_filter", /was filtered/],
    ["a refusal of megabytes", { content: "", refusal: "x".repeat(5e6) }, "stop", /^.{0,200}\(5,000,000 characters\)$/],
  ])("%s is none", (_what, message, finish, refused) => {
    expect(chatAnswer(completion(message, finish))).toMatchObject({
      refused: expect.stringMatching(refused),
      promptTokens: 7,
    });
  });

  test("tokens that the server does not count are 0; what is no completion is null", () => {
    const uncounted = {
      choices: [{ message: { content: "x" } }],
      usage: { prompt_tokens: null, completion_tokens: 2 },
    };
    expect(chatAnswer(uncounted)).toMatchObject({ text: "x", promptTokens: 0, completionTokens: 2 });
    expect(chatAnswer({ choices: [{ message: { content: "x" } }], usage: "none" })).toMatchObject({ promptTokens: 0 });
    for (const other of [null, {}, { error: { message: "quota" } }, { choices: [] }, { choices: [{}] }])
      expect(chatAnswer(other)).toBeNull();
  });
});

describe("hidden thinking is no part of the answer", () => {
  const blocks = "<reflection> R </reflection>\n<think> T </think>\n<answer> A </answer>";
  test.each<[string, string]>([
    ["none", blocks],
    ["words before", `Here it is, as 1 < 2:\n${blocks}`],
    ["thinking before", `<think>\nThe answer is A.\n</think>\n\n${blocks}`],
    ["words after thinking", `<think>hm</think>\nHere it is:\n${blocks}`],
    ["thinking without its opening", `The answer is A.\n</think>\n${blocks}`],
    ["other names", `<thinking>hm</thinking>${blocks}`],
    ["a draft inside", `<think> I would write ${blocks}. Good. </think> ${blocks}`],
    ["tags named inside", `<think> first <reflection>, then <think> and <answer> </think>${blocks}`],
    ["empty thinking", `<think>\n\n</think>\n\n${blocks}`],
  ])("%s", (_what, text) => {
    expect(visibleAnswer(text)).toEqual({ text: blocks });
  });

  test.each<[string, string, RegExp]>([
    ["thinking that does not end", `<think> hm`, /hidden thinking does not end/],
    ["thinking that runs into the blocks", `<think> hm ${blocks}`, /hidden thinking does not end/],
    ["no reflection", "<think> T </think> <answer> A </answer>", /could not be parsed/],
    ["a block twice", `${blocks} <answer> B </answer>`, /could not be parsed/],
    [
      "a block in a block",
      "<reflection> r <think> x </reflection> <think> T </think> <answer> A </answer>",
      /could not/,
    ],
    ["an open block", "<reflection> R </reflection> <think> T </think> <answer> A", /could not be parsed/],
    ["nothing", "", /could not be parsed/],
  ])("%s is discarded", (_what, text, fault) => {
    expect(visibleAnswer(text)).toEqual({ fault: expect.stringMatching(fault) });
  });
});

describe("the pause that a server asks for", () => {
  const now = Date.UTC(2026, 10, 28, 12, 0, 0);
  test.each<[Record<string, string>, number | null]>([
    [{ "retry-after": "17" }, 17],
    [{ "retry-after": " 0 " }, 0],
    [{ "retry-after": "1.5" }, 1.5],
    [{ "retry-after": "Sat, 28 Nov 2026 12:00:30 GMT" }, 30],
    [{ "retry-after": "Saturday, 28-Nov-26 12:00:30 GMT" }, 30],
    [{ "retry-after": "Sat Nov 28 12:00:30 2026 GMT" }, 30],
    [{ "retry-after": "Sat, 28 Nov 2026 11:00:00 GMT" }, 0],
    [{ "retry-after-ms": "250", "retry-after": "17" }, 0.25],
    [{ "retry-after": "" }, null],
    [{ "retry-after": "-5" }, null],
    [{ "retry-after": "soon" }, null],
    [{ "retry-after": "1e9" }, null],
    [{}, null],
  ])("%j", (headers, seconds) => {
    expect(retryAfter(new Headers(headers), now)).toBe(seconds);
  });
});
