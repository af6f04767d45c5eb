/** A session on a tiny policy that has learnt to write first solutions, with rewards that differ between samples. */
import type { Policy } from "../../policy/policy";
import { scoreResponse } from "../../srpo/score";
import type { Backend } from "../../tensor/backend";
import { openWasmBackend } from "../../tensor/wasm/backend";
import { configure } from "../configure";
import type { DataParallel } from "../parallel/parallel";
import type { ProblemSource } from "../problemSource";
import type { Stage } from "../records";
import type { Scorer } from "../score";
import { Session } from "../session";
import { defaultSettings, type SettingsPatch } from "../settings";
import { teachFormat, tinyPolicy } from "./tinyPolicy";

const small: SettingsPatch = {
  maxNewTokens: 24,
  microBatchRows: 5,
  sft: { examples: 8, batchSize: 6, steps: 6 },
  grpo: { prompts: 2, groupSize: 3 },
};

/** Longer responses are better; which answer counts as right depends on the text alone. */
export const byLength: Scorer = (text, ...rest) => {
  const score = scoreResponse(text, ...rest);
  return { ...score, firstRight: text.length % 2 === 0, terms: { ...score.terms, total: text.length / 100 } };
};

let taught: Promise<Float32Array> | null = null;

/** A taught policy's weights, made once a process. */
async function taughtWeights(): Promise<Float32Array> {
  const backend = await openWasmBackend();
  const policy = await tinyPolicy(backend);
  await teachFormat(policy, 80);
  const { theta } = await policy.parameters.state();
  await backend.dispose();
  return theta;
}

export async function taughtPolicy(backend: Backend): Promise<Policy> {
  taught ??= taughtWeights();
  const theta = await taught;
  const policy = await tinyPolicy(backend);
  policy.parameters.restore({ theta, m: new Float32Array(theta.length), v: new Float32Array(theta.length) });
  return policy;
}

export function tinySession(
  policy: Policy,
  patch: SettingsPatch = {},
  options: {
    readonly stage?: Stage;
    readonly scorer?: Scorer;
    readonly parallel?: DataParallel;
    readonly source?: ProblemSource;
  } = {},
): Session {
  const settings = configure(configure(defaultSettings, small), patch);
  return new Session(policy, settings, { stage: "grpo", scorer: byLength, now: () => 0, ...options });
}
