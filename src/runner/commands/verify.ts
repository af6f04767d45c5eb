/**
 * `verify`: does a checkpoint compute here what a reference file says it computes elsewhere? With --packing, do its packed
 * weights compute what the values they stand for compute in float32 (on the wasm backend, on the file's inputs)?
 */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { openDirectory } from "../../policy/checkpoint/checkpointDirectory";
import { Safetensors } from "../../policy/checkpoint/safetensors";
import { Policy } from "../../policy/policy";
import { type TensorReport, verifyModel, verifyPacked } from "../../policy/verify/verify";
import type { Backend } from "../../tensor/backend";
import { WEIGHT_FORMATS } from "../../tensor/packedWeight";
import { backendFlag, packingFlag, type RunnerCommand } from "../arguments/command";
import { UsageError } from "../arguments/usage";
import { BACKEND_NAMES, openNodeBackend, reportAdapter } from "../backend/nodeBackends";
import { asInput } from "../backend/openPolicy";

const REFERENCE = "reference.safetensors";

export const verifyCommand: RunnerCommand = {
  description: "Compare forward, gradients and greedy tokens with a reference file; exit 1 above tolerance",
  flags: {
    model: { type: "string", required: true, valueHint: "dir", description: "Policy folder" },
    adapter: { type: "string", valueHint: "dir", description: "LoRA adapter folder (PEFT layout)" },
    reference: {
      type: "string",
      valueHint: "file",
      description: `Reference file; by default ${REFERENCE} of --adapter, else of --model`,
    },
    packing: {
      ...packingFlag,
      description: "Storage of the weights; packed ones are compared with their own values in f32, to 1e-3",
    },
    backend: backendFlag,
    json: { type: "boolean", description: "One JSON object instead of a table" },
  },
  async run(args) {
    const backendName = args.oneOf("backend", BACKEND_NAMES);
    const model = args.text("model");
    const adapter = args.optional("adapter");
    const files = await openDirectory(model);
    const adapterFiles = adapter === null ? null : await openDirectory(adapter);
    const named = args.optional("reference");
    const own = adapter === null && named !== null ? named : join(model, REFERENCE);
    // An adapter's file has outputs only: its inputs are those of the model's reference.
    const reference = await openReference(own);
    const packing = args.oneOf("packing", WEIGHT_FORMATS);
    const adapterReference =
      adapter === null || packing !== "f32" ? null : await openReference(named ?? join(adapter, REFERENCE));
    const backend = await openNodeBackend(backendName);
    reportAdapter(backend);
    const open = (on: Backend, frozenFormat: typeof packing): Promise<Policy> =>
      asInput(
        adapter ?? model,
        Policy.load(on, files, { trainable: packing === "f32" ? "all" : "none", frozenFormat, adapter: adapterFiles }),
      );
    try {
      const policy = await open(backend, packing);
      const reports =
        packing === "f32"
          ? await verifyModel(policy.model, reference, adapterReference)
          : await withBackend("wasm", async (other) =>
              verifyPacked(policy.model, (await open(other, "f32")).model, reference),
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

async function openReference(path: string): Promise<Safetensors> {
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(await readFile(path));
  } catch (error) {
    throw new UsageError(
      `${path}: the reference file cannot be read (${error instanceof Error ? error.message : String(error)}); name one with --reference`,
    );
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
      `${name.padEnd(width)}  ${error.toExponential(2).padStart(9)}  ≤ ${tolerance.toExponential(0)}  ${fine ? "ok" : "TOO LARGE"}\n`,
  );
  const failed = reports.filter((report) => !report.ok).length;
  return `${rows.join("")}${ok ? `all ${reports.length} tensors within tolerance` : `${failed} of ${reports.length} tensors above tolerance`}\n`;
}
