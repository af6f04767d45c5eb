/** Files named on the command line. */
import { readFile } from "node:fs/promises";
import type { z } from "zod";
import { InputError } from "../files/inputError";

/** A file's text. @throws InputError when it cannot be read */
export async function readInput(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new InputError(`${path}: cannot be read (${error instanceof Error ? error.message : String(error)})`);
  }
}

/** Parsed JSON lines. @throws InputError naming the line and field */
export function parseLines<T>(path: string, text: string, schema: z.ZodType<T>): T[] {
  return text.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return [];
    const at = `${path}, line ${index + 1}`;
    let json: unknown;
    try {
      json = JSON.parse(line);
    } catch (error) {
      throw new InputError(`${at}: not JSON (${error instanceof Error ? error.message : String(error)})`);
    }
    const parsed = schema.safeParse(json);
    if (parsed.success) return [parsed.data];
    const issue = parsed.error.issues[0];
    throw new InputError(`${at}: ${issue?.path.join(".") || "value"}: ${issue?.message ?? "invalid"}`);
  });
}
