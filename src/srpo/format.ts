/**
 * The response format: `<think>t1</think> <answer>a1</answer> <reflection>r</reflection> <think>t2</think>
 * <answer>a2</answer>` (SRPO, arXiv 2506.01713v3, section 3.1). Malformed text gives a partial result, never an error:
 * scoring needs the first and the last answer of any text, and the page shows whatever a policy wrote. A run may choose
 * another form of reflection (reflectionForm.ts); every function here takes it, by default the paper's.
 *
 * Two patterns decide what counts as well formed:
 * - `strict` (the paper): the five blocks in order, none blank, only white space between, before and after them; with
 *   several rounds, a reflection and a solution more for each round;
 * - `released` (the scorer in SUSTechBruce/SRPO_MLLMs): any text may stand before the first block, and a block of
 *   spaces counts as filled.
 */
import { PAPER_FORM, type ReflectionForm } from "./reflectionForm";
import { type BlockName, type Tag, tagsOf } from "./tags";
import type { Segment } from "./types";

export type FormatPattern = "strict" | "released";

/** A closed block; offsets are UTF-16 positions in the response, `end` exclusive, tags included. */
export interface Block {
  readonly name: BlockName;
  readonly start: number;
  readonly end: number;
  /** Text between the tags, as written. */
  readonly content: string;
}

/**
 * Where a segment speaks: offsets as in `Block`, tags included. A segment may have two spans (its think and its
 * answer).
 */
export interface SegmentSpan {
  readonly segment: Segment;
  /** 0: the first solution; r: the r-th reflection and the solution that follows from it. */
  readonly round: number;
  readonly start: number;
  readonly end: number;
}

export interface Solution {
  readonly think: string;
  readonly answer: string;
}

/** One reflection and the solution that follows from it. */
export interface Round {
  /** The only non-blank reflection between two answers, trimmed; null where there is none, or more than one. */
  readonly reflection: string | null;
  readonly solution: Solution;
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
  /**
   * The rounds of reflection; none where there are fewer than two answers. They end at the first answers after the
   * first solution, one a round, and the last one ends at the last answer: under one round it leads from the first
   * answer to the last, whatever stands between.
   */
  readonly rounds: readonly Round[];
  /** In every round exactly one non-blank reflection stands between the two answers (what I_ref asks for). */
  readonly reflectionBetween: boolean;
  readonly spans: readonly SegmentSpan[];
}

/** Parse any text as a response. */
export function parseResponse(text: string, form: ReflectionForm = PAPER_FORM): ParsedResponse {
  const tags = tagsOf(text, form);
  const thinks = closedBlocks(text, tags, "think");
  const answers = closedBlocks(text, tags, "answer");
  const reflections = closedBlocks(text, tags, "reflection");
  const firstThink = thinks[0];
  const firstAnswer = answers[0];
  const lastAnswer = answers.length >= 2 ? answers[answers.length - 1] : undefined;
  const ends = lastAnswer ? [...answers.slice(1, -1).slice(0, form.rounds - 1), lastAnswer] : [];
  const rounds = ends.map((end, i): Round => {
    const from = (i === 0 ? firstAnswer?.end : ends[i - 1]?.end) ?? 0;
    const inRound = ({ start, end: stop }: Block): boolean => start >= from && stop <= end.start;
    const said = reflections.filter((r) => inRound(r) && r.content.trim() !== "");
    return {
      reflection: said.length === 1 ? (said[0]?.content.trim() ?? null) : null,
      solution: { think: thinks.findLast(inRound)?.content.trim() ?? "", answer: end.content.trim() },
    };
  });
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
    refinedSolution: rounds.at(-1)?.solution ?? null,
    firstAnswer: firstAnswer?.content.trim() ?? null,
    lastAnswer: lastAnswer?.content.trim() ?? null,
    rounds,
    reflectionBetween: rounds.length > 0 && rounds.every(({ reflection }) => reflection !== null),
    spans: segmentSpans(text, tags, form.rounds),
  };
}

/** The segment at a character position, or null outside the blocks. */
export function segmentAt(spans: readonly SegmentSpan[], position: number): Segment | null {
  return spanAt(spans, position)?.segment ?? null;
}

/**
 * The segment of each token string, walking the text in order: works for word tokens, and for subword pieces that carry
 * their own leading space. A token that does not stand at its place in the text (the end-of-sequence token) gets null.
 */
export function tokenSegments(
  text: string,
  tokens: readonly string[],
  form: ReflectionForm = PAPER_FORM,
): readonly (Segment | null)[] {
  return tokenSpans(text, tokens, form).map((span) => span?.segment ?? null);
}

/** The round of each token (see `SegmentSpan`), 0 outside the blocks; as `tokenSegments`. */
export function tokenRounds(text: string, tokens: readonly string[], form: ReflectionForm): readonly number[] {
  return tokenSpans(text, tokens, form).map((span) => span?.round ?? 0);
}

function tokenSpans(text: string, tokens: readonly string[], form: ReflectionForm): readonly (SegmentSpan | null)[] {
  const spans = segmentSpans(text, tagsOf(text, form), form.rounds);
  let at = 0;
  return tokens.map((token) => {
    const piece = token.trim();
    if (piece === "") return spanAt(spans, at);
    while (at < text.length && /\s/.test(text.charAt(at))) at++;
    if (!text.startsWith(piece, at)) return null;
    const span = spanAt(spans, at);
    at += piece.length;
    return span;
  });
}

function spanAt(spans: readonly SegmentSpan[], position: number): SegmentSpan | null {
  return spans.find((s) => position >= s.start && position < s.end) ?? null;
}

/**
 * All closed blocks of one name: each opening tag with the next closing tag, as a lazy pattern finds them; linear in
 * the text.
 */
function closedBlocks(text: string, tags: readonly Tag[], name: BlockName): readonly Block[] {
  const blocks: Block[] = [];
  let open: Tag | null = null;
  for (const tag of tags) {
    if (tag.name !== name) continue;
    if (!tag.closing) open ??= tag;
    else if (open !== null) {
      blocks.push({ name, start: open.start, end: tag.end, content: text.slice(open.end, tag.start) });
      open = null;
    }
  }
  return blocks;
}

/**
 * Segments of any text, closed blocks or not: everything is the first solution until a reflection opens, or until a
 * think or answer opens after an answer has ended; from the end of the reflection on it is the refined solution, and
 * further reflections and solutions are further rounds, up to `rounds`. An unclosed block reaches to the next opening
 * tag or the end of the text.
 */
function segmentSpans(text: string, tags: readonly Tag[], rounds: number): readonly SegmentSpan[] {
  const spans: SegmentSpan[] = [];
  let open: { readonly tag: Tag; readonly segment: Segment; readonly round: number } | null = null;
  let round = 0;
  let answered = false;
  let refining = false;
  const finish = (end: number): void => {
    if (open) spans.push({ segment: open.segment, round: open.round, start: open.tag.start, end });
    if (open?.tag.name === "answer") answered = true;
    if (open?.tag.name === "reflection") refining = true;
    open = null;
  };
  for (const tag of tags) {
    if (tag.closing) {
      if (open?.tag.name === tag.name) finish(tag.end);
      continue;
    }
    finish(tag.start);
    const reflects = tag.name === "reflection";
    if (answered || (reflects && round === 0)) {
      round = Math.min(rounds, round + 1);
      answered = false;
      refining ||= !reflects;
    }
    open = { tag, segment: reflects ? "reflection" : refining ? "refined" : "first", round };
  }
  finish(text.length);
  return spans;
}
