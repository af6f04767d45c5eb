/** A whole GRPO step as the page and the runner take it, on a shipped policy: rollout, score, normalise, update. */
import { openDirectory } from "../../policy/checkpoint/checkpointDirectory";
import { Policy } from "../../policy/policy";
import { openWorkers } from "../../runner/backend/replicaThreads";
import type { Backend } from "../../tensor/backend";
import { configure } from "../../training/configure";
import { Session } from "../../training/session";
import { defaultSettings } from "../../training/settings";
import type { Contender } from "../contender";
import type { JobOf } from "../job";
import { measured } from "./measured";

export async function openGrpo(
  backend: Backend,
  { policy: folder, prompts, groupSize, maxNewTokens, workers }: JobOf<"grpo">,
): Promise<Contender> {
  const settings = configure(defaultSettings, { maxNewTokens, grpo: { prompts, groupSize } });
  const policy = await Policy.load(backend, await openDirectory(folder), { trainable: "language" });
  const parallel = await openWorkers(policy, workers, "language");
  const session = new Session(policy, settings, { stage: "grpo", parallel });
  return {
    /** Results of the first step: what was sampled, and the update's metrics. */
    async check() {
      const metrics = await session.stepThrough();
      return [metrics?.reward ?? Number.NaN, metrics?.grad_norm ?? Number.NaN];
    },
    run: (units) => measured(backend, units, () => session.stepThrough()),
    async close() {
      session.dispose();
      await parallel?.dispose();
      policy.dispose();
    },
  };
}
