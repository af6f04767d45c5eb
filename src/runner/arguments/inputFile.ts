/** Files named on the command line. */
import { readFile } from "node:fs/promises";
import type { z } from "zod";
import { jsonRefusal } from "../../policy/checkpoint/jsonBounds";
import { describeIssue } from "../files/describeIssue";
import { fileFault } from "../files/fileFault";
import { InputError } from "../files/inputError";
import { shortened } from "../files/shortened";
import { decodeText } from "../files/textFile";

/** Of one line of JSON: a line of 20 million brackets would take minutes and gigabytes to be parsed. */
const LINE_BOUNDS = { depth: 64, values: 1_000_000 };

/** A file's text, without a byte order mark. @throws InputError when it cannot be read or is not UTF-8 */
export async function readInput(path: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new InputError(`${shortened(path, 1000)}: ${fileFault(error)}`);
  }
  return decodeText(bytes, path);
}

/** A line that was read, or why it cannot be. Lines are counted from 1. */
export type ReadLine<T> =
  | { readonly line: number; readonly value: T }
  | { readonly line: number; readonly fault: string };

/** Every line that is not blank, parsed as JSON. */
export function readLines<T>(text: string, schema: z.ZodType<T>): ReadLine<T>[] {
  return text.split("\n").flatMap((content, index): ReadLine<T>[] => {
    if (content.trim() === "") return [];
    const read = parseJsonRow(content, schema);
    return [{ line: index + 1, ...read }];
  });
}

/** Parsed JSON lines. @throws InputError naming the line and field */
export function parseLines<T>(path: string, text: string, schema: z.ZodType<T>): T[] {
  return readLines(text, schema).map((read) => {
    if ("fault" in read) throw new InputError(`${path}, line ${read.line}: ${read.fault}`);
    return read.value;
  });
}

/** One JSON value, or what is wrong with it. */
export function parseJsonRow<T>(
  json: string,
  schema: z.ZodType<T>,
): { readonly value: T } | { readonly fault: string } {
  const refusal = jsonRefusal(json, LINE_BOUNDS);
  if (refusal !== null) return { fault: `not a record: ${refusal}` };
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    return { fault: notJson(error) };
  }
  return parseRow(value, schema);
}

export function parseRow<T>(row: unknown, schema: z.ZodType<T>): { readonly value: T } | { readonly fault: string } {
  const parsed = schema.safeParse(row);
  return parsed.success ? { value: parsed.data } : { fault: describeIssue(parsed.error, row) };
}

/** The parser's message quotes a few characters of the text. */
export function notJson(error: unknown): string {
  return `not JSON (${shortened(error instanceof Error ? error.message : String(error), 200)})`;
}
