import { promisify } from "node:util";
import { expect, test } from "vitest";
import { openNodeWebGpuBackend } from "./node";
import { pausing } from "./polling";

/** Made without a name, as native code makes them. */
const native = Object.defineProperty(Object.assign(() => undefined).bind(null), "name", { value: "" });

function waits(): { readonly ask: (callback: () => void) => unknown; readonly asked: string[]; time: number } {
  const state = { asked: [] as string[], time: 0, ask: (_: () => void): unknown => undefined };
  state.ask = pausing(
    () => state.asked.push("at once"),
    (_, milliseconds) => state.asked.push(`in ${milliseconds} ms`),
    () => state.time,
  );
  return state;
}

test("Dawn asks at once for a millisecond, then once a millisecond; a new wait begins eagerly", () => {
  const state = waits();
  for (state.time of [1000, 1000.5, 1001, 1002, 1003, 1100, 1100.2]) state.ask(native);
  expect(state.asked).toEqual(["at once", "at once", "in 1 ms", "in 1 ms", "in 1 ms", "at once", "at once"]);
});

test("what JavaScript asks for is never delayed", () => {
  const state = waits();
  for (state.time of [1000, 1005, 1010]) state.ask(() => undefined);
  expect(state.asked).toEqual(["at once", "at once", "at once"]);
});

test("with WebGPU open, setImmediate still does what Node says", async () => {
  const backend = await openNodeWebGpuBackend();
  const seen: string[] = [];
  await new Promise<void>((resolve) => {
    setImmediate((word: string) => {
      seen.push(word);
      resolve();
    }, "argument");
  });
  expect(await promisify(setImmediate)("promised")).toBe("promised");
  const [values] = await backend.read([backend.upload(Float32Array.of(1, 2), [2])]);
  expect([...seen, ...(values ?? [])]).toEqual(["argument", 1, 2]);
  await backend.dispose();
});
