/** What a run starts from: a shipped policy or the visitor's own folder. */
import { type PolicySource, SHIPPED, type ShippedName, STAGE_OF_SHIPPED, type Stage } from "../../worker/protocol";

export { SHIPPED, type ShippedName };
export type Start = ShippedName | "own";

/** A first visit starts after reflection SFT, so GRPO shows an effect within a minute or two. */
export const DEFAULT_START: ShippedName = "sft";

export const startOf = (source: PolicySource): Start => (source.kind === "shipped" ? source.name : "own");

/** The first stage of a new run. */
export const stageOf = (start: Start): Stage => (start === "own" ? "base" : STAGE_OF_SHIPPED[start]);
