/** `verify`: does a checkpoint compute here what a reference file says it computes elsewhere? */
import { join } from "node:path";
import { readFile } from "node:fs/promises";
import { openDirectory } from "../../policy/checkpointDirectory";
import { Policy } from "../../policy/policy";
import { Safetensors } from "../../policy/safetensors";
import { verifyModel, type TensorReport } from "../../policy/verify";
import { homeFlag, type RunnerCommand } from "../command";
import { HOME_NAMES, openNodeHome } from "../nodeHomes";
import { asInput } from "../openPolicy";
import { UsageError } from "../usage";

const REFERENCE = "reference.safetensors";

export const verifyCommand: RunnerCommand = {
  description: "Compare forward, gradients and greedy tokens with a reference file; exit 1 above tolerance",
  flags: {
    model: { type: "string", required: true, valueHint: "dir", description: "Policy folder" },
    adapter: { type: "string", valueHint: "dir", description: "LoRA adapter folder (PEFT layout)" },
    reference: { type: "string", valueHint: "file", description: `Reference file; by default ${REFERENCE} of --adapter, else of --model` },
    home: homeFlag,
    json: { type: "boolean", description: "One JSON object instead of a table" },
  },
  async run(args) {
    const homeName = args.oneOf("home", HOME_NAMES);
    const model = args.text("model");
    const adapter = args.optional("adapter");
    const files = await openDirectory(model);
    const adapterFiles = adapter === null ? null : await openDirectory(adapter);
    const named = args.optional("reference");
    const own = adapter === null && named !== null ? named : join(model, REFERENCE);
    // An adapter's file has outputs only: its inputs are those of the model's reference.
    const reference = await openReference(own);
    const adapterReference = adapter === null ? null : await openReference(named ?? join(adapter, REFERENCE));
    const home = await openNodeHome(homeName);
    try {
      const policy = await asInput(adapter ?? model, Policy.load(home, files, { trainable: "all", adapter: adapterFiles }));
      const reports = await verifyModel(policy.model, reference, adapterReference);
      policy.dispose();
      const ok = reports.every((report) => report.ok);
      process.stdout.write(args.boolean("json") ? `${JSON.stringify({ model, adapter, home: homeName, ok, tensors: reports.map(plain) })}\n` : table(reports, ok));
      return ok ? 0 : 1;
    } finally {
      await home.dispose();
    }
  },
};

async function openReference(path: string): Promise<Safetensors> {
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(await readFile(path));
  } catch (error) {
    throw new UsageError(`${path}: the reference file cannot be read (${error instanceof Error ? error.message : String(error)}); name one with --reference`);
  }
  return Safetensors.open(bytes, path);
}

/** JSON has no Infinity: an error that is not finite (a missing tensor) is null. */
function plain(report: TensorReport): unknown {
  return { ...report, error: Number.isFinite(report.error) ? report.error : null };
}

function table(reports: readonly TensorReport[], ok: boolean): string {
  const width = Math.max(...reports.map((report) => report.name.length));
  const rows = reports.map(({ name, error, tolerance, ok: fine }) => `${name.padEnd(width)}  ${error.toExponential(2).padStart(9)}  ≤ ${tolerance.toExponential(0)}  ${fine ? "ok" : "TOO LARGE"}\n`);
  const failed = reports.filter((report) => !report.ok).length;
  return `${rows.join("")}${ok ? `all ${reports.length} tensors within tolerance` : `${failed} of ${reports.length} tensors above tolerance`}\n`;
}
