/**
 * The rows of a data set, whatever its format: JSON Lines, one JSON list, or a Parquet table. Rows are read in order;
 * the image fields of one row are read again when they are needed, because they may hold whole images.
 */
import { open } from "node:fs/promises";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import {
  asyncBufferFromFile,
  type Compressors,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
} from "hyparquet";
import { z } from "zod";
import { notJson, parseJsonRow, readInput } from "../arguments/inputFile";
import { InputError } from "../files/inputError";
import { shortened } from "../files/shortened";
import { markLength } from "../files/textFile";
import { ImageReferenceError } from "./imageReference";
import { type Line, linesOf, readLine } from "./lineIndex";

/** A row as parsed, or why it cannot be. */
export type Row = ({ readonly value: unknown } | { readonly fault: string }) & {
  /** Counted from 1, in a file with a row on each line. */
  readonly line?: number;
};

export interface Rows {
  /** In order, read once. */
  readonly rows: AsyncIterable<Row>;
  /** The image fields of a row that was read. @throws ImageReferenceError when they cannot be read any more */
  images(row: number): Promise<unknown>;
}

interface Columns {
  readonly texts: readonly string[];
  readonly images: readonly string[];
}

/** @param columns read from a table; JSON rows are given whole @throws Error when the file cannot be read */
export async function openRows(path: string, columns: Columns): Promise<Rows> {
  const start = await firstBytes(path);
  if (path.endsWith(".parquet") || start.subarray(0, 4).toString("latin1") === "PAR1") return openTable(path, columns);
  const text = start.subarray(markLength(start)).toString("latin1").trimStart();
  return text.startsWith("[") ? openList(path) : openLines(path);
}

async function firstBytes(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4096), 0, 4096, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

const anything = z.unknown();

function openLines(path: string): Rows {
  const lines: Pick<Line, "start" | "length">[] = [];
  return {
    rows: (async function* () {
      for await (const { text, number, start, length } of linesOf(path)) {
        lines.push({ start, length });
        yield { line: number, ...(text === null ? { fault: "not UTF-8" } : parseJsonRow(text, anything)) };
      }
    })(),
    async images(row) {
      const line = lines[row];
      const read =
        line === undefined ? { fault: "there is no such row" } : parseJsonRow(await readLine(path, line), anything);
      if ("fault" in read) throw new ImageReferenceError(`its line has changed: ${read.fault}`);
      return read.value;
    },
  };
}

async function openList(path: string): Promise<Rows> {
  const text = await readInput(path);
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (error) {
    throw new InputError(`${path}: ${notJson(error)}; expected a JSON list, or one record a line`);
  }
  const values: readonly unknown[] = z.array(anything).parse(list);
  return {
    rows: (async function* () {
      for (const value of values) yield { value };
    })(),
    images: async (row) => values[row],
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

async function openTable(path: string, columns: Columns): Promise<Rows> {
  try {
    const file = await asyncBufferFromFile(path);
    const metadata = await parquetMetadataAsync(file);
    const present = parquetSchema(metadata).children.map((child) => child.element.name);
    const [texts, images] = [columns.texts, columns.images].map((names) =>
      names.filter((name) => present.includes(name)),
    );
    // Without columns hyparquet would read them all, images included.
    const rows: readonly unknown[] =
      texts?.length === 0
        ? Array.from({ length: Number(metadata.num_rows) }, () => ({}))
        : await parquetReadObjects({ file, metadata, compressors, columns: texts });
    return {
      rows: (async function* () {
        for (const value of rows) yield { value };
      })(),
      async images(row) {
        if (images?.length === 0) return {};
        try {
          const [read] = await parquetReadObjects({
            file,
            metadata,
            compressors,
            columns: images,
            rowStart: row,
            rowEnd: row + 1,
            utf8: false,
            useOffsetIndex: true,
          });
          return read;
        } catch (error) {
          throw new ImageReferenceError(`image: cannot be read from the table (${said(error)})`);
        }
      },
    };
  } catch (error) {
    throw new InputError(`${path}: cannot be read as parquet (${said(error)})`);
  }
}

function said(error: unknown): string {
  return shortened(error instanceof Error ? error.message : String(error), 300);
}
