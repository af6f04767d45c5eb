import { describe, expect, it } from "vitest";
import { requestedMatmul, tuningStore } from "./matmulVariant";
import { MemoryStore } from "./store";

describe("matmul variants in the page", () => {
  it("are asked for in the address", () => {
    expect(requestedMatmul("https://example.org/play/")).toBeNull();
    expect(requestedMatmul("https://example.org/play/?matmul=sharedTiles#v=1&from=base")).toBe("sharedTiles");
    expect(requestedMatmul("https://example.org/?matmul=tuned")).toBe("tuned");
    expect(() => requestedMatmul("https://example.org/?matmul=fast")).toThrow(
      'matmul variant "fast" in the address; expected one of registerTiles, broadcastTiles, sharedTiles',
    );
  });

  it("are kept beside the snapshots", async () => {
    const kept = tuningStore(new MemoryStore());
    expect(await kept.read()).toBeNull();
    await kept.write('{"ä":1}');
    expect(await kept.read()).toBe('{"ä":1}');
  });
});
