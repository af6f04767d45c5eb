/**
 * The arrows between files: who may import whom. The layout tells the story only as long as it is true. Arrows point
 * from room to room as the design says, there is no circle of files, code for tests stays with the tests, and every
 * other module is reached from something that runs.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, sep } from "node:path";
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
  attack: ["srpo", "tasks", "tensor", "policy", "training", "worker", "runner"],
};
/** What the page may take from the worker: the contract and its client, never the engine behind them. */
const WORKER_FOR_APP = ["protocol", "client"];
/** Modules outside src/runner, src/bench and src/attack that only Node loads; the page never imports them. */
const NODE_MODULES = [
  "src/policy/checkpoint/checkpointDirectory.ts",
  "src/tensor/webgpu/node.ts",
  "src/tensor/webgpu/tuningFile.ts",
  "src/tensor/webgpu/vulkan.ts",
  "src/tensor/wasm/build.ts",
];

/** Imports and re-exports (also of types only), dynamic imports, and scripts named by address (workers, processes). */
const IMPORT = new RegExp(
  [
    String.raw`(?:import|export)\s[^"';]*?from\s*["']([^"']+)["']`,
    String.raw`import\s*\(\s*["']([^"']+)["']`,
    String.raw`import\s+["']([^"']+)["']`,
    String.raw`new URL\(\s*["']([^"']+\.m?[jt]s)["']`,
  ].join("|"),
  "g",
);

const inTestFolder = (file: string): boolean => /\/(testing|golden)\//.test(file);
const isTest = (file: string): boolean => /\.test\.tsx?$/.test(file) || inTestFolder(file);

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return sources(path);
    return /\.(tsx?|mjs)$/.test(entry.name) && !entry.name.endsWith(".d.ts") ? [path] : [];
  });
}

const FILES = sources("src");
const KNOWN = new Set(FILES);

/** The file that a relative specifier means; null for style sheets, data and declarations. */
function resolved(from: string, specifier: string): string | null {
  const path = normalize(join(dirname(from), specifier))
    .split(sep)
    .join("/");
  return [path, `${path}.ts`, `${path}.tsx`, `${path}/index.ts`].find((candidate) => KNOWN.has(candidate)) ?? null;
}

/** The files that each file imports. */
const IMPORTS: ReadonlyMap<string, readonly string[]> = new Map(
  FILES.map((file) => {
    const specifiers = [...readFileSync(file, "utf8").matchAll(IMPORT)].flatMap(([, from, dynamic, bare, address]) => {
      const specifier = from ?? dynamic ?? bare ?? "";
      return address !== undefined ? [`./${address}`] : specifier.startsWith(".") ? [specifier] : [];
    });
    return [file, specifiers.flatMap((specifier) => resolved(file, specifier) ?? [])] as const;
  }),
);

interface Arrow {
  readonly file: string;
  readonly target: string;
}
const roomOf = (file: string): string => file.split("/")[1] ?? "";
const ARROWS: readonly Arrow[] = [...IMPORTS].flatMap(([file, targets]) => targets.map((target) => ({ file, target })));
/** Arrows from one room to another. */
const BETWEEN = ARROWS.filter(
  ({ file, target }) => roomOf(file) !== roomOf(target) && roomOf(file) in ROOMS && roomOf(target) in ROOMS,
);
const complaints = (wrong: readonly Arrow[]): string[] =>
  wrong.map(({ file, target }) => `${file} must not import ${target}`);

/** Groups of files that import each other, directly or not (Tarjan's strongly connected components). */
function circles(imports: ReadonlyMap<string, readonly string[]>): string[][] {
  const found: string[][] = [];
  const index = new Map<string, number>();
  const open: string[] = [];
  const visit = (file: string): number => {
    const mine = index.size;
    index.set(file, mine);
    open.push(file);
    let low = mine;
    for (const target of imports.get(file) ?? []) {
      if (target === file) found.push([file]);
      if (!index.has(target)) low = Math.min(low, visit(target));
      else if (open.includes(target)) low = Math.min(low, index.get(target) ?? low);
    }
    if (low === mine) {
      const members = open.splice(open.indexOf(file));
      if (members.length > 1) found.push(members.sort());
    }
    return low;
  };
  for (const file of imports.keys()) if (!index.has(file)) visit(file);
  return found;
}

/** What runs: the scripts of package.json and of the page; workers and processes follow by their addresses. */
function entryPoints(): string[] {
  const scripts = Object.values(
    (JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> }).scripts,
  );
  return [...scripts, readFileSync("index.html", "utf8")]
    .flatMap((text) => [...text.matchAll(/\bsrc\/[\w/.-]+\.(?:tsx?|mjs)/g)])
    .map(([path]) => path);
}

function reachedFrom(entries: readonly string[]): Set<string> {
  const reached = new Set(entries);
  for (const file of reached) for (const target of IMPORTS.get(file) ?? []) reached.add(target);
  return reached;
}

describe("rooms", () => {
  test("every room is known and the check sees arrows", () => {
    const rooms = readdirSync("src", { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
    expect(rooms.filter((room) => !(room in ROOMS))).toEqual([]);
    expect(BETWEEN.length).toBeGreaterThan(20);
  });

  test("arrows point the way the design says", () => {
    // Tests may reach into any room: they compare one backend or layer with another.
    const wrong = BETWEEN.filter(
      ({ file, target }) => !/\.test\.tsx?$/.test(file) && !ROOMS[roomOf(file)]?.includes(roomOf(target)),
    );
    expect(complaints(wrong)).toEqual([]);
  });

  test("the page takes from the worker only its protocol and client", () => {
    const wrong = BETWEEN.filter(
      ({ file, target }) =>
        roomOf(file) === "app" &&
        roomOf(target) === "worker" &&
        !/\.test\.tsx?$/.test(file) &&
        !WORKER_FOR_APP.some((name) => target === `src/worker/${name}.ts`),
    );
    expect(complaints(wrong)).toEqual([]);
  });

  test("Node is imported by the Node rooms, by tests and their golden data, and by modules named here", () => {
    const allowed = (file: string): boolean =>
      /^src\/(runner|bench|attack)\/|\.test\.tsx?$|\/golden\//.test(file) || NODE_MODULES.includes(file);
    const wrong = FILES.filter((file) => !allowed(file) && /from\s*["']node:/.test(readFileSync(file, "utf8")));
    expect(wrong).toEqual([]);
  });
});

describe("files", () => {
  test("no circle: nothing imports itself by a detour, types included", () => {
    expect(circles(IMPORTS)).toEqual([]);
    const imports = { a: ["b"], b: ["c", "d"], c: ["a"], d: ["e"], e: ["d"], f: ["f", "a"], g: ["a", "f"] };
    expect(circles(new Map(Object.entries(imports)))).toEqual([["d", "e"], ["a", "b", "c"], ["f"]]);
  });

  test("code for tests stays in *.test.ts, testing/ and golden/", () => {
    const imported = ARROWS.filter(({ file, target }) => !isTest(file) && isTest(target));
    expect(complaints(imported)).toEqual([]);
    const vitest = FILES.filter((file) => !isTest(file) && /from\s*["']vitest["']/.test(readFileSync(file, "utf8")));
    expect(vitest).toEqual([]);
    expect(FILES.filter((file) => /\/(fixtures|__tests__|mocks)\//.test(file))).toEqual([]);
  });

  test("every module outside the tests is reached from something that runs", () => {
    const entries = entryPoints();
    expect(entries.length).toBeGreaterThan(8);
    expect(entries.filter((entry) => !KNOWN.has(entry))).toEqual([]);
    const reached = reachedFrom(entries);
    const left = FILES.filter((file) => !isTest(file) && !reached.has(file));
    expect(left.map((file) => `${file} is used by tests alone, or by nothing`)).toEqual([]);
  });
});
