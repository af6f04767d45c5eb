/**
 * The arrows between rooms: who may import whom. The layout tells the story only as long as it is true.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative, sep } from "node:path";
import { describe, expect, test } from "vitest";

const ROOMS: Readonly<Record<string, readonly string[]>> = {
  srpo: [],
  tasks: ["srpo"],
  tensor: [],
  policy: ["tensor"],
  training: ["srpo", "tasks", "policy", "tensor"],
  worker: ["training", "policy", "srpo", "tensor", "tasks"],
  app: ["worker", "srpo"],
  // The worker's protocol, host and codec: `srpo serve` is a worker that lives in Node.
  runner: ["worker", "training", "policy", "srpo", "tasks", "tensor"],
  bench: ["srpo", "tasks", "tensor", "policy", "training", "worker", "app", "runner"],
};
/** What the page may take from the worker: the contract and its client, never the engine behind them. */
const WORKER_FOR_APP = ["protocol", "client"];
/** Modules outside src/runner and src/bench that only Node loads; the page never imports them. */
const NODE_MODULES = [
  "src/policy/checkpoint/checkpointDirectory.ts",
  "src/tensor/webgpu/node.ts",
  "src/tensor/webgpu/tuningFile.ts",
  "src/tensor/webgpu/vulkan.ts",
  "src/tensor/wasm/build.ts",
];
const IMPORT =
  /(?:import|export)\s[^"';]*?from\s*["']([^"']+)["']|import\s*\(\s*["']([^"']+)["']|import\s+["']([^"']+)["']/g;

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sources(path);
    return /\.tsx?$/.test(entry.name) && !entry.name.endsWith(".d.ts") ? [path] : [];
  });
}

interface Arrow {
  readonly file: string;
  readonly room: string;
  readonly to: string;
  readonly target: string;
}

function arrows(): Arrow[] {
  return sources("src").flatMap((file) => {
    const room = relative("src", file).split(sep)[0] ?? "";
    if (!(room in ROOMS)) return [];
    return [...readFileSync(file, "utf8").matchAll(IMPORT)].flatMap((match) => {
      const specifier = match[1] ?? match[2] ?? match[3] ?? "";
      if (!specifier.startsWith(".")) return [];
      const target = relative("src", normalize(join(dirname(file), specifier)))
        .split(sep)
        .join("/");
      const to = target.split("/")[0] ?? "";
      return to !== room && to in ROOMS ? [{ file, room, to, target }] : [];
    });
  });
}

describe("rooms", () => {
  const all = arrows();

  test("every room is known and the check sees arrows", () => {
    const rooms = readdirSync("src", { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
    expect(rooms.filter((room) => !(room in ROOMS))).toEqual([]);
    expect(all.length).toBeGreaterThan(20);
  });

  test("arrows point the way the design says", () => {
    // Tests may reach into any room: they compare one backend or layer with another.
    const wrong = all.filter(({ file, room, to }) => !/\.test\.tsx?$/.test(file) && !ROOMS[room]?.includes(to));
    expect(wrong.map(({ file, target }) => `${file} must not import ${target}`)).toEqual([]);
  });

  test("the page takes from the worker only its protocol and client", () => {
    const wrong = all.filter(
      ({ file, room, to, target }) =>
        room === "app" &&
        to === "worker" &&
        !/\.test\.tsx?$/.test(file) &&
        !WORKER_FOR_APP.includes(target.split("/")[1] ?? ""),
    );
    expect(wrong.map(({ file, target }) => `${file} must not import ${target}`)).toEqual([]);
  });

  test("Node is imported by the Node rooms, by tests and their golden data, and by modules named here", () => {
    const allowed = (file: string): boolean =>
      /^src\/(runner|bench)\/|\.test\.tsx?$|\/(golden|fixtures)\//.test(file) || NODE_MODULES.includes(file);
    const wrong = sources("src")
      .map((file) => file.split(sep).join("/"))
      .filter((file) => !allowed(file) && /from\s*["']node:/.test(readFileSync(file, "utf8")));
    expect(wrong).toEqual([]);
  });
});
