/** Prompts: the files in src/runner/prompts, or the user's own, with {{names}} filled in. */
import { fileURLToPath } from "node:url";
import { type ReflectionForm, writeReflection } from "../../srpo/reflectionForm";
import { readInput } from "../arguments/inputFile";
import { InputError } from "../files/inputError";

export type PromptName = "response-format" | "first-solution" | "correction" | "simplification";

/** The prompt in `file`, else the built-in one. @throws InputError when it cannot be read */
export async function readPrompt(name: PromptName, file: string | null = null): Promise<string> {
  const path = file ?? fileURLToPath(new URL(`../prompts/${name}.md`, import.meta.url));
  return (await readInput(path)).trim();
}

/**
 * Replace each {{name}} by its value. A {{name}} inside a value stays text.
 * @throws InputError for an unknown {{name}}, or a value that the prompt does not use
 */
export function fillPrompt(prompt: string, values: Readonly<Record<string, string>>): string {
  const used = new Set<string>();
  const filled = prompt.replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined)
      throw new InputError(
        `prompt: unknown placeholder {{${name}}}; expected one of ${Object.keys(values).join(", ")}`,
      );
    used.add(name);
    return value;
  });
  const unused = Object.keys(values).find((name) => !used.has(name));
  if (unused !== undefined)
    throw new InputError(`prompt: the placeholder {{${unused}}} is missing; the teacher needs its value`);
  return filled;
}

const ROUND_WORDS = ["", "", "twice", "three times", "four times"] as const;

/** Our instruction below a question, for a form of reflection; the tag pair gives the prompt's own text. */
export function responseInstruction(prompt: string, form: ReflectionForm): string {
  const said = "what in the reasoning above is wrong, missing or longer than it need be, checked against the picture";
  return fillPrompt(prompt, {
    reflection: writeReflection(said, form),
    blocks: form.kind === "tags" ? "with exactly these five blocks" : "with exactly these blocks and words",
    rounds:
      form.rounds === 1
        ? ""
        : `The last three parts, the reflection and what follows it, may stand up to ${ROUND_WORDS[form.rounds]}, ` +
          "each on the answer before it.",
  }).trim();
}
