/** A whole GRPO step as the page and the runner take it, on a shipped policy: rollout, score, normalise, update. */
import { openDirectory } from "../../policy/checkpointDirectory";
import { Policy } from "../../policy/policy";
import type { Home } from "../../tensor/home";
import { configure } from "../../training/configure";
import { Session } from "../../training/session";
import { defaultSettings } from "../../training/settings";
import type { Contender, JobOf } from "../contender";
import { measured } from "./party";

export async function openGrpo(home: Home, { policy: folder, prompts, groupSize, maxNewTokens, workers }: JobOf<"grpo">): Promise<Contender> {
  if (workers !== 1) throw new Error(`${workers} workers: one is all there is.`);
  const settings = configure(defaultSettings, { maxNewTokens, grpo: { prompts, groupSize } });
  const policy = await Policy.load(home, await openDirectory(folder), { trainable: "language" });
  const session = new Session(policy, settings, { stage: "grpo" });
  return {
    check: async () => [],
    run: (units) => measured(home, async () => {
      for (let i = 0; i < units; i++) await session.stepThrough();
    }),
    async close() {
      session.dispose();
      policy.dispose();
    },
  };
}
