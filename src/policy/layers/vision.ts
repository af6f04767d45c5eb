/**
 * The vision tower of Qwen2.5-VL: patches → RMSNorm/attention/SwiGLU blocks, most of them attending inside windows
 * → merger, one feature for every 2×2 patches. Follows transformers 5.18 (`Qwen2_5_VisionTransformerPretrainedModel`).
 *
 * Departures: patches come in window order and the features leave in it (windows.ts); the Conv3d of the patch
 * embedding is written as the linear map it is; gate and up are one matrix.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Backend } from "../../tensor/backend";
import { attention, fusedShape, type RopeTables, rope, type Visibility } from "../../tensor/ops/attention";
import { gelu, reshape, rmsNorm, swiglu } from "../../tensor/ops/elementwise";
import { type LinearParameters, linear } from "../../tensor/ops/linear";
import type { ParameterSet } from "../../tensor/parameters";
import type { Tape } from "../../tensor/tape";
import type { VisionConfig } from "../checkpoint/config";
import type { ImageGrid, ImagePatches } from "./imagePatches";
import { key } from "./layout";
import { blockVisibility, permuteCells, visionAngles, type WindowLayout, windowLayout } from "./windows";

/** Pictures on the device, in window order. */
export interface VisionBatch {
  readonly layout: WindowLayout;
  readonly patches: Tensor;
  readonly angles: RopeTables;
  readonly windows: Visibility;
  readonly frames: Visibility;
  /** All of the above, in a fixed order. */
  readonly tensors: readonly Tensor[];
  dispose(): void;
}

export function visionWindowLayout(grids: readonly ImageGrid[], config: VisionConfig): WindowLayout {
  return windowLayout(grids, {
    mergeSize: config.spatialMergeSize,
    windowCells: Math.floor(config.windowSize / config.spatialMergeSize / config.patchSize),
  });
}

/** Upload pictures for the tower. @throws Error when a picture's patches do not fit its grid. */
export function visionBatch(backend: Backend, images: readonly ImagePatches[], config: VisionConfig): VisionBatch {
  const grids = images.map((image) => image.grid);
  const layout = visionWindowLayout(grids, config);
  const unit = config.spatialMergeSize ** 2;
  const width = config.inChannels * config.temporalPatchSize * config.patchSize ** 2;
  const rows = layout.cells * unit;
  const patches = new Float32Array(rows * width);
  let cell = 0;
  for (const [i, { patches: values, grid }] of images.entries()) {
    const expected = grid.frames * grid.height * grid.width * width;
    if (values.length !== expected) {
      throw new Error(
        `Picture ${i}: a grid of ${grid.frames}×${grid.height}×${grid.width} patches of ${width} values needs ` +
          `${expected} values, got ${values.length}.`,
      );
    }
    permuteCells(values, layout.cellAt, cell, unit * width, patches);
    cell += values.length / (unit * width);
  }
  const { headDim } = config;
  const { cos, sin } = visionAngles(grids, layout, config.spatialMergeSize, headDim, config.ropeTheta);
  const tensors: Tensor[] = [];
  const upload = (values: Float32Array | Int32Array, shape: readonly number[]): Tensor => {
    const tensor = backend.upload(values, shape);
    tensors.push(tensor);
    return tensor;
  };
  const visibility = (starts: readonly number[]): Visibility => {
    const { visible, seenBy } = blockVisibility(starts);
    return { visible: upload(visible, [rows, 4]), seenBy: upload(seenBy, [rows, 2]) };
  };
  return {
    layout,
    patches: upload(patches, [rows, width]),
    angles: { cos: upload(cos, [rows, headDim / 2]), sin: upload(sin, [rows, headDim / 2]) },
    windows: visibility(layout.windowStarts),
    frames: visibility(layout.frameStarts),
    tensors,
    // Dispose in reverse order: the next batch reuses the same buffers in the same order, as a recorded step
    // expects.
    dispose: () => tensors.reverse().forEach((tensor) => tensor.dispose()),
  };
}

export class VisionTower {
  private readonly patchEmbed: LinearParameters;
  private readonly blocks: readonly VisionBlock[];
  private readonly merge: { readonly first: LinearParameters; readonly second: LinearParameters };

  /** @param recompute recompute blocks in the backward pass instead of keeping their activations (tape.ts) */
  constructor(
    private readonly config: VisionConfig,
    private readonly parameters: ParameterSet,
    private readonly recompute = false,
  ) {
    const dense = (weight: string, bias: string | null): LinearParameters => ({
      matrix: parameters.matrix(weight),
      bias: bias === null ? null : parameters.vector(bias),
      lora: [],
    });
    this.patchEmbed = dense(key.patchEmbed, null);
    this.blocks = Array.from({ length: config.depth }, (_, i) => {
      const block = key.block(i);
      return {
        norm1: `${block}.norm1.weight`,
        norm2: `${block}.norm2.weight`,
        qkv: dense(`${block}.attn.qkv.weight`, `${block}.attn.qkv.bias`),
        proj: dense(`${block}.attn.proj.weight`, `${block}.attn.proj.bias`),
        gateUp: dense(`${block}.mlp.gate_up.weight`, `${block}.mlp.gate_up.bias`),
        down: dense(`${block}.mlp.down_proj.weight`, `${block}.mlp.down_proj.bias`),
      };
    });
    this.merge = {
      first: dense(`${key.merger}.mlp.0.weight`, `${key.merger}.mlp.0.bias`),
      second: dense(`${key.merger}.mlp.2.weight`, `${key.merger}.mlp.2.bias`),
    };
  }

  /** → features [cells, outHiddenSize], in window order (batch.layout.featureIndex). Owned by the tape. */
  forward(tape: Tape, batch: VisionBatch): Tensor {
    let x = linear(tape, batch.patches, this.patchEmbed);
    this.blocks.forEach((block, i) => {
      const rows = this.config.fullAttentionBlocks.includes(i) ? batch.frames : batch.windows;
      const from = x;
      x = this.recompute
        ? tape.recomputed(from, (on) => this.block(on, from, block, batch.angles, rows))
        : this.block(tape, from, block, batch.angles, rows);
    });
    const unit = this.config.spatialMergeSize ** 2;
    const normed = rmsNorm(tape, x, this.parameters.vector(`${key.merger}.ln_q.weight`), this.config.rmsNormEps);
    const cells = reshape(tape, normed, [batch.layout.cells, unit * this.config.hiddenSize]);
    const inner = linear(tape, cells, this.merge.first);
    const activated = gelu(tape, inner);
    const features = linear(tape, activated, this.merge.second);
    tape.release(activated, inner, cells, normed, x);
    return features;
  }

  private block(tape: Tape, x: Tensor, p: VisionBlock, angles: RopeTables, rows: Visibility): Tensor {
    const { heads, headDim } = this.config;
    const shape = fusedShape(heads, heads, headDim);
    const normed = rmsNorm(tape, x, this.parameters.vector(p.norm1), this.config.rmsNormEps);
    const qkv = linear(tape, normed, p.qkv);
    rope(tape, qkv, angles, shape);
    const attended = attention(tape, qkv, rows, shape);
    const middle = linear(tape, attended, p.proj, x);
    tape.release(normed, qkv, attended, x);
    const normed2 = rmsNorm(tape, middle, this.parameters.vector(p.norm2), this.config.rmsNormEps);
    const gateUp = linear(tape, normed2, p.gateUp);
    const inner = swiglu(tape, gateUp);
    const out = linear(tape, inner, p.down, middle);
    tape.release(normed2, gateUp, inner, middle);
    return out;
  }
}

interface VisionBlock {
  readonly norm1: string;
  readonly norm2: string;
  readonly qkv: LinearParameters;
  readonly proj: LinearParameters;
  readonly gateUp: LinearParameters;
  readonly down: LinearParameters;
}
