/**
 * The user's own data set: records of {image or images, question, answer} in a JSON Lines or Parquet file. Texts are
 * read and checked when the set is opened; images (files, data URLs, bytes in the table) are read and decoded on
 * demand.
 *
 * An image is a path (relative to the images folder, by default the file's own), a data URL, base64 under {bytes}, or
 * in Parquet plain bytes or the {bytes, path} structure that Hugging Face writes. Other columns are ignored. A record
 * is named by its `id`, else by its row number; evaluations are grouped by its `category`, else "data". `answerKind`
 * and `tolerance` say what the grader requires of an answer (src/srpo/grader).
 */
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import {
  asyncBufferFromFile,
  type Compressors,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
} from "hyparquet";
import { z } from "zod";
import { InputError } from "../files/inputError";
import { type AnswerRule, answerRuleOf, answerRuleShape } from "./answerRules";
import { type Line, linesOf, readLine } from "./lineIndex";

const text = z
  .union([z.string(), z.number(), z.boolean(), z.bigint()])
  .transform(String)
  .pipe(z.string().trim().min(1, "is empty"));
/** Bytes of a table cell. */
const bytesSchema = z.instanceof(Uint8Array);
const imageSchema = z.union([
  z.string().min(1),
  bytesSchema,
  z
    .object({ bytes: z.union([bytesSchema, z.string()]).nullish(), path: z.string().nullish() })
    .refine(({ bytes, path }) => bytes != null || path != null, "has neither bytes nor path"),
]);
export type ImageReference = z.output<typeof imageSchema>;
const imagesShape = { image: imageSchema.nullish(), images: z.array(imageSchema).nullish() };
const textShape = {
  id: text.nullish(),
  category: text.nullish(),
  question: text.nullish(),
  problem: text.nullish(),
  answer: text,
  ...answerRuleShape,
};

const recordSchema = z.object({ ...textShape, ...imagesShape });
const imagesSchema = z.object(imagesShape);

/** The rule says what the grader requires of an answer. */
export interface DataRecord extends AnswerRule {
  readonly id: string;
  readonly category: string;
  readonly question: string;
  readonly answer: string;
}

export interface DataRecords {
  readonly path: string;
  readonly records: readonly DataRecord[];
  /** The encoded images of a record, in order; at least one. @throws InputError naming the record */
  images(index: number): Promise<readonly Uint8Array[]>;
}

/**
 * @param imagesFolder base of image paths; null: the file's folder.
 * @throws InputError naming the invalid row and field
 */
export async function openDataRecords(path: string, imagesFolder: string | null = null): Promise<DataRecords> {
  const folder = imagesFolder ?? dirname(path);
  const opened = path.endsWith(".parquet") ? await openTable(path) : await openLines(path);
  if (opened.records.length === 0) throw new InputError(`${path}: contains no records`);
  const seen = new Map<string, number>();
  opened.records.forEach(({ id }, index) => {
    const first = seen.get(id);
    if (first !== undefined) throw new InputError(`${path}: rows ${first} and ${index} have the same id "${id}"`);
    seen.set(id, index);
  });
  return {
    path,
    records: opened.records,
    async images(index) {
      const where = `${path}, row ${index}`;
      const references = await opened.references(index);
      if (references.length === 0) throw new InputError(`${where}: no image; expected the field image or images`);
      return Promise.all(references.map((reference) => imageBytes(reference, folder, where)));
    },
  };
}

interface Opened {
  readonly records: DataRecord[];
  references(index: number): Promise<readonly ImageReference[]>;
}

async function openLines(path: string): Promise<Opened> {
  const records: DataRecord[] = [];
  const lines: Pick<Line, "number" | "start" | "length">[] = [];
  const rowOf = (text: string, number: number): z.output<typeof recordSchema> =>
    parsedRow(recordSchema, jsonOf(text, `${path}, line ${number}`), `${path}, line ${number}`);
  try {
    for await (const { text, number, start, length } of linesOf(path)) {
      records.push(dataRecord(rowOf(text, number), records.length, `${path}, line ${number}`));
      lines.push({ number, start, length });
    }
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`${path}: cannot be read (${error instanceof Error ? error.message : String(error)})`);
  }
  return {
    records,
    async references(index) {
      const line = lines[index];
      return line === undefined ? [] : imagesOf(rowOf(await readLine(path, line), line.number));
    },
  };
}

/** Bytes of one page of a column; a page with more is refused before it is decompressed. */
const MAX_PAGE = 512 * 2 ** 20;

/** A page's length, as its head states it: a bomb that unpacks to more is cut off there. @throws Error */
function pageLength(stated: number): { readonly maxOutputLength: number } {
  if (stated > MAX_PAGE) throw new Error(`a page of ${stated} bytes; expected at most ${MAX_PAGE}`);
  return { maxOutputLength: Math.max(1, stated) };
}

/** In addition to snappy, which hyparquet includes. */
const compressors: Compressors = {
  GZIP: (bytes, length) => new Uint8Array(gunzipSync(bytes, pageLength(length))),
  BROTLI: (bytes, length) => new Uint8Array(brotliDecompressSync(bytes, pageLength(length))),
};

async function openTable(path: string): Promise<Opened> {
  try {
    const file = await asyncBufferFromFile(path);
    const metadata = await parquetMetadataAsync(file);
    const present = parquetSchema(metadata).children.map((child) => child.element.name);
    const columnsOf = (shape: object): string[] => Object.keys(shape).filter((name) => present.includes(name));
    const rows = await parquetReadObjects({ file, metadata, compressors, columns: columnsOf(textShape) });
    const records = rows.map((row, index) =>
      dataRecord(parsedRow(z.object(textShape), row, `${path}, row ${index}`), index, `${path}, row ${index}`),
    );
    const columns = columnsOf(imagesShape);
    return {
      records,
      async references(index) {
        if (columns.length === 0) return [];
        const [row] = await parquetReadObjects({
          file,
          metadata,
          compressors,
          columns,
          rowStart: index,
          rowEnd: index + 1,
          utf8: false,
          useOffsetIndex: true,
        });
        return imagesOf(parsedRow(imagesSchema, row, `${path}, row ${index}`));
      },
    };
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(
      `${path}: cannot be read as parquet (${error instanceof Error ? error.message : String(error)})`,
    );
  }
}

function jsonOf(json: string, where: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new InputError(`${where}: not JSON (${error instanceof Error ? error.message : String(error)})`);
  }
}

function parsedRow<T>(schema: z.ZodType<T>, row: unknown, where: string): T {
  const parsed = schema.safeParse(row);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new InputError(`${where}: ${issue?.path.join(".") || "value"}: ${issue?.message ?? "invalid"}`);
}

function dataRecord(
  { id, category, question, problem, answer, ...rule }: z.output<z.ZodObject<typeof textShape>>,
  index: number,
  where: string,
): DataRecord {
  const text = question ?? problem;
  if (text == null) throw new InputError(`${where}: question: is missing`);
  return { id: id ?? String(index), category: category ?? "data", question: text, answer, ...answerRuleOf(rule) };
}

function imagesOf({ image, images }: z.output<typeof imagesSchema>): readonly ImageReference[] {
  return images ?? (image == null ? [] : [image]);
}

async function imageBytes(reference: ImageReference, folder: string, where: string): Promise<Uint8Array> {
  if (reference instanceof Uint8Array) return reference;
  if (typeof reference === "string")
    return reference.startsWith("data:") ? dataUrlBytes(reference, where) : fileBytes(reference, folder, where);
  const { bytes, path } = reference;
  if (typeof bytes === "string") return new Uint8Array(Buffer.from(bytes, "base64"));
  if (bytes != null) return bytes;
  return fileBytes(path ?? "", folder, where);
}

function dataUrlBytes(url: string, where: string): Uint8Array {
  const match = /^data:[^,]*;base64,([A-Za-z0-9+/=\s]+)$/.exec(url);
  if (match === null)
    throw new InputError(`${where}: image: invalid data URL "${url.slice(0, 40)}…"; expected data:image/…;base64,…`);
  return new Uint8Array(Buffer.from(match[1] ?? "", "base64"));
}

async function fileBytes(path: string, folder: string, where: string): Promise<Uint8Array> {
  const file = resolve(folder, path);
  try {
    return new Uint8Array(await readFile(file));
  } catch (error) {
    throw new InputError(
      `${where}: image: ${file} cannot be read (${error instanceof Error ? error.message : String(error)})`,
    );
  }
}
