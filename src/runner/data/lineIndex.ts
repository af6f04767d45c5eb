/**
 * The lines of a text file and their positions, to read a line again instead of keeping it: it may hold a whole image.
 */
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { markLength, refuseUtf16, utf8OrNull } from "../files/textFile";

export interface Line {
  /** Counted from 1. */
  readonly number: number;
  /** Null where the line is not UTF-8. */
  readonly text: string | null;
  /** In bytes. */
  readonly start: number;
  readonly length: number;
}

const NEWLINE = 10;

/** Lines that are not blank, in order, without a byte order mark. @throws InputError for a file in UTF-16 */
export async function* linesOf(path: string): AsyncGenerator<Line> {
  let pieces: Buffer[] = [];
  let number = 0;
  let start = 0;
  const ended = (): Line => {
    const bytes = Buffer.concat(pieces);
    pieces = [];
    if (number === 0) refuseUtf16(bytes, path);
    const mark = number === 0 ? markLength(bytes) : 0;
    const text = utf8OrNull(bytes.subarray(mark));
    const line = { number: ++number, text, start: start + mark, length: bytes.length - mark };
    start += bytes.length + 1;
    return line;
  };
  const stream: AsyncIterable<Buffer> = createReadStream(path);
  for await (const chunk of stream) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      pieces.push(chunk.subarray(from, end));
      from = end + 1;
      const line = ended();
      if (line.text?.trim() !== "") yield line;
    }
    if (from < chunk.length) pieces.push(chunk.subarray(from));
  }
  const last = ended();
  if (last.text?.trim() !== "") yield last;
}

/** The line's current text. */
export async function readLine(path: string, { start, length }: Pick<Line, "start" | "length">): Promise<string> {
  const file = await open(path);
  try {
    const bytes = Buffer.alloc(length);
    await file.read(bytes, 0, length, start);
    return bytes.toString("utf8");
  } finally {
    await file.close();
  }
}
