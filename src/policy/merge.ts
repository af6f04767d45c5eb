/**
 * An adapter merged into its base: W + (α/r)·B·A in every projection it adapts, as PEFT's merge_and_unload. The weights
 * keep their number format and position, so each weight file is the base's file with some rows replaced: it is streamed
 * in pieces of whole rows, and a checkpoint of any size needs memory for one piece and the adapter.
 *
 * Departs from PEFT by rounding once: product and sum are computed in double precision and then stored in the file's
 * format, whereas PEFT rounds the product to that format before adding.
 */
import { z } from "zod";
import { AdapterFile } from "./adapter/adapterFile";
import { addUpdate, type Update } from "./adapter/update";
import { Checkpoint, PIECE_BYTES, type Shard } from "./checkpoint/checkpoint";
import { CheckpointError, type CheckpointFiles } from "./checkpoint/checkpointFiles";
import { canonicalName } from "./checkpoint/checkpointNames";
import { withTie } from "./checkpoint/config";
import { parseJson } from "./checkpoint/configJson";
import { FiniteCheck } from "./checkpoint/finite";
import { elementBytes, type SafetensorsDtype, type TensorEntry } from "./checkpoint/safetensors";
import { toBfloat16, toFloat16, toFloat32 } from "./checkpoint/safetensorsValues";

/** A file of the merged folder, made piece by piece as it is written. */
export interface MergedFile {
  readonly path: string;
  readonly bytes: number;
  pieces(): AsyncGenerator<Uint8Array>;
}

export interface MergeOptions {
  /** Maximum bytes of weights read at a time (one row, if that is more). */
  readonly pieceBytes?: number;
  /** Merge NaN and infinity instead of refusing the tensor that holds them. Default false. */
  readonly allowNonFinite?: boolean;
}

/**
 * The files of the merged folder: weights first, config.json last, so that a folder whose writing was interrupted is
 * not mistaken for a checkpoint. Everything but the base's values is checked before the first piece is made.
 * @throws CheckpointError or SafetensorsError naming the tensor of base or adapter that does not fit
 */
export async function mergedFolder(
  base: CheckpointFiles,
  adapter: CheckpointFiles,
  { pieceBytes = PIECE_BYTES, allowNonFinite = false }: MergeOptions = {},
): Promise<MergedFile[]> {
  const checkpoint = await Checkpoint.open(base);
  const updates = await readUpdates(checkpoint, adapter, allowNonFinite);
  const shardNames = new Set(checkpoint.shards.map((shard) => shard.file));
  const others = base
    .list()
    .filter((path) => !shardNames.has(path) && !path.endsWith(".safetensors") && path !== "config.json");
  const carried = await Promise.all(
    others.map(
      async (path): Promise<MergedFile> => ({
        path,
        bytes: await base.size(path),
        async *pieces() {
          yield await base.read(path);
        },
      }),
    ),
  );
  const config = configBytes(checkpoint, await base.read("config.json"));
  return [
    ...checkpoint.shards.map((shard) => mergedShard(base, shard, updates, pieceBytes, allowNonFinite)),
    ...carried,
    {
      path: "config.json",
      bytes: config.length,
      async *pieces() {
        yield config;
      },
    },
  ];
}

/** config.json as it was; where it ties a head that is stored apart, without the tie. */
function configBytes({ config, configText }: Checkpoint, stored: Uint8Array): Uint8Array {
  const json = z.record(z.string(), z.unknown()).parse(parseJson(configText, "config.json"));
  const corrected = withTie(json, config);
  if (JSON.stringify(corrected) === JSON.stringify(json)) return stored;
  return new TextEncoder().encode(`${JSON.stringify(corrected, null, 2)}\n`);
}

/** The adapter's updates by the canonical name of the matrix they belong to. */
async function readUpdates(
  checkpoint: Checkpoint,
  adapter: CheckpointFiles,
  allowNonFinite: boolean,
): Promise<Map<string, Update>> {
  const file = await AdapterFile.open(adapter, checkpoint.config);
  if (!allowNonFinite) file.checkFinite();
  return new Map(
    file.matrices.map((adapted) => {
      refuseFormat(checkpoint.entry(adapted.matrix));
      return [adapted.matrix, file.update(adapted)];
    }),
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
  allowNonFinite: boolean,
): MergedFile {
  return {
    path: file,
    bytes: header.fileBytes,
    async *pieces() {
      yield await base.readRange(file, 0, header.dataStart);
      const inOrder = [...header.tensors.values()].sort((x, y) => x.begin - y.begin);
      for (const entry of inOrder) {
        const update = updates.get(canonicalName(entry.name));
        const where = `${file}: tensor ${entry.name}`;
        const check = new FiniteCheck(where, entry.shape);
        const size = elementBytes(entry.dtype);
        const rowBytes = update === undefined ? size : (entry.shape[1] ?? 1) * size;
        const step = Math.max(1, Math.floor(pieceBytes / rowBytes)) * rowBytes;
        for (let from = entry.begin; from < entry.end; from += step) {
          const bytes = await base.readRange(file, from, Math.min(entry.end, from + step));
          if (!allowNonFinite) check.see(toFloat32(bytes, entry.dtype, where), (from - entry.begin) / size);
          yield update === undefined ? bytes : updated(bytes, entry, (from - entry.begin) / rowBytes, update);
        }
        check.end();
      }
    },
  };
}

/** Rows from `firstRow` on with the update added, in the tensor's own format. */
function updated(bytes: Uint8Array, { name, dtype, shape }: TensorEntry, firstRow: number, update: Update): Uint8Array {
  const rows = Float32Array.from(toFloat32(bytes, dtype, `tensor ${name}`));
  addUpdate(rows, shape[1] ?? 1, firstRow, update);
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
