/** The form of reflection as a setting of a run, with its bounds; src/srpo/reflectionForm.ts says what it means. */
import { z } from "zod";
import { MAX_ROUNDS, PAPER_FORM, REFLECTION_KINDS, type ReflectionForm } from "../srpo/reflectionForm";

export const reflectionFormSchema = z.object({
  kind: z.enum(REFLECTION_KINDS).default(PAPER_FORM.kind),
  tag: z
    .string()
    .regex(/^[A-Za-z][\w-]{0,31}$/, 'is the name of a tag: letters, digits, "_" and "-", at most 32, a letter first')
    .refine((name) => !/^(think|answer)$/i.test(name), "is taken: think and answer are the blocks of a solution")
    .default(PAPER_FORM.tag),
  trigger: z
    .string()
    .trim()
    .min(1, "is empty; give the words that begin a reflection")
    .max(200)
    .refine((words) => !/<\/?(think|answer)>/.test(words), "holds a tag of the response format; give plain words")
    .default(PAPER_FORM.trigger),
  rounds: z.number().int().min(1).max(MAX_ROUNDS).default(PAPER_FORM.rounds),
}) satisfies z.ZodType<ReflectionForm, unknown>;
