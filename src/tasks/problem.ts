/**
 * What a task family makes: a picture in pixels, a question, the facts a solver must read from the picture,
 * the steps from facts to answer, and the answer. No DOM: pictures are plain RGB bytes.
 */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** RGB, row-major, 3 bytes a pixel. */
  readonly pixels: Uint8Array;
}

/** One thing that can be read off the picture, e.g. { subject: "A", value: 3 } for "A = 3". */
export interface Reading {
  readonly subject: string;
  readonly value: number;
}

/**
 * One inference, written "left op right = result", e.g. 3 + 5 = 8. A problem's first inference joins its
 * first two readings in order; each later one has a constant on the left and the result before it on the right.
 */
export interface Inference {
  readonly left: number;
  readonly op: "+" | "-" | "*" | "max" | "min";
  readonly right: number;
  readonly result: number;
}

export const FAMILY_NAMES = ["bars", "shapes", "geometry", "digits"] as const;
export type FamilyName = (typeof FAMILY_NAMES)[number];

export interface Problem {
  /** "family:split:seed", enough to rebuild it. */
  readonly id: string;
  readonly family: FamilyName;
  readonly picture: Picture;
  /** White-space separated words, e.g. "A + C ?" */
  readonly question: string;
  readonly readings: readonly Reading[];
  readonly inferences: readonly Inference[];
  readonly answer: string;
}

export type Split = "train" | "eval";
