/** A Hugging Face folder, wherever it is: in memory, behind a URL, or on disk (checkpointDirectory.ts, Node only). */
export interface CheckpointFiles {
  /** Paths relative to the folder, with forward slashes. */
  list(): string[];
  /** @throws CheckpointError when the file cannot be read. */
  read(path: string): Promise<Uint8Array>;
  /** Length of a file in bytes. */
  size(path: string): Promise<number>;
  /**
   * Bytes [from, to) of a file, so that a shard of many GB is never in memory as a whole.
   * @throws CheckpointError when they are not all there
   */
  readRange(path: string, from: number, to: number): Promise<Uint8Array>;
}

/** Bytes [from, to) of a file that is in memory. @throws CheckpointError when it is shorter */
function part(bytes: Uint8Array, path: string, from: number, to: number): Uint8Array {
  if (to > bytes.length)
    throw new CheckpointError(`${path}: ends at byte ${bytes.length}, expected bytes ${from} to ${to}.`);
  return bytes.subarray(from, to);
}

/** A folder or file of a checkpoint that cannot be used; the message says which and what was expected. */
export class CheckpointError extends Error {
  override readonly name = "CheckpointError";
}

/** A folder held in memory, e.g. what a policy was just written to. */
export class InMemoryFiles implements CheckpointFiles {
  constructor(private readonly files: ReadonlyMap<string, Uint8Array>) {}

  list(): string[] {
    return [...this.files.keys()];
  }

  async read(path: string): Promise<Uint8Array> {
    const bytes = this.files.get(path);
    if (!bytes)
      throw new CheckpointError(`${path}: not in the folder, which holds ${this.list().join(", ") || "nothing"}.`);
    return bytes;
  }

  async size(path: string): Promise<number> {
    return (await this.read(path)).length;
  }

  async readRange(path: string, from: number, to: number): Promise<Uint8Array> {
    return part(await this.read(path), path, from, to);
  }
}

/** What a folder written by this project holds; a URL cannot be listed, so `UrlFiles` assumes it. */
export const STANDARD_FILES = [
  "config.json",
  "generation_config.json",
  "model.safetensors",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "preprocessor_config.json",
  "chat_template.jinja",
] as const;

/**
 * A folder behind a URL. Each file is fetched whole when it is read (the page's policies are a few MB); one that is
 * read by ranges is fetched once and kept.
 */
export class UrlFiles implements CheckpointFiles {
  private readonly base: string;
  private readonly kept = new Map<string, Promise<Uint8Array>>();

  /** @param base address of the folder, with or without a final slash */
  constructor(
    base: string,
    private readonly names: readonly string[] = STANDARD_FILES,
    private readonly fetcher: (url: string) => Promise<Response> = (url) => fetch(url),
  ) {
    this.base = base.endsWith("/") ? base : `${base}/`;
  }

  list(): string[] {
    return [...this.names];
  }

  read(path: string): Promise<Uint8Array> {
    return this.kept.get(path) ?? this.fetched(path);
  }

  private async fetched(path: string): Promise<Uint8Array> {
    const url = this.base + path;
    let response: Response;
    try {
      response = await this.fetcher(url);
    } catch (error) {
      throw new CheckpointError(
        `${url}: could not be fetched (${error instanceof Error ? error.message : String(error)}).`,
      );
    }
    if (!response.ok)
      throw new CheckpointError(
        `${`${url}: the server answered ${response.status} ${response.statusText}`.trimEnd()}.`,
      );
    // A development server answers a missing file with the page itself.
    if (response.headers.get("content-type")?.startsWith("text/html"))
      throw new CheckpointError(`${url}: the server answered with an HTML page; the file is probably missing.`);
    return new Uint8Array(await response.arrayBuffer());
  }

  async size(path: string): Promise<number> {
    return (await this.whole(path)).length;
  }

  async readRange(path: string, from: number, to: number): Promise<Uint8Array> {
    return part(await this.whole(path), this.base + path, from, to);
  }

  private whole(path: string): Promise<Uint8Array> {
    const bytes = this.read(path);
    this.kept.set(path, bytes);
    return bytes;
  }
}
