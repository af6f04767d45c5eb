/**
 * The response format: `<think>t1</think> <answer>a1</answer> <reflection>r</reflection> <think>t2</think> <answer>a2</answer>`
 * (SRPO, arXiv 2506.01713v3, section 3.1). Malformed text gives a partial result, never an error: scoring needs the first
 * and the last answer of any text, and the page shows whatever a policy wrote.
 *
 * Two patterns decide what counts as well formed:
 * - `strict` (the paper): the five blocks in order, none blank, only white space between, before and after them;
 * - `released` (the scorer in SUSTechBruce/SRPO_MLLMs): any text may stand before the first block, and a block of spaces
 *   counts as filled.
 */
import type { Segment } from "./types";

export type BlockName = "think" | "answer" | "reflection";
export type FormatPattern = "strict" | "released";

/** A closed block; offsets are UTF-16 positions in the response, `end` exclusive, tags included. */
export interface Block {
  readonly name: BlockName;
  readonly start: number;
  readonly end: number;
  /** Text between the tags, as written. */
  readonly content: string;
}

/** Where a segment speaks: offsets as in `Block`, tags included. A segment may have two spans (its think and its answer). */
export interface SegmentSpan {
  readonly segment: Segment;
  readonly start: number;
  readonly end: number;
}

export interface Solution {
  readonly think: string;
  readonly answer: string;
}

export interface ParsedResponse {
  readonly text: string;
  /** Closed blocks by name, in the order they stand. */
  readonly thinks: readonly Block[];
  readonly answers: readonly Block[];
  readonly reflections: readonly Block[];
  /** First closed think and answer, trimmed; a missing one is ""; null where neither exists. */
  readonly firstSolution: Solution | null;
  /** The first closed reflection, trimmed; null where none is closed. */
  readonly reflection: string | null;
  /** The last answer with the think before it, where there are two answers; else null. */
  readonly refinedSolution: Solution | null;
  readonly firstAnswer: string | null;
  /** The last of two or more answers; null where there are fewer. */
  readonly lastAnswer: string | null;
  /** Exactly one non-blank reflection stands between the first answer and the last (what I_ref asks for). */
  readonly reflectionBetween: boolean;
  readonly spans: readonly SegmentSpan[];
}

interface Tag {
  readonly name: BlockName;
  readonly closing: boolean;
  readonly start: number;
  readonly end: number;
}

/** Parse any text as a response. */
export function parseResponse(text: string): ParsedResponse {
  const thinks = closedBlocks(text, "think");
  const answers = closedBlocks(text, "answer");
  const reflections = closedBlocks(text, "reflection");
  const firstThink = thinks[0];
  const firstAnswer = answers[0];
  const lastAnswer = answers.length >= 2 ? answers[answers.length - 1] : undefined;
  const between =
    firstAnswer && lastAnswer
      ? reflections.filter((r) => r.start >= firstAnswer.end && r.end <= lastAnswer.start && r.content.trim() !== "")
      : [];
  const refinedThink =
    firstAnswer && lastAnswer
      ? thinks.findLast((t) => t.start >= firstAnswer.end && t.end <= lastAnswer.start)
      : undefined;
  return {
    text,
    thinks,
    answers,
    reflections,
    firstSolution:
      firstThink || firstAnswer
        ? { think: firstThink?.content.trim() ?? "", answer: firstAnswer?.content.trim() ?? "" }
        : null,
    reflection: reflections[0]?.content.trim() ?? null,
    refinedSolution: lastAnswer
      ? { think: refinedThink?.content.trim() ?? "", answer: lastAnswer.content.trim() }
      : null,
    firstAnswer: firstAnswer?.content.trim() ?? null,
    lastAnswer: lastAnswer?.content.trim() ?? null,
    reflectionBetween: between.length === 1,
    spans: segmentSpans(text),
  };
}

/** The five blocks of a well-formed response, in order. */
const ORDER: readonly BlockName[] = ["think", "answer", "reflection", "think", "answer"];
const BLOCK_TITLES = ["first <think>", "first <answer>", "<reflection>", "second <think>", "second <answer>"] as const;
const COUNTS: readonly (readonly [BlockName, number])[] = [
  ["think", 2],
  ["answer", 2],
  ["reflection", 1],
];
const NUMBER_WORDS = ["no", "one", "two"] as const;

/**
 * Why the format term is 0, one plain sentence each; empty exactly when the response is well formed under `pattern`.
 */
export function formatReasons(text: string, pattern: FormatPattern = "strict"): readonly string[] {
  if (text.trim() === "") return ["The response is empty."];
  const tags = tagsOf(text);
  const reasons: string[] = [];
  for (const [name, wanted] of COUNTS) {
    const opened = tags.filter((t) => t.name === name && !t.closing).length;
    const closed = tags.filter((t) => t.name === name && t.closing).length;
    const expected = `${NUMBER_WORDS[wanted]} ${wanted === 1 ? "is" : "are"} expected`;
    if (opened !== wanted)
      reasons.push(
        `${opened === 1 ? "There is 1" : opened === 0 ? "There is no" : `There are ${opened}`} <${name}>; ${expected}.`,
      );
    if (opened > closed) reasons.push(`A <${name}> is never closed.`);
    if (closed > opened) reasons.push(`A </${name}> closes nothing.`);
  }
  if (reasons.length === 0 && !tags.every((t, i) => t.closing === (i % 2 === 1) && t.name === ORDER[i >> 1])) {
    const opening = tags
      .filter((t) => !t.closing)
      .map((t) => t.name)
      .join(", ");
    reasons.push(
      opening === ORDER.join(", ")
        ? "Blocks overlap: each must be closed before the next opens."
        : `The blocks stand in the order ${opening}; expected ${ORDER.join(", ")}.`,
    );
  }
  const first = tags[0];
  const last = tags[tags.length - 1];
  if (!first || !last) return [...reasons, "The text stands outside any block."];
  if (pattern === "strict" && text.slice(0, first.start).trim() !== "")
    reasons.push(`Text stands before the first <${first.name}>.`);
  if (last.closing && text.slice(last.end).trim() !== "") reasons.push(`Text stands after the last </${last.name}>.`);
  tags.forEach((tag, i) => {
    const next = tags[i + 1];
    if (!next) return;
    const inside = text.slice(tag.end, next.start);
    if (tag.closing && !next.closing && inside.trim() !== "")
      reasons.push(`Text stands between </${tag.name}> and <${next.name}>.`);
    const blank = pattern === "strict" ? inside.trim() === "" : inside === "";
    if (!tag.closing && next.closing && tag.name === next.name && blank) {
      const title = tags.length === 10 ? (BLOCK_TITLES[i >> 1] ?? `<${tag.name}>`) : `<${tag.name}>`;
      reasons.push(`The ${title} block is empty.`);
    }
  });
  return [...new Set(reasons)];
}

/** The segment at a character position, or null outside the blocks. */
export function segmentAt(spans: readonly SegmentSpan[], position: number): Segment | null {
  return spans.find((s) => position >= s.start && position < s.end)?.segment ?? null;
}

/**
 * The segment of each token string, walking the text in order: works for word tokens, and for subword pieces that carry their
 * own leading space. A token that does not stand at its place in the text (the end-of-sequence token) gets null.
 */
export function tokenSegments(text: string, tokens: readonly string[]): readonly (Segment | null)[] {
  const spans = segmentSpans(text);
  let at = 0;
  return tokens.map((token) => {
    const piece = token.trim();
    if (piece === "") return segmentAt(spans, at);
    while (at < text.length && /\s/.test(text.charAt(at))) at++;
    if (!text.startsWith(piece, at)) return null;
    const segment = segmentAt(spans, at);
    at += piece.length;
    return segment;
  });
}

/** All closed blocks of one name: each opening tag with the next closing tag, as a lazy pattern finds them; linear in the text. */
function closedBlocks(text: string, name: BlockName): readonly Block[] {
  const open = `<${name}>`;
  const close = `</${name}>`;
  const blocks: Block[] = [];
  for (let at = 0; ; ) {
    const start = text.indexOf(open, at);
    const end = start < 0 ? -1 : text.indexOf(close, start + open.length);
    if (end < 0) return blocks;
    at = end + close.length;
    blocks.push({ name, start, end: at, content: text.slice(start + open.length, end) });
  }
}

function tagsOf(text: string): readonly Tag[] {
  return Array.from(text.matchAll(/<(\/?)(think|answer|reflection)>/g), (m) => ({
    name: m[2] as BlockName,
    closing: m[1] === "/",
    start: m.index,
    end: m.index + m[0].length,
  }));
}

/**
 * Segments of any text, closed blocks or not: everything is the first solution until a reflection opens, or until a think or
 * answer opens after an answer has ended; from the end of the reflection on it is the refined solution. An unclosed block
 * reaches to the next opening tag or the end of the text.
 */
function segmentSpans(text: string): readonly SegmentSpan[] {
  const spans: SegmentSpan[] = [];
  let open: { readonly name: BlockName; readonly segment: Segment; readonly start: number } | null = null;
  let answered = false;
  let refining = false;
  const finish = (end: number): void => {
    if (open) spans.push({ segment: open.segment, start: open.start, end });
    if (open?.name === "answer") answered = true;
    if (open?.name === "reflection") refining = true;
    open = null;
  };
  for (const tag of tagsOf(text)) {
    if (tag.closing) {
      if (open?.name === tag.name) finish(tag.end);
      continue;
    }
    finish(tag.start);
    if (answered && tag.name !== "reflection") refining = true;
    const segment: Segment = tag.name === "reflection" ? "reflection" : refining ? "refined" : "first";
    open = { name: tag.name, segment, start: tag.start };
  }
  finish(text.length);
  return spans;
}
