/** Why a number is what it is: the formula, the formula with this row's numbers, one sentence. */
export interface Explanation {
  readonly formula: string;
  readonly substituted: string;
  readonly sentence: string;
}
