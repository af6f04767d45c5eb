import { describe, it } from "vitest";
import { at, expectClose, noise, product, productTransposed, transposed } from "../../testing/plain";
import { plus, wasmUnderTest } from "../../testing/wasmUnderTest";

const wasm = wasmUnderTest();
const { up, read } = wasm;

/** [rows, width, vocabulary]; the last crosses a chunk of the vocabulary and a block of rows. */
describe.each([
  [3, 5, 7],
  [9, 16, 96],
  [130, 32, 150],
  [140, 24, 1030],
])("tokenLogprobs of %i rows, width %i, vocabulary %i", (n, d, v) => {
  const [hidden, head, dLogprob] = [noise(n * d, 1, 2), noise(v * d, 2), noise(n, 3)];
  const targets = Int32Array.from({ length: n }, (_, i) => (i % 5 === 2 ? -1 : (i * 37) % v));
  const temperature = 0.8;
  const logits = productTransposed(hidden, head, n, v, d).map((x) => x / temperature);
  const rows = Array.from({ length: n }, (_, i) => {
    const row = logits.subarray(i * v, (i + 1) * v);
    const top = Math.max(...row);
    const lse = top + Math.log(row.reduce((sum, l) => sum + Math.exp(l - top), 0));
    return { lse, p: row.map((l) => Math.exp(l - lse)), logprob: at(row, Math.max(0, at(targets, i))) - lse };
  });
  const skipped = (i: number) => at(targets, i) < 0;
  const weight = () => ({ format: "f32", out: v, in: d, values: up(head, v, d) }) as const;

  it("gives log-probability, log-sum-exp and entropy", async () => {
    const got = wasm.backend.kernels.tokenLogprobs(up(hidden, n, d), weight(), up(targets, n), temperature);
    const [logprob, lse, entropy] = await read(got.logprob, got.lse, got.entropy);
    expectClose(
      logprob ?? [],
      rows.map((r, i) => (skipped(i) ? 0 : r.logprob)),
    );
    expectClose(
      lse ?? [],
      rows.map((r, i) => (skipped(i) ? 0 : r.lse)),
    );
    expectClose(
      entropy ?? [],
      rows.map((r, i) => (skipped(i) ? 0 : -r.p.reduce((sum, p) => sum + (p > 0 ? p * Math.log(p) : 0), 0))),
    );
  });

  it("gives the gradients of the states and of the head", async () => {
    const dLogits = Float64Array.from({ length: n * v }, (_, i) => {
      const r = Math.floor(i / v);
      return skipped(r)
        ? 0
        : (at(dLogprob, r) * ((at(targets, r) === i % v ? 1 : 0) - at(rows[r]?.p ?? [], i % v))) / temperature;
    });
    const intoHead = up(head, v, d);
    const lse = up(
      Float32Array.from(rows, (r) => r.lse),
      n,
    );
    const dHidden = wasm.backend.kernels.tokenLogprobsGrad(
      up(hidden, n, d),
      weight(),
      up(targets, n),
      lse,
      up(dLogprob, n),
      temperature,
      intoHead,
    );
    const [got, gotHead] = await read(dHidden, intoHead);
    expectClose(got ?? [], product(dLogits, head, n, d, v), 5e-6);
    expectClose(
      gotHead ?? [],
      plus(product(transposed(dLogits, n, v), hidden, v, d, n), (i) => at(head, i)),
      5e-6,
    );
  });
});
