/**
 * Sessions small enough to test step by step: a tiny policy that has been taught the format, few and short responses,
 * and a reward that differs between them.
 */
import { expect } from "vitest";
import type { Policy } from "../../policy/policy";
import { scoreResponse } from "../../srpo/score";
import type { Backend } from "../../tensor/backend";
import type { ParameterState } from "../../tensor/parameters";
import { openWasmBackend } from "../../tensor/wasm/backend";
import { configure } from "../configure";
import type { Stage } from "../records";
import { Session } from "../session";
import { defaultSettings, type SettingsPatch } from "../settings";
import { teachFormat, tinyPolicy } from "./tinyPolicy";

export const SMALL: SettingsPatch = {
  maxNewTokens: 24,
  microBatchRows: 5,
  sft: { examples: 8, batchSize: 6, steps: 6 },
  grpo: { prompts: 2, groupSize: 3 },
};

/** Longer responses are better: unlike the real reward, it differs between samples that are all wrong. */
export const byLength: typeof scoreResponse = (text, ...rest) => {
  const score = scoreResponse(text, ...rest);
  return { ...score, terms: { ...score.terms, total: text.length / 100 } };
};

let taughtWeights: Promise<Float32Array> | null = null;

/** A policy that has been taught the format; the weights are trained once per test file, on the wasm backend. */
export async function taughtPolicy(backend: Backend): Promise<Policy> {
  taughtWeights ??= teach();
  const theta = await taughtWeights;
  const policy = await tinyPolicy(backend);
  policy.parameters.restore({ theta, m: new Float32Array(theta.length), v: new Float32Array(theta.length) });
  return policy;
}

async function teach(): Promise<Float32Array> {
  const backend = await openWasmBackend();
  const policy = await tinyPolicy(backend);
  await teachFormat(policy, 80);
  const { theta } = await policy.parameters.state();
  await backend.dispose();
  return theta;
}

export function smallSession(policy: Policy, stage: Stage, patch: SettingsPatch = {}): Session {
  return new Session(policy, configure(configure(defaultSettings, SMALL), patch), {
    stage,
    scorer: byLength,
    now: () => 0,
  });
}

/** Compared as bytes: a failing deep comparison of arrays this long would take minutes to print. */
export function expectSameBits(a: ParameterState, b: ParameterState): void {
  for (const key of ["theta", "m", "v"] as const)
    expect(Buffer.compare(Buffer.from(a[key].buffer), Buffer.from(b[key].buffer)), `${key} differs`).toBe(0);
}
