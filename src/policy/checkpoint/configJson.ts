/** JSON files of a checkpoint folder: bounded before parsing, checked by a schema, named where they are wrong. */
import type { z } from "zod";
import { KIND_BYTES, otherKind } from "./fileKind";
import { jsonRefusal } from "./jsonBounds";

/** A config.json that is not a usable Qwen2.5-VL configuration; the message names file and key. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** Parse `value` or throw a ConfigError that lists every offending key under `prefix`. */
export function parseWith<T>(schema: z.ZodType<T>, value: unknown, file: string, prefix: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(
    (issue) => `${[prefix, ...issue.path.map(String)].filter(Boolean).join(".") || "(top level)"}: ${issue.message}`,
  );
  throw new ConfigError(`${file}: ${problems.join("; ")}`);
}

/** The largest JSON file of a checkpoint is its tokenizer: some 150,000 words and as many merges. */
const FILE_BOUNDS = { depth: 64, values: 5_000_000 };

/** Bytes or text of a JSON file as an unknown value; a syntax error names the file. */
export function parseJson(content: Uint8Array | string, file: string): unknown {
  const refusal = jsonRefusal(content, FILE_BOUNDS);
  if (refusal !== null) throw new ConfigError(`${file}: ${refusal}.`);
  const text = typeof content === "string" ? content : new TextDecoder().decode(content);
  try {
    return JSON.parse(text);
  } catch (error) {
    const other = otherKind(new TextEncoder().encode(text.slice(0, KIND_BYTES)).subarray(0, KIND_BYTES));
    if (other !== null) throw new ConfigError(`${file}: ${other}.`);
    throw new ConfigError(`${file}: not valid JSON (${error instanceof Error ? error.message : String(error)}).`);
  }
}
