/**
 * An adapter merged into its base: W + (α/r)·B·A in every projection it adapts, as PEFT's merge_and_unload. The weights
 * keep their number format and position, so each weight file is the base's file with some rows replaced: it is streamed
 * in pieces of whole rows, and a checkpoint of any size needs memory for one piece and the adapter.
 *
 * Departs from PEFT by rounding once: product and sum are computed in double precision and then stored in the file's
 * format, whereas PEFT rounds the product to that format before adding.
 */
import { Checkpoint, PIECE_BYTES, type Shard } from "./checkpoint/checkpoint";
import { CheckpointError, type CheckpointFiles } from "./checkpoint/checkpointFiles";
import { canonicalName } from "./checkpoint/checkpointNames";
import { elementBytes, Safetensors, type SafetensorsDtype, type TensorEntry } from "./checkpoint/safetensors";
import { readFloat32, toBfloat16, toFloat16, toFloat32 } from "./checkpoint/safetensorsValues";
import { adapterTensorName, readAdapterConfig } from "./layers/lora";

const ADAPTER_FILE = "adapter_model.safetensors";

/** A file of the merged folder, made piece by piece as it is written. */
export interface MergedFile {
  readonly path: string;
  readonly bytes: number;
  pieces(): AsyncGenerator<Uint8Array>;
}

/** What is added to one matrix [out, in]: B [out, r] times A [r, in], scaled. */
interface Update {
  readonly a: Float32Array;
  readonly b: Float32Array;
  readonly rank: number;
  readonly scale: number;
}

/**
 * The files of the merged folder: weights first, config.json last, so that a folder whose writing was interrupted is
 * not mistaken for a checkpoint. Everything is checked before the first piece is made.
 * @param pieceBytes maximum bytes of weights read at a time (one row, if that is more)
 * @throws CheckpointError or SafetensorsError naming the tensor of base or adapter that does not fit
 */
export async function mergedFolder(
  base: CheckpointFiles,
  adapter: CheckpointFiles,
  pieceBytes = PIECE_BYTES,
): Promise<MergedFile[]> {
  const checkpoint = await Checkpoint.open(base);
  const updates = await readUpdates(checkpoint, adapter);
  const shardNames = new Set(checkpoint.shards.map((shard) => shard.file));
  const others = base
    .list()
    .filter((path) => !shardNames.has(path) && !path.endsWith(".safetensors") && path !== "config.json");
  const carried = await Promise.all(
    [...others, "config.json"].map(
      async (path): Promise<MergedFile> => ({
        path,
        bytes: await base.size(path),
        async *pieces() {
          yield await base.read(path);
        },
      }),
    ),
  );
  return [...checkpoint.shards.map((shard) => mergedShard(base, shard, updates, pieceBytes)), ...carried];
}

/** The adapter's updates by the canonical name of the matrix they belong to. */
async function readUpdates(checkpoint: Checkpoint, adapter: CheckpointFiles): Promise<Map<string, Update>> {
  const { rank, alpha, rankStabilised } = await readAdapterConfig(adapter);
  const scale = alpha / (rankStabilised ? Math.sqrt(rank) : rank);
  const file = Safetensors.open(await adapter.read(ADAPTER_FILE), ADAPTER_FILE);
  const pairs = new Map<string, { A?: string; B?: string }>();
  for (const stored of file.names()) {
    const match = /^base_model\.model\.model\.language_model\.(layers\..+)\.lora_(A|B)\.weight$/.exec(
      adapterTensorName(stored),
    );
    const matrix = `model.${match?.[1]}.weight`;
    if (match === null || !checkpoint.has(matrix))
      throw new CheckpointError(`${ADAPTER_FILE}: ${stored} belongs to no projection of the base.`);
    pairs.set(matrix, { ...pairs.get(matrix), [match[2] === "A" ? "A" : "B"]: stored });
  }
  if (pairs.size === 0) throw new CheckpointError(`${ADAPTER_FILE}: holds no tensor; there is nothing to merge.`);
  const updates = new Map<string, Update>();
  for (const [matrix, { A, B }] of pairs) {
    if (A === undefined || B === undefined)
      throw new CheckpointError(`${ADAPTER_FILE}: ${A ?? B} has no counterpart; ${matrix} needs lora_A and lora_B.`);
    const entry = checkpoint.entry(matrix);
    const [out = 0, columns = 0] = entry.shape;
    refuseShape(file.entry(A), [rank, columns]);
    refuseShape(file.entry(B), [out, rank]);
    refuseFormat(entry);
    updates.set(matrix, { a: readFloat32(file, A), b: readFloat32(file, B), rank, scale });
  }
  return updates;
}

function refuseShape({ name, shape }: TensorEntry, expected: readonly number[]): void {
  if (shape.join() !== expected.join())
    throw new CheckpointError(
      `${ADAPTER_FILE}: ${name} is [${shape.join(", ")}], expected [${expected.join(", ")}] for this base and rank.`,
    );
}

function refuseFormat({ name, dtype }: TensorEntry): void {
  if (dtype !== "F32" && dtype !== "F16" && dtype !== "BF16")
    throw new CheckpointError(
      `Tensor ${name} of the base is stored as ${dtype}; an adapter can be merged into F32, F16 and BF16.`,
    );
}

function mergedShard(
  base: CheckpointFiles,
  { file, header }: Shard,
  updates: ReadonlyMap<string, Update>,
  pieceBytes: number,
): MergedFile {
  return {
    path: file,
    bytes: header.fileBytes,
    async *pieces() {
      yield await base.readRange(file, 0, header.dataStart);
      const inOrder = [...header.tensors.values()].sort((x, y) => x.begin - y.begin);
      for (const entry of inOrder) {
        const update = updates.get(canonicalName(entry.name));
        const rowBytes = update === undefined ? 1 : (entry.shape[1] ?? 1) * elementBytes(entry.dtype);
        const step = Math.max(1, Math.floor(pieceBytes / rowBytes)) * rowBytes;
        for (let from = entry.begin; from < entry.end; from += step) {
          const bytes = await base.readRange(file, from, Math.min(entry.end, from + step));
          yield update === undefined ? bytes : updated(bytes, entry, (from - entry.begin) / rowBytes, update);
        }
      }
    },
  };
}

/** Rows from `firstRow` on with the update added, in the tensor's own format. */
function updated(
  bytes: Uint8Array,
  { name, dtype, shape }: TensorEntry,
  firstRow: number,
  { a, b, rank, scale }: Update,
): Uint8Array {
  const columns = shape[1] ?? 1;
  const rows = Float32Array.from(toFloat32(bytes, dtype, `tensor ${name}`));
  const delta = new Float64Array(columns);
  for (let row = 0; row * columns < rows.length; row++) {
    delta.fill(0);
    for (let r = 0; r < rank; r++) {
      const factor = scale * (b[(firstRow + row) * rank + r] ?? 0);
      for (let column = 0; column < columns; column++) delta[column]! += factor * a[r * columns + column]!;
    }
    for (let column = 0; column < columns; column++) rows[row * columns + column]! += delta[column]!;
  }
  return stored(rows, dtype, name);
}

function stored(values: Float32Array, dtype: SafetensorsDtype, name: string): Uint8Array {
  switch (dtype) {
    case "F32":
      return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    case "F16":
      return toFloat16(values, `merging ${name}`);
    case "BF16":
      return toBfloat16(values);
    default:
      throw new CheckpointError(
        `Tensor ${name} is stored as ${dtype}; an adapter can be merged into F32, F16 and BF16.`,
      );
  }
}
