/** Sizes on the command line: decimal units, as the hub and GPU makers count. */
import { UsageError } from "./usage";

/** "7.51 GB", "470 KB". */
export function readableBytes(bytes: number): string {
  const [unit, scale] =
    bytes >= 1e9 ? ["GB", 1e9] : bytes >= 1e6 ? ["MB", 1e6] : bytes >= 1e3 ? ["KB", 1e3] : ["bytes", 1];
  const value = bytes / Number(scale);
  return `${value >= 100 || scale === 1 ? value.toFixed(0) : value.toPrecision(3)} ${unit}`;
}

/** "5GB", "500MB" or plain bytes. @throws UsageError naming the flag */
export function byteCount(flag: string, text: string): number {
  const [, digits, unit = ""] = /^(\d+(?:\.\d+)?)\s*(GB|MB|KB)?$/i.exec(text) ?? [];
  const scale = { gb: 1e9, mb: 1e6, kb: 1e3, "": 1 }[unit.toLowerCase()] ?? 1;
  const bytes = Math.floor(Number(digits) * scale);
  if (!(bytes > 0)) throw new UsageError(`--${flag}: "${text}" is not a size; expected e.g. 5GB or 500MB`);
  return bytes;
}
