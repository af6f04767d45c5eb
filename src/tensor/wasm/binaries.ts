/**
 * Where the WebAssembly binaries are: TensorFlow.js' SIMD build (the only one used: the plain build is for
 * browsers without SIMD, and the threaded one would need a second build of our kernels) and ours, which is compiled
 * twice: with fused multiply-add (relaxed SIMD: Chrome 114, Firefox 145, Node 22; Node 20 behind a flag) and without.
 * Node reads them from disk; a browser gets their addresses from the bundler (see browserBinaries.ts).
 */
import { endsWith, sourcesSection } from "./sourceDigest";

export interface WasmBinaries {
  /** What `setWasmPaths` takes: a path in Node, an address in a browser. */
  readonly tfjs: string;
  /** Our kernels, compiled by `npm run kernels`. */
  readonly kernels: Uint8Array<ArrayBuffer>;
  /** Whether these are the kernels with fused multiply-add. */
  readonly fused: boolean;
}

const TFJS_BINARY = "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm";
/**
 * A module whose only function swizzles by a relaxed instruction: (i8x16.relaxed_swizzle (i8x16.splat 1) (i8x16.splat
 * 2)).
 */
const RELAXED = Uint8Array.of(
  0,
  97,
  115,
  109,
  1,
  0,
  0,
  0,
  1,
  5,
  1,
  96,
  0,
  1,
  123,
  3,
  2,
  1,
  0,
  10,
  15,
  1,
  13,
  0,
  65,
  1,
  253,
  15,
  65,
  2,
  253,
  15,
  253,
  128,
  2,
  11,
);

/**
 * The binaries for where this code runs. @param fused null: whatever the engine supports. Throws if one cannot be
 * found, or in Node if the kernels are older than their sources.
 */
export async function locateBinaries(fused: boolean | null = null): Promise<WasmBinaries> {
  const inNode = typeof process !== "undefined" && typeof process.versions?.node === "string";
  if (inNode) return nodeBinaries(fused);
  const addresses = await import("./browserBinaries");
  const fuses = fused ?? WebAssembly.validate(RELAXED);
  const address = fuses ? addresses.kernelsFused : addresses.kernels;
  const response = await fetch(address);
  if (!response.ok)
    throw new Error(`The wasm kernels could not be loaded from ${address}: HTTP ${response.status}. Reload the page.`);
  return { tfjs: addresses.tfjs, kernels: new Uint8Array(await response.arrayBuffer()), fused: fuses };
}

/** Loads built-in modules at run time; a bundler for browsers never sees them. */
function nodeBinaries(fused: boolean | null): WasmBinaries {
  const { readFileSync, existsSync } = process.getBuiltinModule("node:fs");
  const { createRequire } = process.getBuiltinModule("node:module");
  const { fileURLToPath } = process.getBuiltinModule("node:url");
  // Node 20 has relaxed SIMD, behind a flag of V8; later versions need none, and have none.
  if (fused !== false && !WebAssembly.validate(RELAXED))
    process.getBuiltinModule("node:v8").setFlagsFromString("--experimental-wasm-relaxed-simd");
  const fuses = fused ?? WebAssembly.validate(RELAXED);
  const path = fileURLToPath(new URL(fuses ? "kernelsFused.wasm" : "kernels.wasm", import.meta.url));
  if (!existsSync(path))
    throw new Error(`The wasm kernels are not built: ${path} is missing. Run \`npm run kernels\`.`);
  const kernels = new Uint8Array(readFileSync(path));
  if (!endsWith(kernels, sourcesSection()))
    throw new Error(
      `The wasm kernels in ${path} were compiled from other sources than those in src/tensor/wasm/assembly. ` +
        "Run `npm run kernels`.",
    );
  return {
    tfjs: createRequire(import.meta.url).resolve(TFJS_BINARY),
    kernels,
    fused: fuses,
  };
}
