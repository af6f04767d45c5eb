/**
 * `npm run bench:memory`: memory of a backend over a GRPO run, which must be constant from the twentieth step on.
 * Prints the bytes held at every twentieth step and wherever they change. Exit codes: 0 constant, 1 not, 2 bad input.
 */
import { openDirectory } from "../policy/checkpoint/checkpointDirectory";
import { Policy } from "../policy/policy";
import type { Flags } from "../runner/arguments/flags";
import { runScript } from "../runner/arguments/script";
import type { Arguments } from "../runner/arguments/usage";
import { openWasmBackend } from "../tensor/wasm/backend";
import { openNodeWebGpuBackend } from "../tensor/webgpu/node";
import { configure } from "../training/configure";
import { Session } from "../training/session";
import { defaultSettings } from "../training/settings";

const BACKENDS = ["webgpu", "wasm"] as const;
const FLAGS: Flags = {
  backend: { type: "string", default: "webgpu", valueHint: BACKENDS.join("|"), description: "Backend to measure" },
  policy: { type: "string", default: "public/policies/sft", valueHint: "dir", description: "Policy folder" },
  steps: { type: "string", default: "220", valueHint: "n", description: "Steps to train" },
  from: { type: "string", default: "20", valueHint: "n", description: "Step from which memory must be constant" },
  prompts: { type: "string", default: "16", valueHint: "n", description: "Prompts per step" },
  group: { type: "string", default: "8", valueHint: "n", description: "Responses per prompt" },
  tokens: { type: "string", default: "104", valueHint: "n", description: "Maximum tokens per response" },
  noRecord: { type: "boolean", description: "Run every step's code instead of replaying recorded steps (webgpu)" },
};

async function measure(args: Arguments): Promise<number> {
  const settings = configure(defaultSettings, {
    maxNewTokens: args.integer("tokens", 1),
    grpo: { prompts: args.integer("prompts", 1), groupSize: args.integer("group", 1) },
  });
  const [steps, from] = [args.integer("steps", 1), args.integer("from", 1)];
  const backend =
    args.oneOf("backend", BACKENDS) === "wasm"
      ? await openWasmBackend()
      : await openNodeWebGpuBackend({ record: !args.boolean("noRecord") });
  console.log(`${backend.description.name}, ${backend.description.adapter}`);
  const policy = await Policy.load(backend, await openDirectory(args.text("policy")), { trainable: "language" });
  const session = new Session(policy, settings, { stage: "grpo" });
  let [last, constant] = [0, true];
  for (let step = 1; step <= steps; step++) {
    await session.stepThrough();
    const bytes = backend.memoryBytes();
    if (bytes !== last || step % 20 === 0) console.log(`step ${step}: ${bytes.toLocaleString("en")} bytes`);
    if (step > from && bytes !== last) constant = false;
    last = bytes;
  }
  console.log(constant ? `constant from step ${from} on` : `changed after step ${from}`);
  policy.dispose();
  await backend.dispose();
  return constant ? 0 : 1;
}

await runScript({
  name: "bench:memory",
  description: "Check that a backend's memory stays constant over a GRPO run.",
  flags: FLAGS,
  examples: ["npm run bench:memory -- --backend wasm --steps 60"],
  run: measure,
});
