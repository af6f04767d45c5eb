/** Addresses of the binaries, copied into the page's assets by Vite. Imported in browsers and workers only. */
export { default as tfjs } from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url";
export { default as kernels } from "./kernels.wasm?url";
export { default as kernelsFused } from "./kernelsFused.wasm?url";
