/**
 * Opening a Hugging Face folder: config.json, then either model.safetensors or the shards that
 * model.safetensors.index.json names; tensors under one canonical name, checked against the configuration before
 * anything is used: a configuration that does not fit is reported immediately, by name. Opening reads headers only;
 * tensors are read on demand, in pieces of whole rows, so a checkpoint of any size needs a few MB of memory.
 */
import { z } from "zod";
import { CheckpointError, type CheckpointFiles } from "./checkpointFiles";
import { canonicalName, expectedTensors, isIgnorable } from "./checkpointNames";
import type { PolicyConfig } from "./config";
import { parseJson, parseWith } from "./configJson";
import { DEQUANTISE, KIND_BYTES, otherWeights, quantisedNames } from "./fileKind";
import { openConfig } from "./generationConfig";
import {
  elementBytes,
  headerLength,
  parseHeader,
  refuseOtherKind,
  type SafetensorsDtype,
  type SafetensorsHeader,
  type TensorEntry,
} from "./safetensors";
import { toFloat32 } from "./safetensorsValues";

const indexSchema = z.looseObject({
  weight_map: z.record(
    z.string(),
    z.string().regex(/^[^/\\]+\.safetensors$/, "expected the name of a .safetensors file in the same folder"),
  ),
});

const TABLE = "model.embed_tokens.weight";
const HEAD = "lm_head.weight";
const SINGLE_FILE = "model.safetensors";
const INDEX_FILE = "model.safetensors.index.json";

/** Bytes on disk that are read at a time. */
export const PIECE_BYTES = 16 * 2 ** 20;

/** A safetensors file of the folder, with its header read. */
export interface Shard {
  readonly file: string;
  readonly header: SafetensorsHeader;
}

interface Located {
  readonly file: string;
  readonly entry: TensorEntry;
}

/** Rows of a tensor (elements, for a vector) from `firstRow` of its first dimension on, as float32. */
export interface TensorRows {
  readonly firstRow: number;
  readonly values: Float32Array;
}

/** Maximum number of names listed in one message. */
const MOST_NAMES = 6;

function listed(names: readonly string[]): string {
  const rest = names.length - MOST_NAMES;
  return names.slice(0, MOST_NAMES).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

/** Read and check the header of one shard. @throws SafetensorsError */
async function openShard(files: CheckpointFiles, file: string): Promise<Shard> {
  const size = await files.size(file);
  const first = await files.readRange(file, 0, Math.min(KIND_BYTES, size));
  refuseOtherKind(first, file);
  const length = headerLength(first.subarray(0, 8), size, file);
  return { file, header: parseHeader(await files.readRange(file, 8, 8 + length), size, file) };
}

async function openShards(files: CheckpointFiles): Promise<Shard[]> {
  const present = new Set(files.list());
  if (present.has(SINGLE_FILE)) return [await openShard(files, SINGLE_FILE)];
  if (!present.has(INDEX_FILE))
    throw new CheckpointError(
      `The folder holds neither ${SINGLE_FILE} nor ${INDEX_FILE}; it holds ` +
        `${otherWeights([...present]) ?? (listed([...present]) || "nothing")}.`,
    );
  const index = parseWith(indexSchema, parseJson(await files.read(INDEX_FILE), INDEX_FILE), INDEX_FILE, "");
  const shards: Shard[] = [];
  const names = [...new Set(Object.values(index.weight_map))].sort();
  const absent = names.filter((name) => !present.has(name));
  if (absent.length > 0)
    throw new CheckpointError(
      `${INDEX_FILE} names ${names.length} shards, of which ${absent.length} are not in the folder: ` +
        `${listed(absent)}. The download is not complete: fetch them as well.`,
    );
  for (const name of names) {
    const shard = await openShard(files, name);
    for (const [tensor, at] of Object.entries(index.weight_map)) {
      if (at === name && !shard.header.tensors.has(tensor))
        throw new CheckpointError(`${INDEX_FILE} places tensor ${tensor} in ${name}, which does not hold it.`);
    }
    shards.push(shard);
  }
  return shards;
}

function locate(shards: readonly Shard[]): Map<string, Located> {
  const located = new Map<string, Located>();
  for (const { file, header } of shards) {
    for (const [name, entry] of header.tensors) {
      const canonical = canonicalName(name);
      const other = located.get(canonical);
      if (other)
        throw new CheckpointError(
          `${file}: tensor ${name} stands for ${canonical}, as ${other.entry.name} in ${other.file} does.`,
        );
      located.set(canonical, { file, entry });
    }
  }
  return located;
}

/** Throws one CheckpointError that lists missing, extra and mis-shaped tensors by name. */
function checkAgainstConfig(located: ReadonlyMap<string, Located>, config: PolicyConfig): void {
  const expected = expectedTensors(config);
  refuseQuantised(located, expected);
  const missing = [...expected.keys()].filter((name) => !located.has(name));
  const extra = [...located.keys()].filter((name) => !expected.has(name) && !isIgnorable(name));
  const misshaped = [...expected].flatMap(([name, shape]) => {
    const found = located.get(name)?.entry.shape;
    return found && found.join() !== shape.join()
      ? [`${name} is [${found.join(", ")}], expected [${shape.join(", ")}]`]
      : [];
  });
  const problems = [
    ...(misshaped.length ? [`${misshaped.length} of another shape: ${listed(misshaped)}`] : []),
    ...(missing.length ? [`${missing.length} missing: ${listed(missing)}`] : []),
    ...(extra.length ? [`${extra.length} that the model does not have: ${listed(extra)}`] : []),
  ];
  if (problems.length) throw new CheckpointError(`The weights do not fit config.json. Tensors ${problems.join("; ")}.`);
}

const READ: ReadonlySet<SafetensorsDtype> = new Set<SafetensorsDtype>(["F64", "F32", "F16", "BF16"]);

/** A quantised checkpoint whose config.json does not say so. @throws CheckpointError naming a tensor and the method */
function refuseQuantised(located: ReadonlyMap<string, Located>, expected: ReadonlyMap<string, unknown>): void {
  const names = quantisedNames([...located.keys()]);
  const stored = [...located].find(([name, { entry }]) => expected.has(name) && !READ.has(entry.dtype))?.[1];
  if (names === null && stored === undefined) return;
  const { file, entry } = (names === null ? stored : located.get(names.tensor)) ?? { file: INDEX_FILE, entry: null };
  const how = names?.how ?? (entry?.dtype.startsWith("F8") ? "FP8" : "whole numbers");
  throw new CheckpointError(
    `${file}: tensor ${entry?.name}, ${entry?.dtype}: the weights are quantised: ${how}. ${DEQUANTISE}`,
  );
}

/** An opened, checked checkpoint. */
export class Checkpoint {
  private constructor(
    readonly files: CheckpointFiles,
    readonly config: PolicyConfig,
    /** config.json as it was, for writing it back unchanged. */
    readonly configText: string,
    /** The weight files, in order of their names. */
    readonly shards: readonly Shard[],
    private readonly located: ReadonlyMap<string, Located>,
  ) {}

  /**
   * @throws ConfigError, SafetensorsError or CheckpointError, each naming the file and the key or tensor.
   */
  static async open(files: CheckpointFiles): Promise<Checkpoint> {
    if (!files.list().includes("config.json"))
      throw new CheckpointError(
        files.list().includes("adapter_config.json")
          ? "The folder holds adapter_config.json and no config.json: it is a LoRA adapter. Pass it as the adapter, " +
              "and its base as the policy."
          : `The folder holds no config.json; it holds ${listed(files.list()) || "nothing"}. Is it a Hugging Face ` +
              "checkpoint?",
      );
    const { config, configText } = await openConfig(files);
    const shards = await openShards(files);
    const located = locate(shards);
    if (!config.text.tieWordEmbeddings || !located.has(HEAD)) {
      checkAgainstConfig(located, config);
      return new Checkpoint(files, config, configText, shards, located);
    }
    // As transformers 5: a tied head that is stored with other values than the table is a head of its own, and a table
    // that is not stored is the head.
    const untied = { ...config, text: { ...config.text, tieWordEmbeddings: false } };
    const head = located.get(HEAD);
    if (head !== undefined && !located.has(TABLE)) located.set(TABLE, head);
    checkAgainstConfig(located, untied);
    const separate = new Checkpoint(files, untied, configText, shards, located);
    return (await separate.sameBytes(HEAD, TABLE))
      ? new Checkpoint(files, config, configText, shards, located)
      : separate;
  }

  /** Canonical names (`model.layers…`, `visual…`, `lm_head.weight` unless tied), in the order of the model. */
  names(): string[] {
    return [...expectedTensors(this.config).keys()];
  }

  has(name: string): boolean {
    return this.located.has(canonicalName(name));
  }

  private at(name: string): Located {
    const located = this.located.get(canonicalName(name));
    if (!located) throw new CheckpointError(`The checkpoint has no tensor ${name}.`);
    return located;
  }

  /** Shape, dtype and position on disk, by either layout's name. */
  entry(name: string): TensorEntry {
    return this.at(name).entry;
  }

  /** File and tensor as they are named on disk, for messages. */
  where(name: string): string {
    const { file, entry } = this.at(name);
    return `${file}: tensor ${entry.name}`;
  }

  /** Whether two tensors are stored alike, to the bit. */
  private async sameBytes(a: string, b: string): Promise<boolean> {
    const [one, two] = [this.at(a), this.at(b)];
    const bytes = one.entry.end - one.entry.begin;
    if (one.entry.dtype !== two.entry.dtype || bytes !== two.entry.end - two.entry.begin) return false;
    for (let from = 0; from < bytes; from += PIECE_BYTES) {
      const to = Math.min(bytes, from + PIECE_BYTES);
      const [x, y] = await Promise.all(
        [one, two].map(({ file, entry }) => this.bytesOf(file, entry, entry.begin + from, entry.begin + to)),
      );
      if (x?.some((byte, i) => byte !== y?.[i])) return false;
    }
    return true;
  }

  /** Bytes on disk of all the model's tensors. */
  bytes(): number {
    return this.names().reduce((sum, name) => sum + this.entry(name).end - this.entry(name).begin, 0);
  }

  /**
   * A tensor row by row, by either layout's name, in pieces of at most `pieceBytes` bytes on disk (one row, if that is
   * more).
   * @throws CheckpointError or SafetensorsError naming file and tensor
   */
  async *pieces(name: string, pieceBytes = PIECE_BYTES): AsyncGenerator<TensorRows> {
    const { file, entry } = this.at(name);
    const rows = entry.shape[0] ?? 1;
    const rowBytes = entry.shape.slice(1).reduce((product, n) => product * n, elementBytes(entry.dtype));
    const step = Math.max(1, Math.floor(pieceBytes / rowBytes));
    for (let firstRow = 0; firstRow < rows; firstRow += step) {
      const end = Math.min(rows, firstRow + step);
      const bytes = await this.bytesOf(file, entry, entry.begin + firstRow * rowBytes, entry.begin + end * rowBytes);
      yield { firstRow, values: toFloat32(bytes, entry.dtype, this.where(name)) };
    }
  }

  /** A whole tensor as float32, by either layout's name. F32 tensors may be views of the file: do not write to them. */
  async read(name: string): Promise<Float32Array> {
    const { file, entry } = this.at(name);
    return toFloat32(await this.bytesOf(file, entry, entry.begin, entry.end), entry.dtype, this.where(name));
  }

  private async bytesOf(file: string, entry: TensorEntry, from: number, to: number): Promise<Uint8Array> {
    try {
      return await this.files.readRange(file, from, to);
    } catch (error) {
      throw new CheckpointError(`Tensor ${entry.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
