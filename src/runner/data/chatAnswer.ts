/**
 * The answer in a chat completion, in the forms that servers give it: text, a list of parts, nothing (a filter, or all
 * tokens spent on hidden reasoning), or a refusal. Hidden reasoning in fields of its own (`reasoning_content`,
 * `reasoning`, parts of that type) is never read.
 */
import { z } from "zod";
import { shortened } from "../files/shortened";

const count = z.number().nonnegative().catch(0);
const partSchema = z.union([
  z.string(),
  z.object({ type: z.string().nullish(), text: z.string().nullish(), refusal: z.string().nullish() }),
]);
const completionSchema = z.object({
  choices: z
    .array(
      z.object({
        message: z.object({
          content: z.union([z.string(), z.array(partSchema)]).nullish(),
          refusal: z.string().nullish().catch(null),
        }),
        finish_reason: z.string().nullish().catch(null),
      }),
    )
    .min(1),
  usage: z.object({ prompt_tokens: count, completion_tokens: count }).nullish().catch(null),
});

export interface ChatAnswer {
  /** Empty where the teacher said nothing. */
  readonly text: string;
  /** Why there is no answer; null where there is one. */
  readonly refused: string | null;
  /** As the server reports; 0 if it does not. */
  readonly promptTokens: number;
  readonly completionTokens: number;
}

/** Null for what is no chat completion. */
export function chatAnswer(json: unknown): ChatAnswer | null {
  const parsed = completionSchema.safeParse(json);
  const choice = parsed.data?.choices[0];
  if (choice === undefined) return null;
  const { content, refusal } = choice.message;
  const text = typeof content === "string" ? content : textOf(content ?? []);
  return {
    text,
    refused: refusedBy(choice.finish_reason ?? null, refusal ?? refusalIn(content), text),
    promptTokens: parsed.data?.usage?.prompt_tokens ?? 0,
    completionTokens: parsed.data?.usage?.completion_tokens ?? 0,
  };
}

type Part = z.output<typeof partSchema>;

function textOf(parts: readonly Part[]): string {
  return parts
    .map((part) => {
      if (typeof part === "string") return part;
      return part.type == null || part.type === "text" || part.type === "output_text" ? (part.text ?? "") : "";
    })
    .join("");
}

function refusalIn(content: string | readonly Part[] | null | undefined): string | null {
  if (content == null || typeof content === "string") return null;
  const part = content.find((each) => typeof each !== "string" && each.refusal != null);
  return part === undefined || typeof part === "string" ? null : (part.refusal ?? null);
}

function refusedBy(finish: string | null, refusal: string | null, text: string): string | null {
  if (refusal !== null && refusal.trim() !== "") return `the teacher refused: ${shortened(refusal)}`;
  if (finish === "content_filter") return "the teacher's answer was filtered (finish_reason content_filter)";
  if (text.trim() !== "") return null;
  return `the teacher's answer was empty${finish === null ? "" : ` (finish_reason ${shortened(finish)})`}`;
}
