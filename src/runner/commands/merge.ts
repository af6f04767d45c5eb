/** `merge`: add an adapter to the weights of its policy, for tools that read Hugging Face folders. */
import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { openDirectory } from "../../policy/checkpoint/checkpointDirectory";
import { type MergedFile, mergedFolder } from "../../policy/merge";
import { allowNonFiniteFlag, type RunnerCommand } from "../arguments/command";
import { UsageError } from "../arguments/usage";
import { asInput } from "../backend/openPolicy";
import { progressBar } from "../run/progress";

const MB = 2 ** 20;

export const mergeCommand: RunnerCommand = {
  description: "Merge a LoRA adapter into its policy; writes a Hugging Face folder in the policy's dtype",
  flags: {
    model: {
      type: "string",
      required: true,
      valueHint: "dir",
      description: "Policy folder that the adapter was trained on",
    },
    adapter: { type: "string", required: true, valueHint: "dir", description: "LoRA adapter folder (PEFT layout)" },
    allowNonFinite: allowNonFiniteFlag,
    out: {
      type: "string",
      required: true,
      valueHint: "dir",
      description: "Folder to write; must be new or empty",
    },
  },
  examples: ["npm run srpo -- merge --model public/policies/base --adapter runs/lora/grpo --out merged"],
  async run(args) {
    const [model, adapter, out] = [args.text("model"), args.text("adapter"), args.text("out")];
    await refuseOccupied(out);
    const baseFiles = await openDirectory(model);
    const allowNonFinite = args.boolean("allowNonFinite");
    const files = await asInput(
      `${adapter} on ${model}`,
      mergedFolder(baseFiles, await openDirectory(adapter), { allowNonFinite }),
    );
    await mkdir(out, { recursive: true });
    const total = files.reduce((sum, file) => sum + file.bytes, 0);
    const bar = progressBar("merge");
    let done = 0;
    try {
      for (const file of files) {
        const writing = writePieces(join(out, file.path), file, (bytes) => {
          done += bytes;
          bar.update(Math.round(done / MB), Math.ceil(total / MB), "MB");
        });
        await asInput(model, writing);
      }
    } finally {
      bar.stop();
    }
    process.stdout.write(`${resolve(out)}\n`);
    return 0;
  },
};

/** @throws UsageError when the folder is not empty */
async function refuseOccupied(out: string): Promise<void> {
  const held = await readdir(out).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw new UsageError(`--out ${out}: ${error.message}`);
  });
  if (held.length > 0) throw new UsageError(`--out ${out} is not empty (${held[0]}, …): choose a new or empty folder`);
}

/** Stream a file into a temporary file next to its destination, sync, then rename it. */
async function writePieces(path: string, file: MergedFile, onBytes: (bytes: number) => void): Promise<void> {
  const beside = `${path}.${process.pid}.partial`;
  const handle = await open(beside, "w");
  try {
    for await (const piece of file.pieces()) {
      await handle.writeFile(piece);
      onBytes(piece.length);
    }
    await handle.sync();
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
  await rename(beside, path);
}
