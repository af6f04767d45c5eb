/** Every recipe at the nano policy's scale is settings that the schema takes, and trains. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nanoSettings, RECIPE_NAMES, RECIPES } from "../srpo/recipe";
import type { Backend } from "../tensor/backend";
import { openWasmBackend } from "../tensor/wasm/backend";
import { overlay } from "./overlay";
import type { Scorer } from "./score";
import { defaultSettings, settingsSchema } from "./settings";
import { byLength, taughtPolicy, tinySession } from "./testing/tinySession";

let backend: Backend;
beforeAll(async () => {
  backend = await openWasmBackend();
});
afterAll(() => backend.dispose());

/** Two terms that differ between the samples of a group, and add up to the reward. */
const twoTerms: Scorer = (text, ...rest) => {
  const { terms, ...score } = byLength(text, ...rest);
  const [format, accuracy] = [terms.total, score.firstRight ? 0.5 : 0];
  const others = { effectiveness: 0, reflectionFormat: 0, length: 0, lengthWeighted: 0 };
  return { ...score, terms: { ...terms, ...others, format, accuracy, total: format + accuracy } };
};

describe.each(RECIPE_NAMES)("%s", (name) => {
  const nano = nanoSettings(RECIPES[name]);

  test("is settings as the schema takes them, at full size and here", () => {
    for (const settings of [RECIPES[name].settings, nano]) {
      const { reward, temperature, grpo } = settingsSchema.parse(overlay(defaultSettings, settings));
      expect({ reward, temperature, grpo }).toMatchObject(settings);
    }
  });

  test("trains: two steps, every number finite, the weights move in both", { timeout: 60_000 }, async () => {
    const policy = await taughtPolicy(backend);
    const { reward, temperature, grpo: own } = settingsSchema.parse(overlay(defaultSettings, nano));
    const { stages, rethinking, ...grpo } = own;
    const session = tinySession(
      policy,
      {
        reward,
        temperature,
        grpo: {
          ...grpo,
          prompts: 4,
          groupSize: 4,
          learningRate: 1e-3,
          // The tiny policy's lengths; a stage a step.
          stages: stages.map((stage, i) => ({ ...stage, steps: 1, maxNewTokens: 16 + 8 * i, groupSize: 4 - i })),
          rethinking: rethinking && { ...rethinking, maxTokens: 8 },
        },
      },
      { scorer: twoTerms },
    );
    const seen: Float32Array[] = [(await policy.parameters.state()).theta];
    for (let step = 1; step <= 2; step++) {
      const metrics = await session.stepThrough();
      for (const [key, value] of Object.entries(metrics ?? {}))
        if (typeof value === "number") expect(value, key).toSatisfy(Number.isFinite);
      expect(metrics?.updates).toBe(grpo.updatesPerRollout);
      expect(metrics?.grad_norm).toBeGreaterThan(0);
      seen.push((await policy.parameters.state()).theta);
    }
    expect(seen[1]).not.toEqual(seen[0]);
    expect(seen[2]).not.toEqual(seen[1]);
    session.dispose();
    policy.dispose();
  });
});
