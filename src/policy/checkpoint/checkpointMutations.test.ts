/**
 * Some hundreds of damaged or hostile checkpoints, made from a good one by a seeded generator. Whatever is wrong with a
 * file: either loading refuses it with one of our errors that names the file, leaving nothing on the backend, or what
 * it loads is complete. It never crashes in another way, and never takes long.
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Backend } from "../../tensor/backend";
import { randomBits } from "../../tensor/random";
import { openWasmBackend } from "../../tensor/wasm/backend";
import { Policy } from "../policy";
import { openDirectory } from "./checkpointDirectory";
import { CheckpointError, InMemoryFiles } from "./checkpointFiles";
import { ConfigError } from "./configJson";
import { headerLength, SafetensorsError } from "./safetensors";

const directory = await openDirectory(new URL("../golden/tiny_untied", import.meta.url).pathname);
const config = await directory.read("config.json");
const weights = await directory.read("model.safetensors");
const dataStart = 8 + headerLength(weights.subarray(0, 8), weights.length, "model.safetensors");
const headerText = new TextDecoder().decode(weights.subarray(8, dataStart));
const data = weights.subarray(dataStart);
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** Draws of one mutation. */
class Draws {
  private count = 0;
  constructor(private readonly seed: number) {}
  below(n: number): number {
    return randomBits(this.seed, 0, 0, this.count++) % n;
  }
  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }
}

interface Entry {
  dtype: unknown;
  shape: unknown;
  data_offsets: unknown;
}
type Header = [string, Entry][];

function header(): Header {
  const parsed: Record<string, Entry> = JSON.parse(headerText);
  return Object.entries(parsed).filter(([name]) => name !== "__metadata__");
}

function file(json: string, claimed: bigint | null = null, body = data): Uint8Array {
  const encoded = text(json);
  const bytes = new Uint8Array(8 + encoded.length + body.length);
  new DataView(bytes.buffer).setBigUint64(0, claimed ?? BigInt(encoded.length), true);
  bytes.set(encoded, 8);
  bytes.set(body, 8 + encoded.length);
  return bytes;
}

const render = (entries: Header): string =>
  `{${entries.map(([name, entry]) => `${JSON.stringify(name)}:${JSON.stringify(entry)}`).join(",")}}`;
const NUMBERS: readonly unknown[] = [
  -1,
  0,
  1,
  0.5,
  1e9,
  2 ** 31,
  2 ** 32,
  2 ** 53 - 1,
  2 ** 53,
  1e308,
  "8",
  null,
  [],
  {},
  true,
];
const NAMES = [
  "../../etc/passwd",
  "__proto__",
  "constructor",
  "",
  "a\u0000b",
  "model.norm.weight",
  "model.language_model.norm.weight",
  "C:\\w",
  "lm_head.weight ",
  "x".repeat(5000),
  "\ud800",
  "__metadata__",
];

/** Each takes the good checkpoint and returns a damaged model.safetensors. */
const MUTATIONS: Readonly<Record<string, (draws: Draws) => Uint8Array>> = {
  "bytes of the header": (draws) => {
    const bytes = weights.slice();
    for (let n = 1 + draws.below(4); n > 0; n--) bytes[draws.below(dataStart)] = draws.below(256);
    return bytes;
  },
  truncation: (draws) => weights.slice(0, draws.below(weights.length)),
  "bytes after the end": (draws) => file(headerText, null, new Uint8Array(data.length + 1 + draws.below(100))),
  "a claimed header length": (draws) =>
    file(
      headerText,
      draws.of([
        0n,
        1n,
        7n,
        BigInt(headerText.length - 1),
        BigInt(headerText.length + 1),
        BigInt(weights.length),
        100_000_001n,
        2n ** 53n,
        2n ** 64n - 1n,
      ]),
    ),
  offsets: (draws) => {
    const entries = header();
    const [, entry] = draws.of(entries);
    const offsets = entry.data_offsets as unknown[];
    const which = draws.below(2);
    offsets[which] = draws.below(2) === 0 ? draws.of(NUMBERS) : Number(offsets[which]) + draws.below(65) - 32;
    return file(render(entries));
  },
  "offsets of two tensors swapped": (draws) => {
    const entries = header();
    const [a, b] = [draws.of(entries)[1], draws.of(entries)[1]];
    [a.data_offsets, b.data_offsets] = [b.data_offsets, a.data_offsets];
    return file(render(entries));
  },
  shape: (draws) => {
    const entries = header();
    const [, entry] = draws.of(entries);
    const shape = entry.shape as unknown[];
    switch (draws.below(4)) {
      case 0:
        shape[draws.below(shape.length)] = draws.of(NUMBERS);
        break;
      case 1:
        shape.push(draws.of(NUMBERS));
        break;
      case 2:
        shape.reverse();
        break;
      default:
        entry.shape = draws.of([...NUMBERS, Array<number>(draws.below(2000)).fill(1)]);
    }
    return file(render(entries));
  },
  dtype: (draws) => {
    const entries = header();
    draws.of(entries)[1].dtype = draws.of([
      "F64",
      "F16",
      "BF16",
      "I64",
      "U8",
      "F8_E4M3",
      "float32",
      "",
      4,
      null,
      ["F32"],
    ]);
    return file(render(entries));
  },
  name: (draws) => {
    const entries = header();
    draws.of(entries)[0] = draws.of(NAMES);
    return file(render(entries));
  },
  "a tensor left out": (draws) => {
    const entries = header();
    entries.splice(draws.below(entries.length), 1);
    return file(render(entries));
  },
  "a tensor or key given twice": (draws) => {
    const entries = header();
    const [name, entry] = draws.of(entries);
    if (draws.below(2) === 0) return file(render([...entries, [name, entry]]));
    return file(render(entries).replace('"dtype":"F32"', '"dtype":"F32","dtype":"F32"'));
  },
  "another JSON value": (draws) =>
    file(
      draws.of([
        "",
        "null",
        "[]",
        "{}",
        "1",
        '"w"',
        "{",
        `${"[".repeat(50_000)}`,
        `{"w":${"[".repeat(20_000)}${"]".repeat(20_000)}}`,
        `{"w":null}`,
        '{"w":{}}',
        "\ufeff{}",
      ]),
    ),
  metadata: (draws) =>
    file(
      render(header()).replace(
        "{",
        `{"__metadata__":${draws.of(["1", "null", "[]", '{"a":1}', '{"__proto__":{"x":"y"}}', '{"format":"pt"}'])},`,
      ),
    ),
};

let backend: Backend;
beforeAll(async () => {
  backend = await openWasmBackend();
});
afterAll(() => backend.dispose());

const OURS = [SafetensorsError, CheckpointError, ConfigError];

/** Load a folder; null, or what refused it. */
async function refusal(files: Readonly<Record<string, Uint8Array>>): Promise<Error | null> {
  const before = backend.memoryBytes();
  try {
    const policy = await Policy.load(
      backend,
      new InMemoryFiles(new Map(Object.entries({ "config.json": config, ...files }))),
      { trainable: "none" },
    );
    expect(policy.parameters.names()).toHaveLength(69);
    policy.dispose();
    return null;
  } catch (error) {
    if (!(error instanceof Error) || !OURS.some((kind) => error instanceof kind)) throw error;
    return error;
  } finally {
    expect(backend.memoryBytes()).toBe(before); // nothing half-loaded
  }
}

const PER_MUTATION = 25;

it.each(Object.keys(MUTATIONS))("model.safetensors with changed %s", { timeout: 60_000 }, async (name) => {
  let refused = 0;
  for (let seed = 0; seed < PER_MUTATION; seed++) {
    const bytes = MUTATIONS[name]!(new Draws(1000 + seed));
    const error = await refusal({ "model.safetensors": bytes });
    if (error === null) continue;
    refused++;
    expect(error.message, `seed ${1000 + seed}`).toMatch(/model\.safetensors|The weights do not fit config\.json/);
    if (/offset|shape|dtype|left out|twice/.test(name))
      expect(error.message, `seed ${1000 + seed}`).toMatch(/[Tt]ensors? (?=\S)/);
  }
  expect(refused).toBeGreaterThan(0);
});

it("shards and their index, with hostile names and places", async () => {
  const names = header().map(([name]) => name);
  const good = Object.fromEntries(names.map((name) => [name, "a.safetensors"]));
  const index = (weight_map: unknown): Record<string, Uint8Array> => ({
    "model.safetensors.index.json": text(JSON.stringify({ metadata: {}, weight_map })),
    "a.safetensors": weights,
  });
  expect(await refusal(index(good))).toBeNull();
  for (let seed = 0; seed < 60; seed++) {
    const draws = new Draws(5000 + seed);
    const changed: Record<string, unknown> = { ...good };
    const place = draws.of([
      "../a.safetensors",
      "/etc/a.safetensors",
      "..\\a.safetensors",
      "a.safetensors/..",
      "b.safetensors",
      "",
      "a.bin",
      1,
      null,
      "config.json",
      "a.safetensors\u0000",
    ]);
    if (draws.below(2) === 0) changed[draws.of(names)] = place;
    else
      changed[draws.of(NAMES.filter((name) => !names.includes(name) && name !== "__proto__"))] = draws.of([
        place,
        "a.safetensors",
      ]);
    const error = await refusal(index(changed));
    expect(error?.message, `seed ${5000 + seed}`).toMatch(/model\.safetensors\.index\.json/);
  }
  for (const nonsense of [null, [], "a", { w: {} }])
    expect((await refusal(index(nonsense)))?.message).toMatch(/index\.json/);
});

it("config.json with numbers that fit no checkpoint", async () => {
  const numbers = [...new TextDecoder().decode(config).matchAll(/(?<=[:\s])\d+(\.\d+)?(e-?\d+)?(?=[,\s}])/g)];
  const source = new TextDecoder().decode(config);
  for (let seed = 0; seed < 100; seed++) {
    const draws = new Draws(9000 + seed);
    const { 0: old, index: at } = draws.of(numbers);
    const changed = source.slice(0, at) + JSON.stringify(draws.of(NUMBERS)) + source.slice(at + old.length);
    const error = await refusal({ "config.json": text(changed), "model.safetensors": weights });
    if (error !== null) expect(error.message, `seed ${9000 + seed}`).toMatch(/config\.json/);
  }
});
