/** Prompts as files: the texts in src/runner/prompts, or the user's own, with {{names}} filled in. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { UsageError } from "../arguments/usage";

export type PromptName = "response-format" | "first-solution" | "correction" | "simplification";

/** A prompt of ours, or the file named instead. @throws UsageError when it cannot be read */
export async function readPrompt(name: PromptName, file: string | null = null): Promise<string> {
  const path = file ?? fileURLToPath(new URL(`../prompts/${name}.md`, import.meta.url));
  try {
    return (await readFile(path, "utf8")).trim();
  } catch (error) {
    throw new UsageError(
      `${path}: the prompt cannot be read (${error instanceof Error ? error.message : String(error)})`,
    );
  }
}

/**
 * Put values in the places {{name}}. Values are put in as they are: a place inside a value stays text.
 * @throws UsageError for a place without a value, or a value that the prompt has no place for
 */
export function fillPrompt(prompt: string, values: Readonly<Record<string, string>>): string {
  const used = new Set<string>();
  const filled = prompt.replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined)
      throw new UsageError(`prompt: there is nothing to put in {{${name}}}; known: ${Object.keys(values).join(", ")}`);
    used.add(name);
    return value;
  });
  const unused = Object.keys(values).find((name) => !used.has(name));
  if (unused !== undefined)
    throw new UsageError(`prompt: it has no place {{${unused}}}; without it the teacher would work blindly`);
  return filled;
}
