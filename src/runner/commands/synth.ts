/** `synth`: a random checkpoint in the shape of a published one, to try out a machine before downloading. */
import { readdir } from "node:fs/promises";
import { SHAPE_NAMES } from "../../policy/checkpoint/shapes";
import { planShards } from "../../policy/checkpoint/shards";
import { SyntheticValues, syntheticFiles, syntheticTensors } from "../../policy/syntheticCheckpoint";
import { byteCount, readableBytes } from "../arguments/bytes";
import type { RunnerCommand } from "../arguments/command";
import { UsageError } from "../arguments/usage";
import { writeFolder } from "../files/atomicWrite";
import { writeShards } from "../files/shardWriter";
import { progressBar } from "../run/progress";

const DTYPES = ["bf16", "f16", "f32"] as const;

export const synthCommand: RunnerCommand = {
  description: "Write a random checkpoint of a published shape: real names, sizes and files, random weights",
  flags: {
    shape: { type: "string", required: true, valueHint: SHAPE_NAMES.join("|"), description: "Published shape" },
    out: { type: "string", required: true, valueHint: "dir", description: "Folder to write; must be new or empty" },
    seed: { type: "string", default: "0", valueHint: "n", description: "Seed; the same seed gives the same bytes" },
    dtype: { type: "string", default: "bf16", valueHint: DTYPES.join("|"), description: "Number format on disk" },
    shardSize: { type: "string", default: "5GB", valueHint: "5GB|500MB", description: "Size of the largest shard" },
  },
  examples: ["npm run srpo -- synth --shape tiny --out runs/tiny"],
  async run(args) {
    const shape = args.oneOf("shape", SHAPE_NAMES);
    const dtype = args.oneOf("dtype", DTYPES);
    const seed = args.integer("seed", 0);
    const out = args.text("out");
    const shardBytes = byteCount("shard-size", args.text("shardSize"));
    if (!(await isEmpty(out))) throw new UsageError(`--out ${out} is not empty: choose a new or empty folder`);
    const tensors = syntheticTensors(shape, dtype);
    const plan = planShards(tensors, shardBytes);
    const values = new SyntheticValues(seed, dtype, tensors);
    const bar = progressBar("MB written");
    await writeFolder(out, syntheticFiles(shape, dtype));
    await writeShards(
      out,
      plan,
      (tensor) => values.pieces(tensor),
      (bytes) => bar.update(Math.round(bytes / 1e6), Math.round(plan.bytes / 1e6)),
    );
    bar.stop();
    process.stdout.write(
      `${out}: ${shape} in ${dtype}, ${readableBytes(plan.bytes)} in ${plan.shards.length} ` +
        `${plan.shards.length === 1 ? "file" : "shards"}\n`,
    );
    return 0;
  },
};

async function isEmpty(directory: string): Promise<boolean> {
  try {
    return (await readdir(directory)).length === 0;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return true;
    throw new UsageError(`--out ${directory}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
