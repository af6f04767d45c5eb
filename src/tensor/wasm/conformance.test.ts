import { afterAll, expect, test } from "vitest";
import { conformanceCases } from "../conformance";
import { openReferenceHome } from "../reference/home";
import { openWasmHome } from "./home";

const home = await openWasmHome();
const reference = await openReferenceHome();
afterAll(async () => {
  await home.dispose();
  await reference.dispose();
});

for (const c of conformanceCases()) {
  test(`the wasm home against the reference: ${c.name}`, async () => {
    expect((await c.run(home, reference)).failures).toEqual([]);
  });
}
