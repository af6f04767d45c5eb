/**
 * Event files are, byte for byte, what the Python library writes (tensorboardX 2.6.5), and are cut back with the run.
 */
import { mkdtemp, readFile, rm, truncate, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StepMetrics } from "../../training/records";
import { crc32c, EventFile, maskedCrc32c, record, recordLengths, scalarsEvent, versionEvent } from "./tensorboard";

/** Three events, written by tensorboardX's RecordWriter with fixed times. */
const GOLDEN = [
  "GAAAAAAAAACjf0siCQAAEED8VNlBGg1icmFpbi5FdmVudDoyM40v6T0AAAAAAAAAYEnx7AkAAGBA/FTZQRABKjAKEgoLZ3Jwby9y",
  "ZXdhcmQVAABAPwoaChNncnBvL3Jld2FyZHMvZm9ybWF0Fc3MzL1A9gp5LwAAAAAAAABtXR1QCQAAgED8VNlBEKwCKiEKDwoIc2Z0",
  "L2xvc3MVAAAAAAoOCgdncnBvL2tsFQAAwH833JVW",
].join("");

test("CRC-32C has its published check values (RFC 3720, appendix B.4)", () => {
  expect(crc32c(new TextEncoder().encode("123456789"))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  expect(maskedCrc32c(new Uint8Array(0))).toBe(0xa282ead8);
});

test("records and events are the library's, to the byte", () => {
  const ours = Buffer.concat([
    record(versionEvent(1700000000.25)),
    record(
      scalarsEvent(1700000001.5, 1, [
        ["grpo/reward", 0.75],
        ["grpo/rewards/format", -0.1],
      ]),
    ),
    record(
      scalarsEvent(1700000002, 300, [
        ["sft/loss", 0],
        ["grpo/kl", Number.NaN],
      ]),
    ),
  ]);
  expect(ours.toString("base64")).toBe(GOLDEN);
  expect(recordLengths(ours)).toEqual([40, 77, 63]);
});

describe("a run's file", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "srpo-events-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const history: StepMetrics[] = [
    { step: 1, stage: "sft", loss: 3 },
    { step: 2, stage: "sft", loss: 2 },
    { step: 1, stage: "grpo", reward: 0.5 },
  ];

  async function whole(): Promise<{ file: EventFile; bytes: Buffer }> {
    const file = new EventFile(join(folder, "events"), () => 1);
    await file.begin();
    for (const metrics of history) await file.append(metrics);
    return { file, bytes: await readFile(file.path) };
  }

  test("is cut back to the steps that the snapshot knows", async () => {
    const { file, bytes } = await whole();
    const lengths = recordLengths(bytes);
    expect(lengths).toHaveLength(4);
    await file.restore(history.slice(0, 2));
    expect(await readFile(file.path)).toEqual(bytes.subarray(0, bytes.length - (lengths[3] ?? 0)));
  });

  test.each<[string, (path: string, bytes: Buffer) => Promise<void>]>([
    ["cut in the middle of a record", (path, bytes) => truncate(path, bytes.length - 5)],
    [
      "with a flipped bit",
      (path, bytes) => writeFile(path, Buffer.from(bytes.map((byte, i) => (i === 60 ? byte ^ 1 : byte)))),
    ],
    ["that is gone", (path) => unlink(path)],
  ])("one %s is made whole from the history", async (_what, damage) => {
    const { file, bytes } = await whole();
    await damage(file.path, bytes);
    await file.restore(history);
    expect(await readFile(file.path)).toEqual(bytes);
  });
});
