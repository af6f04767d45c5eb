/** How a command ended in the process that runs it. */
import { z } from "zod";

export const endedSchema = z.object({
  code: z.number(),
  printed: z.string(),
  /** Of all the process's threads. */
  cpuSeconds: z.number(),
  /** Bytes of memory that the process holds. */
  rss: z.number(),
});
export type Ended = z.output<typeof endedSchema>;
