/**
 * The text of a file that a person gives: UTF-8, with or without a byte order mark. Bytes that are not UTF-8 are an
 * error: decoded leniently they would become replacement characters, which a policy then learns.
 */
import { InputError } from "./inputError";

/** Byte order mark of UTF-8, which Windows editors write. */
const BOM = [0xef, 0xbb, 0xbf] as const;

/** Bytes before the text: 3 for a byte order mark, else 0. */
export function markLength(bytes: Uint8Array): number {
  return BOM.every((byte, i) => bytes[i] === byte) ? BOM.length : 0;
}

/** @throws InputError for UTF-16, by its mark or by the zero byte beside its first letter */
export function refuseUtf16(bytes: Uint8Array, where: string): void {
  const [a = 1, b = 1] = bytes;
  const marked = (a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff);
  if (!marked && (bytes.length < 2 || (a === 0) === (b === 0))) return;
  throw new InputError(`${where}: is UTF-16, expected UTF-8; save it again with that encoding`);
}

/** Null where the bytes are not UTF-8. */
export function utf8OrNull(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}

/** @throws InputError when it is not UTF-8 */
export function decodeText(bytes: Uint8Array, where: string): string {
  refuseUtf16(bytes, where);
  const text = utf8OrNull(bytes.subarray(markLength(bytes)));
  if (text === null) throw new InputError(`${where}: is not UTF-8; save it again with that encoding`);
  return text;
}
