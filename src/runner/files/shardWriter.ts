/**
 * Write a checkpoint of any size: tensors stream into their shards. Shards and index get their names when they are
 * complete, the index last.
 */
import { mkdir, open, rename } from "node:fs/promises";
import { join } from "node:path";
import { planBytes, type TensorPlan } from "../../policy/checkpoint/safetensorsWriter";
import type { CheckpointPlan } from "../../policy/checkpoint/shards";
import { writeAtomically } from "./atomicWrite";

/**
 * @param bytesOf a tensor's bytes as stored on disk, in order; a piece may be overwritten once the next is requested
 * @param onWritten bytes of tensor data written so far
 * @throws Error when a tensor has more or fewer bytes than its shape needs
 */
export async function writeShards(
  directory: string,
  plan: CheckpointPlan,
  bytesOf: (tensor: TensorPlan) => Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  onWritten: (bytes: number) => void = () => undefined,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  let total = 0;
  for (const { file, head, tensors } of plan.shards) {
    const path = join(directory, file);
    const beside = `${path}.${process.pid}.partial`;
    const handle = await open(beside, "w");
    try {
      await handle.writeFile(head);
      for (const tensor of tensors) {
        let written = 0;
        for await (const piece of bytesOf(tensor)) {
          await handle.writeFile(piece); // appends
          written += piece.length;
          total += piece.length;
          onWritten(total);
        }
        if (written !== planBytes(tensor))
          throw new Error(`${file}: tensor ${tensor.name} has ${written} bytes; expected ${planBytes(tensor)}.`);
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(beside, path);
  }
  if (plan.index !== null) await writeAtomically(join(directory, "model.safetensors.index.json"), plan.index);
}
