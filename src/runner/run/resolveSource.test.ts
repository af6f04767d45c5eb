/** Contradictions between a plan's keys are reported before anything is opened. */
import { expect, test } from "vitest";
import { configure } from "../../training/configure";
import { defaultSettings } from "../../training/settings";
import { RecordFaults } from "../data/recordFaults";
import { loadOptions, refuseOtherData, resolveSource } from "./resolveSource";
import { runConfigSchema } from "./runConfig";
import { planOf, type RunPlan } from "./runPlan";

const plan = (config: object): RunPlan => planOf(runConfigSchema.parse(config));
const frozen = configure(defaultSettings, { freezeVision: true });

test.each<[string, object, RegExp]>([
  ["packed weights without an adapter", { packing: "int4" }, /packing int4 .* set lora.rank above 0/],
  [
    "a rank for an adapter that has one",
    { lora: { rank: 2, adapter: "runs/a/sft" } },
    /lora.rank 2 .* has its own rank/,
  ],
])("%s", async (_what, config, message) => {
  await expect(loadOptions(plan(config), frozen)).rejects.toThrow(message);
});

test("an adapter leaves the tower frozen; without one, the settings say", async () => {
  await expect(loadOptions(plan({ lora: { rank: 2 } }), configure(frozen, { freezeVision: false }))).rejects.toThrow(
    /freezeVision is false; with an adapter \(lora\) it must be true/,
  );
  expect(await loadOptions(plan({}), configure(frozen, { freezeVision: false }))).toEqual({
    trainable: "all",
    maxPixels: null,
    allowNonFinite: false,
  });
  expect(await loadOptions(plan({}), frozen)).toEqual({
    trainable: "language",
    maxPixels: null,
    allowNonFinite: false,
  });
  expect(
    await loadOptions(
      plan({
        policy: "policies/own",
        packing: "int4",
        lora: { rank: 2, alpha: 4, targets: ["q_proj"] },
        data: { maxPixels: 784 },
      }),
      frozen,
    ),
  ).toEqual({
    lora: { rank: 2, alpha: 4, rankStabilised: false, targets: ["q_proj"], baseModel: "policies/own" },
    seed: frozen.seed,
    frozenFormat: "int4",
    maxPixels: 784,
    allowNonFinite: false,
  });
});

test.each<[string, object, RegExp]>([
  [
    "a data set without reflections for the first stage",
    { data: { train: "data.jsonl" } },
    /data.reflections is required/,
  ],
  ["held-out records without others", { data: { heldOut: "data.jsonl" } }, /data.heldOut is set but data.train is not/],
  [
    "a file that is not there",
    { stages: ["grpo"], data: { train: "nowhere/data.jsonl" } },
    /nowhere.data.jsonl: does not exist/,
  ],
])("%s", async (_what, config, message) => {
  await expect(resolveSource(plan(config), new RecordFaults("stop"))).rejects.toThrow(message);
});

test("a resumed run keeps its own data", () => {
  const own = { ...plan({ stages: ["grpo"], data: { train: "data.jsonl" } }), dataDigest: "a" };
  refuseOtherData(own, "a", "runs/a");
  refuseOtherData({ ...own, dataDigest: null }, "b", "runs/a");
  expect(() => refuseOtherData(own, "b", "runs/a")).toThrow(/data of the run in runs.a has changed .*data.jsonl/);
});
