import { describe, expect, it } from "vitest";
import { productsAsked, tuningStore } from "./products";
import { MemoryStore } from "./store";

describe("products in the page", () => {
  it("are asked for in the address", () => {
    expect(productsAsked("https://example.org/play/")).toBeNull();
    expect(productsAsked("https://example.org/play/?products=sharedTiles#v=1&from=base")).toBe("sharedTiles");
    expect(productsAsked("https://example.org/?products=tuned")).toBe("tuned");
    expect(() => productsAsked("https://example.org/?products=fast")).toThrow(
      'products="fast"; expected one of registerTiles, broadcastTiles, sharedTiles',
    );
  });

  it("are kept beside the snapshots", async () => {
    const kept = tuningStore(new MemoryStore());
    expect(await kept.read()).toBeNull();
    await kept.write('{"ä":1}');
    expect(await kept.read()).toBe('{"ä":1}');
  });
});
