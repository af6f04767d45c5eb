/**
 * `verify`: compare a checkpoint's outputs with a golden file, made by another implementation. With --packing, compare
 * packed weights with the same values in float32 (on the wasm backend, on the file's inputs).
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { openDirectory } from "../../policy/checkpoint/checkpointDirectory";
import { Safetensors } from "../../policy/checkpoint/safetensors";
import { Policy } from "../../policy/policy";
import { type TensorReport, verifyModel, verifyPacked } from "../../policy/verify/verify";
import { BACKEND_NAMES, type Backend } from "../../tensor/backend";
import { WEIGHT_FORMATS } from "../../tensor/packedWeight";
import { allowNonFiniteFlag, backendFlag, packingFlag, type RunnerCommand } from "../arguments/command";
import { openNodeBackend, reportAdapter } from "../backend/nodeBackends";
import { asInput } from "../backend/openPolicy";
import { InputError } from "../files/inputError";

/** The golden file of a policy or adapter folder. */
const GOLDEN = "reference.safetensors";

export const verifyCommand: RunnerCommand = {
  description: "Compare outputs, gradients and greedy tokens with a golden file; exit 1 above tolerance",
  flags: {
    model: { type: "string", required: true, valueHint: "dir", description: "Policy folder" },
    adapter: { type: "string", valueHint: "dir", description: "LoRA adapter folder (PEFT layout)" },
    golden: {
      type: "string",
      valueHint: "file",
      description: `Golden file (default: ${GOLDEN} in --adapter, else in --model)`,
    },
    packing: {
      ...packingFlag,
      description: "Storage of the weights; packed weights are compared with the same values in f32, to 1e-3",
    },
    allowNonFinite: allowNonFiniteFlag,
    backend: backendFlag,
    json: { type: "boolean", description: "Print one JSON object instead of a table" },
  },
  examples: [
    "npm run srpo -- verify --model src/policy/golden/tiny_tied",
    "npm run srpo -- verify --model src/policy/golden/tiny_untied --packing int4",
  ],
  async run(args) {
    const backendName = args.oneOf("backend", BACKEND_NAMES);
    const model = args.text("model");
    const adapter = args.optional("adapter");
    const files = await openDirectory(model);
    const adapterFiles = adapter === null ? null : await openDirectory(adapter);
    const named = args.optional("golden");
    // An adapter's golden file has outputs only: its inputs are in the model's golden file.
    const golden = await openGolden(adapter === null && named !== null ? named : join(model, GOLDEN));
    const packing = args.oneOf("packing", WEIGHT_FORMATS);
    const adapterGolden =
      adapter === null || packing !== "f32" ? null : await openGolden(named ?? join(adapter, GOLDEN));
    const backend = await openNodeBackend(backendName);
    reportAdapter(backend);
    const open = (on: Backend, frozenFormat: typeof packing): Promise<Policy> =>
      asInput(
        adapter ?? model,
        Policy.load(on, files, {
          trainable: packing === "f32" ? "all" : "none",
          frozenFormat,
          adapter: adapterFiles,
          adapterAsIs: true,
          allowNonFinite: args.boolean("allowNonFinite"),
        }),
      );
    try {
      const policy = await open(backend, packing);
      const reports =
        packing === "f32"
          ? await verifyModel(policy.model, golden, adapterGolden)
          : await withBackend("wasm", async (other) =>
              verifyPacked(policy.model, (await open(other, "f32")).model, golden),
            );
      policy.dispose();
      const ok = reports.every((report) => report.ok);
      process.stdout.write(
        args.boolean("json")
          ? `${JSON.stringify({ model, adapter, packing, backend: backendName, ok, tensors: reports.map(plain) })}\n`
          : table(reports, ok),
      );
      return ok ? 0 : 1;
    } finally {
      await backend.dispose();
    }
  },
};

async function withBackend<T>(name: "wasm", use: (backend: Backend) => Promise<T>): Promise<T> {
  const backend = await openNodeBackend(name);
  try {
    return await use(backend);
  } finally {
    await backend.dispose();
  }
}

async function openGolden(path: string): Promise<Safetensors> {
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(await readFile(path));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new InputError(`${path}: cannot read the golden file (${reason}); name one with --golden`);
  }
  return Safetensors.open(bytes, path);
}

/** JSON has no Infinity: an error that is not finite (a missing tensor) is null. */
function plain(report: TensorReport): unknown {
  return { ...report, error: Number.isFinite(report.error) ? report.error : null };
}

function table(reports: readonly TensorReport[], ok: boolean): string {
  const width = Math.max(...reports.map((report) => report.name.length));
  const rows = reports.map(
    ({ name, error, tolerance, ok: fine }) =>
      `${name.padEnd(width)}  ${error.toExponential(2).padStart(9)}  ≤ ${tolerance.toExponential(0)}  ` +
      `${fine ? "ok" : "TOO LARGE"}\n`,
  );
  const failed = reports.filter((report) => !report.ok).length;
  const verdict = ok
    ? `all ${reports.length} tensors within tolerance`
    : `${failed} of ${reports.length} tensors above tolerance`;
  return `${rows.join("")}${verdict}\n`;
}
