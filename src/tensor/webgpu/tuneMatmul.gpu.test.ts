/**
 * The tuner: what it chooses from times, what it refuses, what it stores, and that a real one leaves a backend that
 * computes correctly.
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { selfTest } from "../selfTest";
import { MATMUL_KINDS, type MatmulKind, uniformTable } from "./kernels/matmul/choice";
import { orderAsTemplate } from "./kernels/matmul/fragments";
import { type Timing, tune } from "./kernels/matmul/tuner";
import { parseTuningRecord, type TuningStore, tuningIdentity } from "./kernels/matmul/tuningRecord";
import type { MatmulAdapter, MatmulVariantName } from "./kernels/matmul/variant";
import { openNodeWebGpuBackend } from "./node";
import { type MatmulTuning, tuneMatmul } from "./tuneMatmul";
import { fileTuningStore } from "./tuningFile";

const gpu: MatmulAdapter = {
  software: false,
  features: new Set(["shader-f16", "subgroups", "chromium-experimental-subgroup-matrix"]),
  subgroupMinSize: 32,
  subgroupMaxSize: 32,
  subgroupIndex: true,
  workgroupBytes: 49152,
  fragments: {
    dialect: orderAsTemplate,
    configs: [{ componentType: "f16", resultComponentType: "f32", M: 16, N: 16, K: 16 }],
  },
};

/** A device as fast and as accurate as the test wants, and a clock that it moves. */
class Device implements Timing {
  clock = 0;
  readonly tried: string[] = [];
  constructor(
    readonly times: Partial<Record<MatmulVariantName, number>>,
    readonly compared: Partial<Record<MatmulVariantName, number | { readonly error: string }>> = {},
    readonly cost = 1,
  ) {}
  async compare(kind: MatmulKind, variant: MatmulVariantName): Promise<number | { readonly error: string }> {
    this.tried.push(`${kind} ${variant}`);
    this.clock += this.cost;
    return this.compared[variant] ?? 0;
  }
  async time(_kind: MatmulKind, variant: MatmulVariantName): Promise<number> {
    return this.times[variant] ?? 1;
  }
}

const choose = async (device: Device, adapter = gpu, budget = 1e6) => tune(adapter, device, budget, () => device.clock);

describe("the tuner", () => {
  it("takes the fastest variant; those that round, only for packed weights", async () => {
    const device = new Device({ sharedTiles: 4, registerTiles: 8, subgroups: 3, f16: 2, subgroupMatrix: 1 });
    const { table, untried } = await choose(device);
    expect(table).toEqual({
      fewRows: "subgroups",
      manyRows: "subgroups",
      inputGradient: "subgroups",
      weightGradient: "subgroups",
      fewRowsPacked: "subgroupMatrix",
      manyRowsPacked: "subgroupMatrix",
      inputGradientPacked: "f16",
    });
    expect(untried).toEqual([]);
  });

  it("keeps the plain variant unless another is a twentieth faster", async () => {
    expect(
      (
        await choose(
          new Device({ sharedTiles: 1, registerTiles: 0.96, subgroups: 0.96, f16: 0.96, subgroupMatrix: 0.96 }),
        )
      ).table,
    ).toEqual(uniformTable("sharedTiles"));
  });

  it("refuses a variant that computes something else or that the device refuses, however fast", async () => {
    const device = new Device(
      { sharedTiles: 4, subgroups: 0.1, registerTiles: 3, f16: 0.1, subgroupMatrix: 0.1 },
      { subgroups: 0.01, f16: { error: "no such type" }, subgroupMatrix: NaN },
    );
    const { table, trials } = await choose(device);
    expect(table).toEqual(uniformTable("registerTiles"));
    expect(trials.find(({ variant }) => variant === "subgroups")).toEqual({
      kind: "fewRows",
      variant: "subgroups",
      milliseconds: null,
      refused: "differs from the plain variant by 0.01 of the largest value, 0.0001 allowed",
    });
    expect(trials.find(({ variant }) => variant === "f16")?.refused).toBe("no such type");
  });

  it("leaves plain what there is no time for", async () => {
    const device = new Device({ sharedTiles: 4, registerTiles: 1 }, {}, 100);
    const { table, untried } = await choose(device, gpu, 150);
    expect(table.fewRows).toBe("registerTiles");
    expect(untried).toEqual(MATMUL_KINDS.slice(1));
    expect(table.manyRows).toBe("sharedTiles");
  });
});

describe("the kept choice", () => {
  const memory = (text: string | null): TuningStore & { text: string | null } => ({
    text,
    async read() {
      return this.text;
    },
    async write(fresh) {
      this.text = fresh;
    },
  });
  const run = (
    store: TuningStore,
    identity = "adapter | driver 1",
    device = new Device({ registerTiles: 0.1 }),
  ): Promise<MatmulTuning> => tuneMatmul({ adapter: gpu, identity, store, timing: device, now: () => 0 });

  it("is read back without measuring; another driver measures its own, and both are kept", async () => {
    const store = memory(null);
    const first = await run(store);
    expect(first.from).toBe("measured");
    const device = new Device({});
    expect(await run(store, "adapter | driver 1", device)).toEqual({
      table: first.table,
      from: "kept",
      trials: [],
      notes: [],
    });
    expect(device.tried).toEqual([]);
    const other = await run(store, "adapter | driver 2", device);
    expect([other.from, other.table.fewRows]).toEqual(["measured", "sharedTiles"]);
    expect((await run(store, "adapter | driver 1", device)).table.fewRows).toBe("registerTiles");
  });

  it("that is damaged is reported, measured again and replaced", async () => {
    for (const [text, why] of [
      ["{", /no JSON/],
      ['{"version":2,"choices":[]}', /version/],
      ['{"version":1,"choices":[{"identity":"a","table":{"fewRows":"magic"}}]}', /fewRows/],
    ] as const) {
      const store = memory(text);
      const { from, notes } = await run(store);
      expect(from).toBe("measured");
      expect(notes[0]).toMatch(/damaged/);
      expect(notes[0]).toMatch(why);
      expect(parseTuningRecord(store.text)).toMatchObject({
        version: 1,
        choices: [{ identity: "adapter | driver 1" }],
      });
    }
  });

  it("naming a variant that the adapter cannot run is measured again", async () => {
    const store = memory(
      JSON.stringify({ version: 1, choices: [{ identity: "adapter | driver 1", table: uniformTable("subgroups") }] }),
    );
    const { from, notes } = await tuneMatmul({
      adapter: { ...gpu, features: new Set() },
      identity: "adapter | driver 1",
      store,
      timing: new Device({}),
      now: () => 0,
    });
    expect([from, notes.some((note) => /names subgroups/.test(note))]).toEqual(["measured", true]);
  });

  it("that cannot be stored is reported, and used", async () => {
    const { table, notes } = await run({
      read: () => Promise.reject(new Error("no right to read")),
      write: () => Promise.reject(new Error("disk full")),
    });
    expect(table.fewRows).toBe("registerTiles");
    expect(notes.join(" ")).toMatch(/no right to read.*disk full/);
  });

  it("holds for one driver, environment, offer and code", () => {
    const info = { vendor: "v", architecture: "a", device: "d", description: "driver 1" } as GPUAdapterInfo;
    const identity = tuningIdentity(info, gpu, "Node v20");
    expect(tuningIdentity(info, gpu, "Node v20")).toBe(identity);
    expect(tuningIdentity({ ...info, description: "driver 2" }, gpu, "Node v20")).not.toBe(identity);
    expect(tuningIdentity(info, gpu, "Node v22")).not.toBe(identity);
    expect(tuningIdentity(info, { ...gpu, features: new Set(["subgroups"]), fragments: null }, "Node v20")).not.toBe(
      identity,
    );
  });
});

it("tunes this machine's adapter, keeps the choice in a file, and leaves a backend that is right", {
  timeout: 180_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), "tuning-"));
  const file = join(folder, "cache", "matmul.json");
  const tuning = { store: fileTuningStore(file), environment: "test" };
  const measured = await openNodeWebGpuBackend({ matmul: "tuned", tuning });
  expect(measured.matmulTuning?.from).toBe("measured");
  expect(
    measured.matmulTuning?.trials.every(
      ({ milliseconds, refused }) => (milliseconds ?? 0) > 0 && refused === undefined,
    ),
  ).toBe(true);
  await selfTest(measured);
  await measured.dispose();
  const kept = await openNodeWebGpuBackend({ matmul: "tuned", tuning });
  expect(kept.matmulTuning).toMatchObject({ from: "kept", table: measured.matmulTuning?.table });
  expect(kept.description.matmul).toBe(measured.description.matmul);
  await kept.dispose();
  writeFileSync(file, readFileSync(file, "utf8").slice(0, 40));
  const again = await openNodeWebGpuBackend({ matmul: "tuned", tuning });
  expect(again.matmulTuning).toMatchObject({ from: "measured" });
  expect(again.matmulTuning?.notes[0]).toMatch(/damaged/);
  await again.dispose();
  rmSync(folder, { recursive: true });
});
