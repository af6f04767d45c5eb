/**
 * Memory of a backend over a GRPO run, which must be constant from the twentieth step on.
 *
 *   npx tsx src/bench/memory.ts [--backend webgpu|wasm] [--policy public/policies/sft] [--steps 220] [--from 20]
 *   [--prompts 16] [--group 8] [--tokens 104] [--no-record]
 *
 * Prints the bytes held at every twentieth step and wherever they change. Exit codes: 0 constant from `--from` on, 1
 * not.
 */
import { parseArgs } from "node:util";
import { openDirectory } from "../policy/checkpoint/checkpointDirectory";
import { Policy } from "../policy/policy";
import { openWasmBackend } from "../tensor/wasm/backend";
import { openNodeWebGpuBackend } from "../tensor/webgpu/node";
import { configure } from "../training/configure";
import { Session } from "../training/session";
import { defaultSettings } from "../training/settings";

const { values } = parseArgs({
  allowNegative: true,
  options: {
    backend: { type: "string", default: "webgpu" },
    policy: { type: "string", default: "public/policies/sft" },
    steps: { type: "string", default: "220" },
    from: { type: "string", default: "20" },
    prompts: { type: "string", default: "16" },
    group: { type: "string", default: "8" },
    tokens: { type: "string", default: "104" },
    record: { type: "boolean", default: true },
  },
});

if (values.backend !== "webgpu" && values.backend !== "wasm")
  throw new Error(`--backend ${values.backend}: expected webgpu or wasm`);
const backend =
  values.backend === "wasm" ? await openWasmBackend() : await openNodeWebGpuBackend({ record: values.record });
console.log(`${backend.description.name}, ${backend.description.adapter}`);
const policy = await Policy.load(backend, await openDirectory(values.policy), { trainable: "language" });
const settings = configure(defaultSettings, {
  maxNewTokens: Number(values.tokens),
  grpo: { prompts: Number(values.prompts), groupSize: Number(values.group) },
});
const session = new Session(policy, settings, { stage: "grpo" });
const [steps, from] = [Number(values.steps), Number(values.from)];
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
process.exit(constant ? 0 : 1);
