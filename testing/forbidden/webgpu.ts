/** Stands in for npm's `webgpu` in unit tests. */
throw new Error(
  "A unit test must not open WebGPU. Rename the file to *.gpu.test.ts, and it runs with `npm run test:gpu`.",
);
