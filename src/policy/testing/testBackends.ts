/** The homes that tests run on (WebGPU on Node's own adapter; without one its tests fail and say what to install). */
import type { Home } from "../../tensor/home";
import { openReferenceHome } from "../../tensor/reference/home";
import { openWasmHome } from "../../tensor/wasm/home";
import { openNodeWebGpuHome } from "../../tensor/webgpu/node";

export const HOMES: readonly { readonly name: string; readonly open: () => Promise<Home> }[] = [
  { name: "reference", open: openReferenceHome },
  { name: "wasm", open: openWasmHome },
  { name: "webgpu", open: () => openNodeWebGpuHome() },
];
