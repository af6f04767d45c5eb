/**
 * TensorBoard event files with scalars. A file is a sequence of TFRecords (u64 length, masked CRC-32C of the length,
 * data, masked CRC-32C of the data, all little-endian); each holds an `Event` of tensorflow/core/util/event.proto. The
 * first event names the version. Each training step is one event with all its numbers, so a file can be cut back to a
 * step on resume.
 */
import { appendFile, mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import type { StepMetrics } from "../../training/records";
import { readIfThere, writeAtomically } from "../files/atomicWrite";

/** TensorBoard reads any file with "tfevents" in its name. */
export const EVENT_FILE = "events.out.tfevents.srpo";
const VERSION = "brain.Event:2";
/** Length, checksum of the length, checksum of the data. */
const FRAME_BYTES = 8 + 4 + 4;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** CRC-32C (Castagnoli). */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (CRC_TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** A record's checksum, masked as TFRecord does, since data may itself contain checksums. */
export function maskedCrc32c(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** A record around its data. */
export function record(data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(FRAME_BYTES + data.length);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc32c(bytes.subarray(0, 8)), true);
  bytes.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc32c(data), true);
  return bytes;
}

/** Lengths in bytes of the complete records at the start of a file, up to the first damaged one. */
export function recordLengths(file: Uint8Array): number[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const lengths: number[] = [];
  for (let at = 0; at + FRAME_BYTES <= file.length; ) {
    const length = Number(view.getBigUint64(at, true));
    const end = at + FRAME_BYTES + length;
    if (view.getUint32(at + 8, true) !== maskedCrc32c(file.subarray(at, at + 8)) || end > file.length) break;
    if (view.getUint32(end - 4, true) !== maskedCrc32c(file.subarray(at + 12, end - 4))) break;
    lengths.push(end - at);
    at = end;
  }
  return lengths;
}

/** The first event of a file. @param wallTime seconds since 1970 */
export function versionEvent(wallTime: number): Uint8Array {
  return Uint8Array.of(...double(1, wallTime), ...bytesField(3, new TextEncoder().encode(VERSION)));
}

/** All numbers of one step. Values are stored as float32. */
export function scalarsEvent(
  wallTime: number,
  step: number,
  scalars: Iterable<readonly [tag: string, value: number]>,
): Uint8Array {
  const values = [...scalars].flatMap(([tag, value]) =>
    bytesField(1, [...bytesField(1, new TextEncoder().encode(tag)), ...float(2, value)]),
  );
  return Uint8Array.of(...double(1, wallTime), ...integer(2, step), ...bytesField(5, values));
}

/** The event file of a run's folder. */
export class EventFile {
  constructor(
    readonly path: string,
    private readonly now: () => number = () => Date.now() / 1000,
  ) {}

  async begin(): Promise<void> {
    await writeAtomically(this.path, record(versionEvent(this.now())));
  }

  async append(metrics: StepMetrics): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true });
    await appendFile(this.path, this.stepRecord(metrics));
  }

  /** Cut the file back to the steps of `history`; missing steps, or a missing file, are written again. */
  async restore(history: readonly StepMetrics[]): Promise<void> {
    const file = (await readIfThere(this.path)) ?? new Uint8Array(0);
    const kept = recordLengths(file).slice(0, 1 + history.length);
    const head =
      kept.length === 0
        ? record(versionEvent(this.now()))
        : file.subarray(
            0,
            kept.reduce((sum, length) => sum + length, 0),
          );
    const missing = history.slice(Math.max(0, kept.length - 1)).map((metrics) => this.stepRecord(metrics));
    await writeAtomically(this.path, Buffer.concat([head, ...missing]));
  }

  /** Each stage counts its steps from 1, so each has its own curves, e.g. "grpo/reward". */
  private stepRecord({ step, stage, ...scalars }: StepMetrics): Uint8Array {
    const tagged = Object.entries(scalars).flatMap(([name, value]) =>
      value === undefined ? [] : [[`${stage}/${name}`, value] as const],
    );
    return record(scalarsEvent(this.now(), step, tagged));
  }
}

/** Protocol buffers' wire format: a field's number and type, then its value. */
function tag(field: number, wireType: 0 | 1 | 2 | 5): number[] {
  return varint(field * 8 + wireType);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return [...bytes, rest];
}

function integer(field: number, value: number): number[] {
  return [...tag(field, 0), ...varint(value)];
}

function double(field: number, value: number): number[] {
  return [...tag(field, 1), ...new Uint8Array(Float64Array.of(value).buffer)];
}

function float(field: number, value: number): number[] {
  return [...tag(field, 5), ...new Uint8Array(Float32Array.of(value).buffer)];
}

function bytesField(field: number, bytes: ArrayLike<number> & Iterable<number>): number[] {
  return [...tag(field, 2), ...varint(bytes.length), ...bytes];
}
