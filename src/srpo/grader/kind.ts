/** What a data set may require of a record's answer: a kind, and how far a number may be off. */
import type { Named, Value } from "./forms";
import { outerBrackets } from "./split";
import { readNamed } from "./value";

export const ANSWER_KINDS = ["letter", "number", "interval", "set", "expression", "text"] as const;
export type AnswerKind = (typeof ANSWER_KINDS)[number];

/** A text read for a kind: where one value makes a set, and (2, 3) is an interval. */
export function wantedOf(text: string, kind: AnswerKind): Named {
  const read = readNamed(text);
  if (kind === "set") {
    if (read.value.kind === "set") return { ...read, value: { ...read.value, joined: "comma" } };
    if (read.value.kind === "tuple" && outerBrackets(text) === "[]")
      return { ...read, value: { kind: "set", members: read.value.members, joined: "comma" } };
    return { ...read, name: null, value: { kind: "set", members: [read], joined: "comma" } };
  }
  if (kind === "interval" && read.value.kind === "tuple" && read.value.members.length === 2) return read;
  return read;
}

export function isOfKind(value: Value, kind: AnswerKind): boolean {
  switch (kind) {
    case "number":
      return value.kind === "number";
    case "interval":
      return value.kind === "interval" || (value.kind === "tuple" && value.members.length === 2);
    case "set":
      return value.kind === "set";
    case "expression":
      return value.kind === "expression" || value.kind === "equation" || value.kind === "number";
    case "letter":
    case "text":
      return true;
    default:
      return unknownKind(kind);
  }
}

function unknownKind(kind: never): never {
  throw new RangeError(`Unknown kind of answer ${JSON.stringify(kind)}; expected one of ${ANSWER_KINDS.join(", ")}.`);
}

/** Largest distance of a number from the truth: absolute, or a share of the truth. */
export interface Tolerance {
  readonly size: number;
  readonly relative: boolean;
}

/** 0.01, or "5%" as a share of the truth. @throws RangeError for anything else */
export function toleranceOf(tolerance: number | string | undefined): Tolerance | null {
  if (tolerance === undefined) return null;
  const [, digits = "", percent] = /^(\d*\.?\d+(?:e-?\d+)?)\s*(%)?$/.exec(String(tolerance).trim()) ?? [];
  const size = Number(digits);
  if (digits === "" || !Number.isFinite(size))
    throw new RangeError(
      `tolerance ${JSON.stringify(tolerance)}: expected a number from 0 on, or a share such as "5%".`,
    );
  return { size: percent === undefined ? size : size / 100, relative: percent !== undefined };
}

export function isTolerance(tolerance: number | string): boolean {
  try {
    return toleranceOf(tolerance) !== null;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
