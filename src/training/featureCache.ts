/**
 * Image features made once and used by many batches while the vision tower is frozen. For a step's prompts the
 * policy's own bank serves; for the thousands of prompts of the SFT data the tower runs in chunks, whose rows are
 * copied into one bank.
 */
import type { EncodedPrompt, FeatureBank } from "../policy/layers/packing";
import type { Policy } from "../policy/policy";
import type { DataParallel } from "./parallel/parallel";
import type { Settings } from "./settings";

/** Prompts whose pictures go through the tower together. */
const CHUNK = 128;

/** Features of all prompts (each counted once); null when none has a picture. The caller disposes the bank. */
export function bankOf(policy: Policy, prompts: readonly EncodedPrompt[]): FeatureBank | null {
  const distinct = [...new Set(prompts)];
  if (distinct.length <= CHUNK) return policy.featureBank(distinct);
  const chunks = Array.from({ length: Math.ceil(distinct.length / CHUNK) }, (_, i) =>
    policy.featureBank(distinct.slice(i * CHUNK, (i + 1) * CHUNK)),
  );
  const banks = chunks.filter((bank) => bank !== null);
  const width = banks[0]?.tensor.shape[1];
  if (width === undefined) return null;
  const rows = banks.reduce((sum, bank) => sum + (bank.tensor.shape[0] ?? 0), 0);
  const tensor = policy.backend.zeros([rows, width]);
  const firstRow = new Map<EncodedPrompt, number>();
  let start = 0;
  for (const bank of banks) {
    const count = bank.tensor.shape[0] ?? 0;
    const rows = policy.backend.upload(
      Int32Array.from({ length: count }, (_, i) => start + i),
      [count],
    );
    policy.backend.kernels.copyRows(bank.tensor, { offset: 0, count: width }, rows, 0, tensor);
    for (const [prompt, first] of bank.firstRow) firstRow.set(prompt, start + first);
    start += count;
    rows.dispose();
    bank.dispose();
  }
  return { tensor, firstRow, dispose: () => tensor.dispose() };
}

/**
 * Workers that share the prompts compute the features of their own prompts; a bank would make them wait. Null then, and
 * where the tower is trained.
 */
export function featuresOf(
  policy: Policy,
  prompts: readonly EncodedPrompt[],
  settings: Pick<Settings, "freezeVision">,
  parallel: Pick<DataParallel, "workers"> | null,
): FeatureBank | null {
  return settings.freezeVision && (parallel?.workers ?? 1) === 1 ? bankOf(policy, prompts) : null;
}
