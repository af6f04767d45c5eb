/** The messages between a benchmark and the process of a library (isolation.ts, libraryProcess.ts). */

import { z } from "zod";
import { BACKEND_NAMES } from "../tensor/backend";
import { LIBRARIES } from "./contender";
import { jobSchema } from "./job";

export const questionSchema = z.discriminatedUnion("ask", [
  z.object({ ask: z.literal("library"), name: z.enum(LIBRARIES), backend: z.enum(BACKEND_NAMES) }),
  z.object({ ask: z.literal("open"), job: jobSchema }),
  z.object({ ask: z.literal("check") }),
  z.object({ ask: z.literal("run"), units: z.int().positive() }),
  z.object({ ask: z.literal("close") }),
  z.object({ ask: z.literal("end") }),
]);
export type Question = z.output<typeof questionSchema>;

export const answerSchema = z.union([z.object({ result: z.unknown() }), z.object({ error: z.string() })]);
export type Answer = z.input<typeof answerSchema>;
