/**
 * Opening a Hugging Face folder: config.json, then either model.safetensors or the shards that
 * model.safetensors.index.json names; tensors under one canonical name, checked against the configuration
 * before anything is used, so that a config that fits no checkpoint is told at once and by name.
 */
import { z } from "zod";
import { CheckpointError, type CheckpointFiles } from "./checkpointFiles";
import { canonicalName, expectedTensors, isIgnorable } from "./checkpointNames";
import { parseConfig, parseJson, parseWith, type PolicyConfig } from "./config";
import { Safetensors, type TensorEntry } from "./safetensors";
import { readFloat32 } from "./safetensorsValues";

const indexSchema = z.looseObject({ weight_map: z.record(z.string(), z.string().regex(/^[^/\\]+\.safetensors$/, "expected the name of a .safetensors file in the same folder")) });

const SINGLE_FILE = "model.safetensors";
const INDEX_FILE = "model.safetensors.index.json";

interface Located {
  readonly file: Safetensors;
  readonly entry: TensorEntry;
}

/** At most so many names are listed in one message. */
const MOST_NAMES = 6;

function listed(names: readonly string[]): string {
  const rest = names.length - MOST_NAMES;
  return names.slice(0, MOST_NAMES).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

async function openShards(files: CheckpointFiles): Promise<Safetensors[]> {
  const present = new Set(files.list());
  if (present.has(SINGLE_FILE)) return [Safetensors.open(await files.read(SINGLE_FILE), SINGLE_FILE)];
  if (!present.has(INDEX_FILE)) throw new CheckpointError(`The folder holds neither ${SINGLE_FILE} nor ${INDEX_FILE}; it holds ${listed([...present]) || "nothing"}.`);
  const index = parseWith(indexSchema, parseJson(await files.read(INDEX_FILE), INDEX_FILE), INDEX_FILE, "");
  const shards: Safetensors[] = [];
  for (const name of [...new Set(Object.values(index.weight_map))].sort()) {
    if (!present.has(name)) throw new CheckpointError(`${INDEX_FILE} names the shard ${name}, which is not in the folder.`);
    const shard = Safetensors.open(await files.read(name), name);
    for (const [tensor, at] of Object.entries(index.weight_map)) {
      if (at === name && !shard.has(tensor)) throw new CheckpointError(`${INDEX_FILE} places tensor ${tensor} in ${name}, which does not hold it.`);
    }
    shards.push(shard);
  }
  return shards;
}

function locate(shards: readonly Safetensors[]): Map<string, Located> {
  const located = new Map<string, Located>();
  for (const file of shards) {
    for (const [name, entry] of file.header.tensors) {
      const canonical = canonicalName(name);
      const other = located.get(canonical);
      if (other) throw new CheckpointError(`${file.file}: tensor ${name} stands for ${canonical}, as ${other.entry.name} in ${other.file.file} does.`);
      located.set(canonical, { file, entry });
    }
  }
  return located;
}

/** Throws one CheckpointError that lists missing, extra and mis-shaped tensors by name. */
function checkAgainstConfig(located: ReadonlyMap<string, Located>, config: PolicyConfig): void {
  const expected = expectedTensors(config);
  const missing = [...expected.keys()].filter((name) => !located.has(name));
  const extra = [...located.keys()].filter((name) => !expected.has(name) && !isIgnorable(name, config));
  const misshaped = [...expected].flatMap(([name, shape]) => {
    const found = located.get(name)?.entry.shape;
    return found && found.join() !== shape.join() ? [`${name} is [${found.join(", ")}], expected [${shape.join(", ")}]`] : [];
  });
  const problems = [
    ...(misshaped.length ? [`${misshaped.length} of another shape: ${listed(misshaped)}`] : []),
    ...(missing.length ? [`${missing.length} missing: ${listed(missing)}`] : []),
    ...(extra.length ? [`${extra.length} that the model does not have: ${listed(extra)}`] : []),
  ];
  if (problems.length) throw new CheckpointError(`The weights do not fit config.json. Tensors ${problems.join("; ")}.`);
}

/** An opened, checked checkpoint. */
export class Checkpoint {
  private constructor(
    readonly files: CheckpointFiles,
    readonly config: PolicyConfig,
    /** config.json as it was, for writing it back unchanged. */
    readonly configText: string,
    private readonly located: ReadonlyMap<string, Located>,
  ) {}

  /**
   * @throws ConfigError, SafetensorsError or CheckpointError, each naming the file and the key or tensor.
   */
  static async open(files: CheckpointFiles): Promise<Checkpoint> {
    if (!files.list().includes("config.json")) throw new CheckpointError(`The folder holds no config.json; it holds ${listed(files.list()) || "nothing"}. Is it a Hugging Face checkpoint?`);
    const configText = new TextDecoder().decode(await files.read("config.json"));
    const config = parseConfig(configText);
    const located = locate(await openShards(files));
    checkAgainstConfig(located, config);
    return new Checkpoint(files, config, configText, located);
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

  /** Shape, dtype and place on disk, by either layout's name. */
  entry(name: string): TensorEntry {
    return this.at(name).entry;
  }

  /** Values as float32, by either layout's name. F32 tensors are views of the file: do not write to them. */
  read(name: string): Float32Array {
    const { file, entry } = this.at(name);
    return readFloat32(file, entry.name);
  }
}
