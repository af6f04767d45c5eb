/** Homes on the command line: WebGPU by Dawn, wasm, or the reference; by default the first of them that opens. */
import type { Home, HomeName } from "../tensor/home";
import { openReferenceHome } from "../tensor/reference/home";
import { openWasmHome } from "../tensor/wasm/home";
import { openNodeWebGpuHome } from "../tensor/webgpu/node";

export const HOME_NAMES: readonly HomeName[] = ["webgpu", "wasm", "reference"];

export function openNodeHome(name: HomeName): Promise<Home> {
  switch (name) {
    case "webgpu": return openNodeWebGpuHome();
    case "wasm": return openWasmHome();
    case "reference": return openReferenceHome();
    default: return name satisfies never;
  }
}
