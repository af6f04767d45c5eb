import { describe, expect, it } from "vitest";
import { at, expectClose, noise } from "../../testing/plain";
import { wasmUnderTest } from "../../testing/wasmUnderTest";

const wasm = wasmUnderTest();
const { up } = wasm;

describe("AdamW", () => {
  const options = {
    learningRate: 0.01,
    beta1: 0.9,
    beta2: 0.95,
    epsilon: 1e-8,
    weightDecay: 0.1,
    updateCount: 3,
    maxGradNorm: 0.5,
  };

  it.each([1, 3, 4, 1003])("updates %i parameters as PyTorch does", async (n) => {
    const [theta, grad, m] = [noise(n, 1), noise(n, 2), noise(n, 3, 0.1)];
    const v = noise(n, 4, 0.1).map(Math.abs);
    const [t, mm, vv] = [up(theta, n), up(m, n), up(v, n)];
    const squares = wasm.backend.kernels.sumSquares(up(grad, n));
    wasm.backend.kernels.adamw(t, up(grad, n), mm, vv, squares, options);
    const [gotT, gotM, gotV, gotSquares] = await wasm.backend.read([t, mm, vv, squares]);
    const sum = grad.reduce((a, g) => a + g * g, 0);
    expectClose(gotSquares ?? [], [sum]);
    const clip = Math.min(1, options.maxGradNorm / (Math.sqrt(sum) + 1e-6));
    const { beta1, beta2, learningRate, updateCount } = options;
    const expectedM = Array.from(m, (x, i) => beta1 * x + (1 - beta1) * clip * at(grad, i));
    const expectedV = Array.from(v, (x, i) => beta2 * x + (1 - beta2) * (clip * at(grad, i)) ** 2);
    expectClose(gotM ?? [], expectedM);
    expectClose(gotV ?? [], expectedV);
    expectClose(
      gotT ?? [],
      Array.from(theta, (x, i) => {
        const denominator = Math.sqrt(at(expectedV, i) / (1 - beta2 ** updateCount)) + options.epsilon;
        return (
          x * (1 - learningRate * options.weightDecay) -
          (learningRate * at(expectedM, i)) / (1 - beta1 ** updateCount) / denominator
        );
      }),
    );
  });

  it("writes nothing where the gradient is not finite", async () => {
    const theta = noise(9, 1);
    for (const bad of [NaN, Infinity]) {
      const [t, m, v] = [up(theta, 9), wasm.backend.zeros([9]), wasm.backend.zeros([9])];
      const grad = up(
        noise(9, 2).map((g, i) => (i === 8 ? bad : g)),
        9,
      );
      wasm.backend.kernels.adamw(t, grad, m, v, wasm.backend.kernels.sumSquares(grad), {
        ...options,
        maxGradNorm: Infinity,
      });
      const [gotT, gotM] = await wasm.backend.read([t, m]);
      expect(gotT).toEqual(theta);
      expect(gotM).toEqual(new Float32Array(9));
    }
  });
});
