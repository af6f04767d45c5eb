/**
 * Packing prompts and responses into rows without padding, each prompt once. An item's rows are
 *
 *   prompt tokens but the last | last prompt token, response 1 but its last token | last prompt token, response 2 … | …
 *
 * so that every response row predicts exactly one response token, and the prompt's rows directly precede all rows that
 * see them (kernels.ts `attentionGrad` needs the rows that see a key to be contiguous). Equal, token for token, to
 * running each prompt+response alone.
 *
 * Where steps are recorded, a batch is padded to one of a few sizes, so that few recordings serve all batches: padding
 * rows see nothing, are seen by no row and have no target, so they add exact zeros to every gradient.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Backend } from "../../tensor/backend";
import type { RopeTables, Visibility } from "../../tensor/ops/attention";
import type { RowGather } from "../../tensor/ops/rows";
import type { ImagePatches } from "./imagePatches";
import type { MropeAngles, MropePositions } from "./mrope";
import type { VisionBatch } from "./vision";

/** A prompt ready for the model; made by `Policy.encodePrompt`, or by hand. */
export interface EncodedPrompt {
  /** Token ids, one image token for each merged cell. At least 2. */
  readonly ids: Int32Array;
  readonly images: readonly ImagePatches[];
  readonly positions: MropePositions;
}

/** Image features of several prompts in one tensor, made once and used by many batches while the tower is frozen. */
export interface FeatureBank {
  readonly tensor: Tensor;
  /** First row of each prompt's features. */
  readonly firstRow: ReadonlyMap<EncodedPrompt, number>;
  dispose(): void;
}

/** Where a prompt's image features lie: cell c of the prompt has the feature in row `firstRow + cells[c]`. */
export interface FeatureIndex {
  readonly firstRow: number;
  /** Index of each merged cell in window order. */
  readonly cells: Int32Array;
}

export interface PackedItem {
  readonly prompt: EncodedPrompt;
  readonly responses: readonly Int32Array[];
}

/** The host side of a packed batch: N rows, R response tokens. */
export interface PackedRows {
  readonly ids: Int32Array; // [N], image cells as −1 − feature row
  readonly cos: Float32Array; // [N, headDim/2]
  readonly sin: Float32Array;
  readonly visible: Int32Array; // [N, 4]
  readonly seenBy: Int32Array; // [N, 2]
  readonly to: Int32Array; // [N], response token predicted by the row, or −1
  readonly from: Int32Array; // [R], row that predicts the response token, or −1
  readonly targets: Int32Array; // [R], −1 for padding
}

/** A packed batch on the device. */
export interface PackedBatch {
  readonly rowCount: number;
  /** R: one per response token, in order item → response → token, then padding. */
  readonly tokenCount: number;
  /** Length of every response in order. */
  readonly responseLengths: readonly number[];
  readonly ids: Tensor;
  readonly angles: RopeTables;
  readonly rows: Visibility;
  readonly gather: RowGather;
  readonly targets: Tensor;
  /** The pictures, if their features are computed with the batch; otherwise they come from `features`. */
  readonly vision: VisionBatch | null;
  readonly features: FeatureBank | null;
  /** All tensors of the batch, the features among them, in a fixed order. */
  readonly tensors: readonly Tensor[];
  dispose(): void;
}

/** Rows and response tokens of the largest padded batch to expect (`paddedSize`): its memory serves smaller ones. */
export interface BatchCapacity {
  readonly rows: number;
  readonly tokens: number;
}

/** Ids with image tokens replaced by references to feature rows. */
export function referFeatures(ids: Int32Array, imageToken: number, index: FeatureIndex): Int32Array {
  let cell = 0;
  return ids.map((id) => (id === imageToken ? -1 - (index.firstRow + (index.cells[cell++] ?? 0)) : id));
}

export interface PackingModel {
  readonly imageToken: number;
  readonly angles: MropeAngles;
  readonly featureIndex: (prompt: EncodedPrompt) => FeatureIndex;
}

/** The least size ≥ n, with eight sizes per octave: at most an eighth of a batch is padding. */
export function paddedSize(n: number): number {
  const step = Math.max(8, 2 ** (Math.floor(Math.log2(Math.max(1, n))) - 3));
  return Math.ceil(n / step) * step;
}

/**
 * Lay out rows on the host.
 * @param padded pad rows and response tokens to `paddedSize`
 * @throws Error when there is no response token, or a prompt is shorter than 2 tokens.
 */
export function packRows(items: readonly PackedItem[], model: PackingModel, padded = false): PackedRows {
  const realTokens = items.reduce(
    (sum, item) => sum + item.responses.reduce((n, response) => n + response.length, 0),
    0,
  );
  if (realTokens === 0) throw new Error("packBatch: the items hold no response token.");
  const realRows = items.reduce((sum, item) => sum + item.prompt.ids.length - 1, 0) + realTokens;
  const [rows, tokens] = padded ? [paddedSize(realRows), paddedSize(realTokens)] : [realRows, realTokens];
  const { half } = model.angles;
  const packed = paddingRows(rows, tokens, half);
  let row = 0;
  let token = 0;
  for (const { prompt, responses } of items) {
    const length = prompt.ids.length;
    if (length < 2) throw new Error(`packBatch: a prompt needs at least 2 tokens, got ${length}.`);
    const { delta } = prompt.positions;
    const start = row;
    const end = start + length - 1;
    const itemEnd = end + responses.reduce((n, response) => n + response.length, 0);
    packed.ids.set(
      referFeatures(prompt.ids.subarray(0, length - 1), model.imageToken, model.featureIndex(prompt)),
      start,
    );
    promptAngles(model.angles, prompt, packed.cos, packed.sin, start);
    for (let i = 0; i < length - 1; i++, row++) {
      packed.visible[4 * row] = start;
      packed.visible[4 * row + 1] = row + 1;
      packed.seenBy[2 * row] = row;
      packed.seenBy[2 * row + 1] = itemEnd;
    }
    for (const response of responses) {
      const first = row;
      model.angles.writeText(length - 1 + delta, response.length, packed.cos, packed.sin, row * half);
      for (let i = 0; i < response.length; i++, row++, token++) {
        packed.ids[row] = i === 0 ? (prompt.ids[length - 1] ?? 0) : (response[i - 1] ?? 0);
        packed.visible[4 * row] = start;
        packed.visible[4 * row + 1] = end;
        packed.visible[4 * row + 2] = first;
        packed.visible[4 * row + 3] = row + 1;
        packed.seenBy[2 * row] = row;
        packed.seenBy[2 * row + 1] = first + response.length;
        packed.to[row] = token;
        packed.from[token] = row;
        packed.targets[token] = response[i] ?? 0;
      }
    }
  }
  return packed;
}

/** Rows that see nothing and predict nothing. */
function paddingRows(rows: number, tokens: number, half: number): PackedRows {
  return {
    ids: new Int32Array(rows),
    cos: new Float32Array(rows * half),
    sin: new Float32Array(rows * half),
    visible: new Int32Array(4 * rows),
    seenBy: new Int32Array(2 * rows),
    to: new Int32Array(rows).fill(-1),
    from: new Int32Array(tokens).fill(-1),
    targets: new Int32Array(tokens).fill(-1),
  };
}

/** Angles of a prompt's tokens except the last, from row `first` on. */
export function promptAngles(
  angles: MropeAngles,
  prompt: EncodedPrompt,
  cos: Float32Array,
  sin: Float32Array,
  first: number,
): void {
  const { positions } = prompt.positions;
  const length = prompt.ids.length;
  for (let i = 0; i < length - 1; i++) {
    angles.write(
      positions[i] ?? 0,
      positions[length + i] ?? 0,
      positions[2 * length + i] ?? 0,
      cos,
      sin,
      (first + i) * angles.half,
    );
  }
}

/**
 * Upload packed rows. The batch owns `vision` (disposed with it), not `features`.
 * @param capacity allocate as much memory as a batch of this size needs
 */
export function uploadBatch(
  backend: Backend,
  items: readonly PackedItem[],
  packed: PackedRows,
  vision: VisionBatch | null,
  features: FeatureBank | null,
  capacity: BatchCapacity | null = null,
): PackedBatch {
  const n = packed.ids.length;
  const r = packed.targets.length;
  const half = packed.cos.length / n;
  const tensors: Tensor[] = [];
  const upload = (values: Float32Array | Int32Array, shape: readonly number[], roomLength = 0): Tensor => {
    const tensor = backend.upload(values, shape, roomLength * (shape[1] ?? 1));
    tensors.push(tensor);
    return tensor;
  };
  const ofRows = (values: Float32Array | Int32Array, ...width: number[]): Tensor =>
    upload(values, [n, ...width], capacity?.rows);
  const ofTokens = (values: Int32Array): Tensor => upload(values, [r], capacity?.tokens);
  return {
    rowCount: n,
    tokenCount: r,
    responseLengths: items.flatMap((item) => item.responses.map((response) => response.length)),
    ids: ofRows(packed.ids),
    angles: { cos: ofRows(packed.cos, half), sin: ofRows(packed.sin, half) },
    rows: { visible: ofRows(packed.visible, 4), seenBy: ofRows(packed.seenBy, 2) },
    gather: { to: ofRows(packed.to), from: ofTokens(packed.from) },
    targets: ofTokens(packed.targets),
    vision,
    features,
    get tensors() {
      return [...tensors, ...(vision?.tensors ?? []), ...(features === null ? [] : [features.tensor])];
    },
    dispose: () => {
      // Dispose in reverse order: the next batch reuses the same buffers in the same order, as a recorded step
      // expects.
      tensors.reverse().forEach((tensor) => tensor.dispose());
      vision?.dispose();
    },
  };
}

/** A batch of padding only, with the pictures of `like`: reserves what the largest batch takes on the device. */
export function blankBatch(backend: Backend, capacity: BatchCapacity, like: PackedBatch): PackedBatch {
  const half = like.angles.cos.shape[1] ?? 0;
  return {
    ...uploadBatch(backend, [], paddingRows(capacity.rows, capacity.tokens, half), null, like.features, capacity),
    vision: like.vision,
  };
}
