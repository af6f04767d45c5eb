/** The homes that tests run on, each opened when a test asks for it. */
import type { Home } from "../tensor/home";
import { openReferenceHome } from "../tensor/reference/home";
import { openWasmHome } from "../tensor/wasm/home";

export const HOMES: readonly { readonly name: string; readonly open: () => Promise<Home> }[] = [
  { name: "reference", open: openReferenceHome },
  { name: "wasm", open: openWasmHome },
];
