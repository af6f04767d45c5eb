/** What is wrong with a value from outside, in words: the field, and what was expected there. */
import type { z } from "zod";
import { shortened } from "./shortened";

/** Issues that say only what was expected. */
const TYPES: readonly string[] = ["invalid_type", "invalid_union", "invalid_value"];
const SHOWN = 400;

/** The first issue. A value that is absent is said to be missing, whatever was expected in its place. */
export function describeIssue(error: z.ZodError, value: unknown): string {
  const [issue] = error.issues;
  if (issue === undefined) return "value: invalid";
  const field = shortened(issue.path.map(String).join(".")) || "value";
  const missing = TYPES.includes(issue.code) && valueAt(value, issue.path) == null;
  return `${field}: ${missing ? "is missing" : shortened(issue.message, SHOWN)}`;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value;
  for (const name of path) at = typeof at === "object" && at !== null ? Reflect.get(at, name) : undefined;
  return at;
}
