import { expect, test } from "vitest";
import { benchArguments, help } from "./arguments";
import { BENCHMARKS, DEFAULT_BENCHMARKS } from "./results";

const FULL_SIZE = { shape: "3b", folder: null, python: "python3", packing: "f16" };

test("names, then flags; without names all benchmarks", () => {
  expect(benchArguments(["matmul", "rollout", "--backend", "webgpu", "--quick"])).toEqual({
    names: ["matmul", "rollout"],
    backend: "webgpu",
    json: null,
    quick: true,
    small: false,
    large: false,
    fullSize: FULL_SIZE,
  });
  expect(benchArguments(["--json=out.json"])).toEqual({
    names: DEFAULT_BENCHMARKS,
    backend: "wasm",
    json: "out.json",
    quick: false,
    small: false,
    large: false,
    fullSize: FULL_SIZE,
  });
  expect(DEFAULT_BENCHMARKS).not.toContain("full-size");
});

test.each<[string[], RegExp]>([
  [["sleep"], /there is no benchmark "sleep"; expected one of matmul, /],
  [["matmul", "--backend", "cuda"], /--backend: "cuda" is not one of webgpu, wasm, reference/],
  [["full-size", "--shape", "4b"], /--shape: "4b" is not one of tiny, 3b, /],
  [["full-size", "--folder", "no/such"], /--folder: there is no folder no\/such/],
  [["--json"], /--json needs a value/],
  [["--json", "no/such/folder/x.json"], /--json: there is no folder no\/such\/folder/],
  [
    ["--fast"],
    /unknown flag --fast; expected one of --backend, --json, --quick, --small, --large, --matmul, --shape, /,
  ],
  [["--quick", "matmul"], /"matmul" is unexpected here/],
])("%j is refused", (args, message) => {
  expect(() => benchArguments(args)).toThrow(message);
});

test("the help names every benchmark", () => {
  const text = help(BENCHMARKS.map((name) => ({ name, description: `measures ${name}` })));
  for (const name of BENCHMARKS) expect(text).toContain(`measures ${name}`);
});
