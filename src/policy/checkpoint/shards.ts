/**
 * The files of a checkpoint in the layout of the hub: one model.safetensors, or shards
 * `model-00001-of-00003.safetensors` up to a size limit, with model.safetensors.index.json beside them. Planning needs
 * sizes only; the writer streams each tensor's bytes after its shard's header.
 */
import { inFileOrder, planBytes, safetensorsHead, type TensorPlan } from "./safetensorsWriter";

export interface ShardPlan {
  readonly file: string;
  /** The header's length and the header. */
  readonly head: Uint8Array;
  /** In the order in which their bytes follow the head. */
  readonly tensors: readonly TensorPlan[];
}

export interface CheckpointPlan {
  readonly shards: readonly ShardPlan[];
  /** model.safetensors.index.json; null for a single file. */
  readonly index: string | null;
  /** Bytes of all tensors. */
  readonly bytes: number;
}

/** Fill shards with tensors in the given order; one that is larger than `shardBytes` gets a shard of its own. */
export function planShards(tensors: readonly TensorPlan[], shardBytes: number): CheckpointPlan {
  const groups: TensorPlan[][] = [];
  let capacity = 0;
  for (const tensor of tensors) {
    const bytes = planBytes(tensor);
    if (groups.length === 0 || bytes > capacity) {
      groups.push([]);
      capacity = shardBytes;
    }
    groups.at(-1)?.push(tensor);
    capacity -= bytes;
  }
  const digits = (n: number): string => String(n).padStart(5, "0");
  const shards = groups.map((group, i): ShardPlan => {
    const sorted = inFileOrder(group);
    const file =
      groups.length === 1 ? "model.safetensors" : `model-${digits(i + 1)}-of-${digits(groups.length)}.safetensors`;
    return { file, head: safetensorsHead(sorted), tensors: sorted };
  });
  const bytes = tensors.reduce((sum, tensor) => sum + planBytes(tensor), 0);
  const weight_map = Object.fromEntries(
    shards.flatMap(({ file, tensors: held }) => held.map(({ name }) => [name, file])),
  );
  const index =
    shards.length === 1 ? null : `${JSON.stringify({ metadata: { total_size: bytes }, weight_map }, null, 2)}\n`;
  return { shards, index, bytes };
}
