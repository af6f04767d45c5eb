/**
 * Where the two WebAssembly binaries are: TensorFlow.js' SIMD build (the only one used: the plain build is for
 * browsers without SIMD, and the threaded one would need a second build of our kernels) and ours.
 * Node reads them from disk; a browser gets their addresses from the bundler (see browserBinaries.ts).
 */

export interface WasmBinaries {
  /** What `setWasmPaths` takes: a path in Node, an address in a browser. */
  readonly tfjs: string;
  /** Our kernels, compiled by `npm run kernels`. */
  readonly kernels: Uint8Array<ArrayBuffer>;
}

const TFJS_BINARY = "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm";

/** The binaries for where this code runs. Throws if one cannot be found. */
export async function locateBinaries(): Promise<WasmBinaries> {
  const inNode = typeof process !== "undefined" && typeof process.versions?.node === "string";
  if (inNode) return nodeBinaries();
  const addresses = await import("./browserBinaries");
  const response = await fetch(addresses.kernels);
  if (!response.ok) throw new Error(`The wasm kernels could not be loaded from ${addresses.kernels}: HTTP ${response.status}. Reload the page.`);
  return { tfjs: addresses.tfjs, kernels: new Uint8Array(await response.arrayBuffer()) };
}

/** Built-in modules are asked for at run time, so that a bundler for browsers never meets them. */
function nodeBinaries(): WasmBinaries {
  const { readFileSync, existsSync } = process.getBuiltinModule("node:fs");
  const { createRequire } = process.getBuiltinModule("node:module");
  const { fileURLToPath } = process.getBuiltinModule("node:url");
  const path = fileURLToPath(new URL("kernels.wasm", import.meta.url));
  if (!existsSync(path)) throw new Error(`The wasm kernels are not built: ${path} is missing. Run \`npm run kernels\`.`);
  return { tfjs: createRequire(import.meta.url).resolve(TFJS_BINARY), kernels: new Uint8Array(readFileSync(path)) };
}
