/**
 * Forced rethinking (VL-Rethinker, arXiv 2504.08837v3, section 4.2): a fraction of the responses is continued after a
 * trigger that asks for a second look; continuations whose answer is right are trained on by likelihood, beside the
 * objective, with a small weight.
 *
 * The paper's triggers are sentences such as "Wait, does it seem right?" after the whole response. A policy of this
 * project reflects in a block of its own, so the response is cut after its first solution, and the natural trigger is
 * what opens a reflection in the run's form (reflectionForm.ts); another is taken where the tokenizer has its words.
 * Departures from the released code: the kept ones do not replace a sampled response of their group, whose advantages
 * stay those of the samples; and the trigger does not depend on whether the first answer is right, as the paper has it.
 */
export interface RethinkingOptions {
  /** Share of the finished responses that are continued (paper: q < 1; released code: 0.65). */
  readonly fraction: number;
  /** Text after the first solution; null: what opens a reflection in the run's form. */
  readonly trigger: string | null;
  /** Right continuations kept of one group at most (paper: 2 a query). */
  readonly perGroup: number;
  /** Longest continuation, in tokens. */
  readonly maxTokens: number;
  /** Factor on their mean negative log-likelihood (released code: 0.05). */
  readonly weight: number;
}

/**
 * Which of a group's continuations are kept: right ones, in order, up to the limit.
 * @param right of each continuation: is its last answer right
 */
export function keptRethinkings(right: readonly boolean[], { perGroup }: RethinkingOptions): boolean[] {
  let left = perGroup;
  return right.map((each) => each && left-- > 0);
}
