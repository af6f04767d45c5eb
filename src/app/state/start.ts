/** What a run starts from: a shipped policy or the visitor's own folder. */
import { type PolicySource, SHIPPED, type ShippedName, STAGE_OF_SHIPPED, type Stage } from "../../worker/protocol";

export { SHIPPED, type ShippedName };
export type Start = ShippedName | "own";

/** A first visit goes on where reflecting is learnt already, so that GRPO is seen to work within a minute or two. */
export const DEFAULT_START: ShippedName = "sft";

export const startOf = (source: PolicySource): Start => (source.kind === "shipped" ? source.name : "own");

/** The stage a fresh run begins in. */
export const stageOf = (start: Start): Stage => (start === "own" ? "base" : STAGE_OF_SHIPPED[start]);
