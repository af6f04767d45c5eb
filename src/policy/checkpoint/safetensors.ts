/**
 * The safetensors format: 8 bytes little-endian header length, a JSON header {name: {dtype, shape, data_offsets}},
 * then the tensors' bytes, contiguous and little-endian. The reader trusts nothing: every length, offset, shape
 * and name is checked before a byte is handed out, and tensors are slices of the input, never copies.
 */
import { z } from "zod";
import { KIND_BYTES, otherKind } from "./fileKind";
import { jsonRefusal } from "./jsonBounds";

/** Bytes of one element. */
const ELEMENT_BYTES = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
} as const;
export type SafetensorsDtype = keyof typeof ELEMENT_BYTES;

/** Headers larger than this are refused (the format's own reader draws the same line, 100 MB). */
const MAX_HEADER_BYTES = 100_000_000;

/** An entry has a dtype, a shape and two offsets: room for some 200,000 tensors of a few dimensions. */
const HEADER_BOUNDS = { depth: 3, values: 2_000_000 };

const entrySchema = z.object({
  dtype: z.enum(Object.keys(ELEMENT_BYTES) as [SafetensorsDtype, ...SafetensorsDtype[]]),
  shape: z.array(z.int().nonnegative()),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
});
const metadataSchema = z.record(z.string(), z.string());

export interface TensorEntry {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** Byte range within the whole file. */
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  /** Length of the 8 bytes and the header together: where the data begins. */
  readonly dataStart: number;
  /** Length that the whole file must have. */
  readonly fileBytes: number;
}

/** A safetensors file that breaks the format; the message names file and tensor and what was expected. */
export class SafetensorsError extends Error {
  override readonly name = "SafetensorsError";
}

export function elementBytes(dtype: SafetensorsDtype): number {
  return ELEMENT_BYTES[dtype];
}

/** @param first up to KIND_BYTES bytes of the file. @throws SafetensorsError saying what the file is instead */
export function refuseOtherKind(first: Uint8Array, file: string): void {
  const other = first.length === 0 ? null : otherKind(first);
  if (other !== null) throw new SafetensorsError(`${file}: not safetensors but ${other}.`);
}

/** Header length from the first 8 bytes. `fileBytes` is the size of the whole file. */
export function headerLength(first: Uint8Array, fileBytes: number, file: string): number {
  if (first.length < 8)
    throw new SafetensorsError(
      `${file}: ${fileBytes} bytes long, expected at least 8 (the header's length). The file is truncated or not ` +
        "safetensors.",
    );
  const length = new DataView(first.buffer, first.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES))
    throw new SafetensorsError(
      `${file}: the header claims ${length} bytes, expected at most ${MAX_HEADER_BYTES}. The file is probably ` +
        "not safetensors.",
    );
  if (BigInt(fileBytes) < 8n + length)
    throw new SafetensorsError(
      `${file}: truncated inside the header; ${fileBytes} bytes long, expected at least ${8n + length}.`,
    );
  return Number(length);
}

/** Scan the header's keys for repeats within one object, which JSON.parse would silently merge. */
function refuseDuplicateKeys(json: string, file: string): void {
  const seen: Set<string>[] = []; // of each object or list that is open
  let tensor = "";
  for (let i = 0; i < json.length; i++) {
    const c = json[i];
    if (c === "{" || c === "[") seen.push(new Set());
    else if (c === "}" || c === "]") seen.pop();
    else if (c === '"') {
      const start = i++;
      while (i < json.length && json[i] !== '"') i += json[i] === "\\" ? 2 : 1;
      let after = i + 1;
      while (after < json.length && /\s/.test(json[after]!)) after++;
      if (json[after] !== ":") continue;
      const key = String(JSON.parse(json.slice(start, i + 1)));
      const known = seen.at(-1);
      if (known?.has(key))
        throw new SafetensorsError(
          seen.length === 1
            ? `${file}: tensor ${key} is named twice in the header.`
            : `${file}: tensor ${tensor}: ${key} is given twice.`,
        );
      known?.add(key);
      if (seen.length === 1) tensor = key;
    }
  }
}

function checkedEntry(name: string, raw: unknown, dataStart: number, dataBytes: number, file: string): TensorEntry {
  const parsed = entrySchema.safeParse(raw);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new SafetensorsError(
      `${file}: tensor ${name}: ${issue ? `${issue.path.join(".") || "entry"}: ${issue.message}` : "malformed entry"}.`,
    );
  }
  const {
    dtype,
    shape,
    data_offsets: [begin, end],
  } = parsed.data;
  const bytes = shape.reduce((product, size) => product * size, ELEMENT_BYTES[dtype]);
  if (!Number.isSafeInteger(bytes))
    throw new SafetensorsError(`${file}: tensor ${name}: the shape [${shape.join(", ")}] is too large to address.`);
  if (end < begin)
    throw new SafetensorsError(`${file}: tensor ${name}: data_offsets [${begin}, ${end}] end before they begin.`);
  if (end - begin !== bytes)
    throw new SafetensorsError(
      `${file}: tensor ${name}: ${dtype} of shape [${shape.join(", ")}] takes ${bytes} bytes, data_offsets ` +
        `[${begin}, ${end}] hold ${end - begin}.`,
    );
  if (end > dataBytes)
    throw new SafetensorsError(
      `${file}: tensor ${name}: data ends at byte ${dataStart + end}, but the file has only ` +
        `${dataStart + dataBytes}. The file is truncated.`,
    );
  return { name, dtype, shape, begin: dataStart + begin, end: dataStart + end };
}

/** Tensors must fill the data section exactly: no overlap, no hole, nothing after. */
function refuseOverlapsAndHoles(
  entries: readonly TensorEntry[],
  dataStart: number,
  fileBytes: number,
  file: string,
): void {
  let at = dataStart;
  let before = "the header";
  for (const entry of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (entry.begin < at)
      throw new SafetensorsError(
        `${file}: tensor ${entry.name} begins at byte ${entry.begin}, inside ${before}, which ends at ${at}.`,
      );
    if (entry.begin > at)
      throw new SafetensorsError(
        `${file}: ${entry.begin - at} bytes between ${before} and tensor ${entry.name} belong to no tensor.`,
      );
    at = entry.end;
    before = `tensor ${entry.name}`;
  }
  if (at !== fileBytes)
    throw new SafetensorsError(
      `${file}: ${fileBytes - at} bytes after ${before} belong to no tensor; expected the file to end at byte ${at}.`,
    );
}

/**
 * Parse and check a header.
 * @param header the JSON bytes (without the leading 8)
 * @param fileBytes size of the whole file
 * @throws SafetensorsError
 */
export function parseHeader(header: Uint8Array, fileBytes: number, file: string): SafetensorsHeader {
  const refusal = jsonRefusal(header, HEADER_BOUNDS);
  if (refusal !== null)
    throw new SafetensorsError(`${file}: the header is not that of a safetensors file: ${refusal}.`);
  let json: string;
  let raw: unknown;
  try {
    json = new TextDecoder("utf-8", { fatal: true }).decode(header);
    raw = JSON.parse(json);
  } catch (error) {
    throw new SafetensorsError(
      `${file}: the header is not valid JSON (${error instanceof Error ? error.message : String(error)}).`,
    );
  }
  if (typeof raw !== "object" || raw === null || Array.isArray(raw))
    throw new SafetensorsError(`${file}: the header is not a JSON object.`);
  refuseDuplicateKeys(json, file);
  const dataStart = 8 + header.length;
  const tensors = new Map<string, TensorEntry>();
  let metadata: Readonly<Record<string, string>> = {};
  for (const [name, value] of Object.entries(raw)) {
    if (name === "__metadata__") {
      const parsed = metadataSchema.safeParse(value);
      if (!parsed.success) throw new SafetensorsError(`${file}: __metadata__ must map strings to strings.`);
      metadata = parsed.data;
    } else {
      tensors.set(name, checkedEntry(name, value, dataStart, fileBytes - dataStart, file));
    }
  }
  refuseOverlapsAndHoles([...tensors.values()], dataStart, fileBytes, file);
  return { metadata, tensors, dataStart, fileBytes };
}

/** An opened file in memory. */
export class Safetensors {
  private constructor(
    readonly file: string,
    private readonly bytes: Uint8Array,
    readonly header: SafetensorsHeader,
  ) {}

  /** @throws SafetensorsError when anything in the file breaks the format. */
  static open(bytes: Uint8Array, file: string): Safetensors {
    refuseOtherKind(bytes.subarray(0, KIND_BYTES), file);
    const length = headerLength(bytes.subarray(0, 8), bytes.length, file);
    return new Safetensors(file, bytes, parseHeader(bytes.subarray(8, 8 + length), bytes.length, file));
  }

  names(): string[] {
    return [...this.header.tensors.keys()];
  }

  has(name: string): boolean {
    return this.header.tensors.has(name);
  }

  entry(name: string): TensorEntry {
    const entry = this.header.tensors.get(name);
    if (!entry)
      throw new SafetensorsError(
        `${this.file}: there is no tensor ${name}; it holds ${this.header.tensors.size} others.`,
      );
    return entry;
  }

  /** The tensor's bytes as they stand in the file (a slice, not a copy). */
  raw(name: string): Uint8Array {
    const { begin, end } = this.entry(name);
    return this.bytes.subarray(begin, end);
  }
}
