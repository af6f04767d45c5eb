/**
 * `npm run bench:mechanisms`: what each mechanism of a recipe costs beside plain GRPO, in one run. Every mechanism
 * trains a copy of the nano policy after reflection SFT; their steps alternate, so that what else the machine does
 * meets all of them. Printed: the median processor time of a step, as a multiple of plain GRPO's (wall time on a busy
 * machine says little; on WebGPU it leaves out a real device's); sampled tokens, read-backs and optimiser updates a
 * step, which do not depend on the machine.
 */
import { parseArgs } from "node:util";
import { openDirectory } from "../policy/checkpoint/checkpointDirectory";
import { Policy } from "../policy/policy";
import { openWasmBackend } from "../tensor/wasm/backend";
import { openNodeWebGpuBackend } from "../tensor/webgpu/node";
import { configure } from "../training/configure";
import type { StepMetrics } from "../training/records";
import { Session } from "../training/session";
import { defaultSettings, type SettingsPatch } from "../training/settings";

const MECHANISMS: Readonly<Record<string, SettingsPatch["grpo"]>> = {
  "plain GRPO": {},
  "4 updates a rollout": { updatesPerRollout: 4 },
  "4 updates, sequence ratio": { updatesPerRollout: 4, ratioLevel: "sequence" },
  "4 updates, cispo": { updatesPerRollout: 4, surrogate: "cispo" },
  "4 updates, sapo": { updatesPerRollout: 4, surrogate: "sapo" },
  "whitened advantages": { advantage: "whitened", preset: "verl" },
  gdpo: { advantage: "gdpo", preset: "trl" },
  "KL in the loss": { beta: 0.01 },
  "KL in the reward": { beta: 0.01, klPlacement: "reward" },
  "mixed groups, 3 refills": { onlineFilter: "mixed", refills: 3 },
  replay: { replay: { episode: 8, alpha: 1 } },
  "forced rethinking": {
    rethinking: { fraction: 0.65, trigger: null, perGroup: 2, maxTokens: 40, weight: 0.05 },
  },
  "failure buffer": {
    failures: { share: 0.4, capacity: 250, maxAge: 50, minimum: 8, wrongShare: 0.9, perGroup: 3 },
  },
};

const { values } = parseArgs({
  options: {
    backend: { type: "string", default: "wasm" },
    policy: { type: "string", default: "public/policies/sft" },
    steps: { type: "string", default: "6" },
    prompts: { type: "string", default: "16" },
    group: { type: "string", default: "8" },
    help: { type: "boolean" },
  },
});

if (values.help) {
  process.stdout.write(
    "npm run bench:mechanisms -- [--backend wasm|webgpu] [--policy dir] [--steps n] [--prompts n] [--group n]\n" +
      "The cost of each mechanism beside plain GRPO: time, sampled tokens, read-backs and updates a step.\n",
  );
} else {
  if (values.backend !== "webgpu" && values.backend !== "wasm")
    throw new Error(`--backend ${values.backend}: expected webgpu or wasm`);
  const backend = values.backend === "wasm" ? await openWasmBackend() : await openNodeWebGpuBackend();
  const files = await openDirectory(values.policy);
  const runs = [];
  for (const [name, patch = {}] of Object.entries(MECHANISMS)) {
    const policy = await Policy.load(backend, files, { trainable: "language" });
    const grpo = { prompts: Number(values.prompts), groupSize: Number(values.group), ...patch };
    const session = new Session(policy, configure(defaultSettings, { grpo }), { stage: "grpo" });
    runs.push({ name, session, seconds: [] as number[], readbacks: 0, metrics: [] as StepMetrics[] });
  }
  // The first step of each compiles or warms up what later ones find.
  for (let step = 0; step <= Number(values.steps); step++) {
    for (const run of runs) {
      const [began, before] = [process.cpuUsage(), backend.counters.readbacks];
      const metrics = await run.session.stepThrough();
      if (step === 0 || metrics === null) continue;
      const { user, system } = process.cpuUsage(began);
      run.seconds.push((user + system) / 1e6);
      run.readbacks += backend.counters.readbacks - before;
      run.metrics.push(metrics);
    }
  }
  const mean = (of: readonly number[]): number => of.reduce((sum, value) => sum + value, 0) / of.length;
  const median = (of: readonly number[]): number => [...of].sort((a, b) => a - b)[of.length >> 1] ?? Number.NaN;
  const plain = median(runs[0]?.seconds ?? []);
  process.stdout.write(
    `${backend.description.name}, ${backend.description.adapter}; plain GRPO: ${plain.toFixed(2)} s\n\n`,
  );
  process.stdout.write("| mechanism | processor time | sampled tokens | read-backs | updates |\n");
  process.stdout.write("|---|---|---|---|---|\n");
  for (const { name, seconds, readbacks, metrics } of runs) {
    const cells = [
      `× ${(median(seconds) / plain).toFixed(2)}`,
      mean(metrics.map(({ step_tokens = 0 }) => step_tokens)).toFixed(0),
      (readbacks / seconds.length).toFixed(1),
      mean(metrics.map(({ updates = 0 }) => updates)).toFixed(1),
    ];
    process.stdout.write(`| ${name} | ${cells.join(" | ")} |\n`);
  }
  await backend.dispose();
}
