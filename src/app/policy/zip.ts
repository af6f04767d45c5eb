/**
 * A zip archive without compression ("store"), for downloading a policy folder as one file. Weights hardly compress.
 * Format: PKWARE APPNOTE 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory), 4.3.16 (end record).
 * Departs from it in what it leaves out: no zip64, so at most 4 GiB and 65,535 files.
 */
export interface ZipEntry {
  readonly path: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value >>> 0;
});

/** CRC-32 (ISO 3309), as zip wants it. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (CRC_TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** Flag bit 11: names are UTF-8. */
const UTF8 = 0x0800;
/** 1 January 1980, the format's first day: the same policy gives the same bytes. */
const DATE = 0x0021;
const LIMIT = 2 ** 32 - 1;

function record(
  size: number,
  fields: readonly (readonly [bytes: 2 | 4, value: number])[],
  tail: readonly Uint8Array[],
): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(size + tail.reduce((sum, part) => sum + part.length, 0));
  const view = new DataView(out.buffer);
  let at = 0;
  for (const [bytes, value] of fields) {
    if (bytes === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += bytes;
  }
  for (const part of tail) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** @throws RangeError when the archive would need zip64 */
export function zip(entries: readonly ZipEntry[]): Blob {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const directory: Uint8Array<ArrayBuffer>[] = [];
  let offset = 0;
  for (const { path, bytes } of entries) {
    const name = new TextEncoder().encode(path);
    const crc = crc32(bytes);
    const shared = [
      [2, UTF8],
      [2, 0],
      [2, 0],
      [2, DATE],
      [4, crc],
      [4, bytes.length],
      [4, bytes.length],
      [2, name.length],
      [2, 0],
    ] as const;
    const local = record(30, [[4, 0x04034b50], [2, 20], ...shared], [name]);
    directory.push(
      record(46, [[4, 0x02014b50], [2, 20], [2, 20], ...shared, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]], [name]),
    );
    parts.push(local, bytes);
    offset += local.length + bytes.length;
    if (offset > LIMIT)
      throw new RangeError(`The archive grows beyond 4 GiB at "${path}"; download its files one by one instead.`);
  }
  const size = directory.reduce((sum, entry) => sum + entry.length, 0);
  const end = record(
    22,
    [
      [4, 0x06054b50],
      [2, 0],
      [2, 0],
      [2, entries.length],
      [2, entries.length],
      [4, size],
      [4, offset],
      [2, 0],
    ],
    [],
  );
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}
