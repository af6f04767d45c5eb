/**
 * The failure buffer, after VRRL (arXiv 2607.02490 and its code): first solutions of earlier steps are kept, mostly
 * wrong ones, and a share of a step's groups begins after one of them, at the reflection. The loss covers the
 * continuation only: the recovery is trained, the mistake is not (VRRL's `mask_buffer_prefix`, which its launcher
 * leaves off; its random start masks so too).
 *
 * Departures: VRRL draws a mode for each question; here a step has a fixed number of such groups, so that one step is
 * like the next. An entry is used once.
 */
export interface FailureOptions {
  /** Share of a step's groups that begin from the buffer. */
  readonly share: number;
  /** Entries held; the oldest go first. */
  readonly capacity: number;
  /** Entries are not drawn when older than this many steps. */
  readonly maxAge: number;
  /** Nothing is drawn before the buffer holds so many. */
  readonly minimum: number;
  /** Share of wrong first solutions among those drawn. */
  readonly wrongShare: number;
  /** First solutions of one group that are kept at most. */
  readonly perGroup: number;
}

/** Groups of a step that are to begin from the buffer. */
export function failureGroups({ share }: Pick<FailureOptions, "share">, prompts: number): number {
  return Math.round(share * prompts);
}

/** What a run has to say of a buffer that it fills and never draws from; null where it draws, or has none. */
export function undrawnFailures(options: Pick<FailureOptions, "share"> | null, prompts: number): string | null {
  if (options === null || failureGroups(options, prompts) > 0) return null;
  return (
    `grpo.failures.share ${options.share} of ${prompts} ${prompts === 1 ? "prompt" : "prompts"} rounds to 0 groups: ` +
    `nothing is ever drawn from the failure buffer. Raise the share to ${Number((0.5 / prompts).toPrecision(3))} or ` +
    "more, raise grpo.prompts, or set grpo.failures to null."
  );
}

/** What the rules need to know of an entry. */
export interface FailureEntry {
  readonly right: boolean;
  readonly step: number;
}

/**
 * Which entries begin groups of a step, without repetition. Where one kind has run out, the other serves.
 * @param count groups wanted
 * @param uniform number `draw` of a uniform stream in (0, 1), for the kind and for the entry
 */
export function failureDraws(
  entries: readonly FailureEntry[],
  step: number,
  count: number,
  { maxAge, minimum, wrongShare }: FailureOptions,
  uniform: (draw: number, what: "kind" | "entry") => number,
): number[] {
  if (entries.length < minimum) return [];
  const left = entries.flatMap((entry, index) => (step - entry.step <= maxAge ? [index] : []));
  const drawn: number[] = [];
  for (let draw = 0; draw < count && left.length > 0; draw++) {
    const wantsRight = uniform(draw, "kind") >= wrongShare;
    const kind = left.filter((index) => entries[index]?.right === wantsRight);
    const pool = kind.length > 0 ? kind : left;
    const index = pool[Math.floor(uniform(draw, "entry") * pool.length)] ?? pool[0];
    if (index === undefined) break;
    drawn.push(index);
    left.splice(left.indexOf(index), 1);
  }
  return drawn;
}
