/**
 * A small reverse-mode tape over the kernels. A differentiable operation (see ops/) calls its kernel, hands the
 * result to `own`, and records one closure that turns the result's gradient into its inputs' gradients.
 *
 * Departures from general autodiff, each for speed or memory:
 *  - Parameters are not tape nodes: their gradients accumulate in place into views of one flat buffer, inside kernels.
 *  - A tensor's pending gradient is *taken* by the operation that made the tensor, and a gradient that meets an
 *    earlier one is offered to the next kernel's `add`/`residual` argument (`takeGradient` by the consumer), so the
 *    residual stream costs no dispatch of its own.
 *  - In-place operations (RoPE, LoRA) keep the tensor's identity: their closures rewrite the pending gradient.
 *  - An activation is disposed as soon as the closure of its operation has run: all its readers were recorded later and
 *    have run before it.
 *
 *  - `recomputed` keeps only the input of a stretch of operations and computes them again in the backward pass
 *    (gradient checkpointing, Chen et al. 2016, one stretch per layer).
 *
 * With `recording` false nothing is recorded; the tape only owns temporaries (`release` frees them early).
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Backend } from "./backend";

interface Entry {
  readonly backward: () => void;
  /** Tensors to dispose once `backward` has run. */
  readonly owned: Tensor[];
}

export class Tape {
  private readonly entries: Entry[] = [];
  /** Owned by the next entry to be recorded or, when not recording, by the tape. */
  private unclaimed = new Set<Tensor>();
  private readonly gradients = new Map<Tensor, Tensor>();
  private readonly differentiable = new Set<Tensor>();
  /** A view and the tensor whose memory it shares; the pair is disposed together. */
  private readonly bases = new Map<Tensor, Tensor>();
  /** Results the caller reads; they live until `dispose`. */
  private readonly kept = new Set<Tensor>();
  /** The caller's output gradient during `backward`: never disposed here. */
  private borrowed: Tensor | null = null;

  constructor(
    readonly backend: Backend,
    readonly recording: boolean,
  ) {}

  /** Make the tape responsible for a tensor's disposal. Returns it. */
  own(tensor: Tensor): Tensor {
    this.unclaimed.add(tensor);
    return tensor;
  }

  /** Like `own`, for a result handed to the tape's user: it lives until `dispose`, past `backward`. */
  keep(tensor: Tensor): Tensor {
    this.kept.add(tensor);
    return tensor;
  }

  /** Give the ownership of a temporary or of a kept result back to the caller. */
  disown(tensor: Tensor): Tensor {
    this.unclaimed.delete(tensor);
    this.kept.delete(tensor);
    return tensor;
  }

  /**
   * `tensor`'s elements under another shape, without a copy; the tape takes over both (it must not be used again by the
   * caller).
   */
  reshaped(tensor: Tensor, shape: readonly number[]): Tensor {
    const view = this.backend.view(tensor, 0, shape);
    this.bases.set(view, tensor);
    return view;
  }

  /** Whether a gradient flows into this tensor. Constants and frozen parts return false and cost no backward work. */
  needsGradient(tensor: Tensor): boolean {
    return this.differentiable.has(tensor);
  }

  /**
   * Record an operation. `output` is what it made (or rewrote in place); `backward` runs when all of the output's
   * readers have run, and must take the output's gradient. Tensors owned since the last record go with this entry.
   */
  record(output: Tensor, backward: () => void): void {
    this.differentiable.add(output);
    if (!this.recording) return;
    this.entries.push({ backward, owned: [...this.unclaimed] });
    this.unclaimed = new Set();
  }

  /**
   * The result of `body(tape)`, which makes one tensor from `input`, without keeping its intermediates: the backward
   * pass runs `body` again. Values and gradients are bit-identical to `body(this)`. `body` must do the same every time,
   * use kernels only, and return a tensor that is not a view. When not recording, it is `body(this)`.
   */
  recomputed(input: Tensor, body: (tape: Tape) => Tensor): Tensor {
    if (!this.recording) return body(this);
    const first = this.within(input, false);
    const output = this.own(first.disown(body(first)));
    const differentiable = first.needsGradient(output);
    first.dispose();
    if (differentiable) this.record(output, () => this.backThrough(input, output, body));
    return output;
  }

  /** The gradient that has arrived at `tensor` so far, or null; the caller now owns it. */
  takeGradient(tensor: Tensor): Tensor | null {
    const gradient = this.gradients.get(tensor) ?? null;
    this.gradients.delete(tensor);
    return gradient;
  }

  /**
   * Add `gradient` (whose ownership passes to the tape) to what has arrived at `tensor`. It is disposed if no gradient
   * flows into `tensor`.
   */
  giveGradient(tensor: Tensor, gradient: Tensor): void {
    if (!this.differentiable.has(tensor)) return this.disposeTensor(gradient);
    const earlier = this.takeGradient(tensor);
    if (earlier === null) {
      this.gradients.set(tensor, gradient);
      return;
    }
    this.gradients.set(tensor, this.backend.kernels.add(earlier, gradient));
    this.disposeTensor(earlier);
    this.disposeTensor(gradient);
  }

  /**
   * Run `kernel` with the gradient already waiting at `input` (or null) as its addend, and leave the result there.
   * This is how sums of gradients are fused into the kernel that makes the next term.
   */
  accumulate(input: Tensor, kernel: (add: Tensor | null) => Tensor): void {
    const earlier = this.takeGradient(input);
    this.gradients.set(input, kernel(earlier));
    if (earlier !== null) this.disposeTensor(earlier);
  }

  /** Dispose temporaries now. Does nothing while recording (the backward pass will need them). */
  release(...tensors: readonly Tensor[]): void {
    if (this.recording) return;
    for (const tensor of tensors) {
      if (this.unclaimed.delete(tensor)) this.disposeTensor(tensor);
    }
  }

  /** Dispose a tensor (and what it is a view of), whatever owned it before. */
  disposeTensor(tensor: Tensor): void {
    if (tensor === this.borrowed) return;
    const base = this.bases.get(tensor);
    this.bases.delete(tensor);
    tensor.dispose();
    if (base !== undefined) this.disposeTensor(base);
  }

  /**
   * Propagate `grad` (same shape as `output`; stays the caller's) back to every trainable parameter, which accumulate
   * it. Runs once: activations are disposed on the way, results given to the caller stay until `dispose`.
   * @throws Error when nothing was recorded for `output`.
   */
  backward(output: Tensor, grad: Tensor): void {
    if (!this.recording || !this.differentiable.has(output)) {
      throw new Error(
        "Tape.backward: the output depends on no trainable parameter, or the tape was made with recording = false.",
      );
    }
    this.borrowed = grad;
    this.gradients.set(output, grad);
    this.runEntries();
    this.releaseAll();
    this.borrowed = null;
  }

  /** Dispose everything the tape still owns. Safe to call twice. */
  dispose(): void {
    this.releaseAll();
    for (const tensor of this.kept) this.disposeTensor(tensor);
    this.kept.clear();
    this.bases.clear();
  }

  /** Backward through a stretch whose intermediates were not kept. */
  private backThrough(input: Tensor, output: Tensor, body: (tape: Tape) => Tensor): void {
    const gradient = this.takeGradient(output);
    if (gradient === null) return;
    const again = this.within(input, true);
    again.borrowed = this.borrowed;
    const result = body(again);
    // What has arrived at the input already goes along, so that it is added where it would be without recomputation.
    const earlier = this.takeGradient(input);
    if (earlier !== null) this.passGradient(earlier, again, input);
    this.passGradient(gradient, again, result);
    again.runEntries();
    const arrived = again.takeGradient(input);
    if (arrived !== null) again.passGradient(arrived, this, input);
    again.dispose();
  }

  /** A tape for some of this one's operations: `input` needs a gradient there if it needs one here. */
  private within(input: Tensor, recording: boolean): Tape {
    const tape = new Tape(this.backend, recording);
    if (this.differentiable.has(input)) tape.differentiable.add(input);
    return tape;
  }

  /** Hand a gradient, and what it is a view of, over to another tape, where it has arrived at `tensor`. */
  private passGradient(gradient: Tensor, to: Tape, tensor: Tensor): void {
    for (let view: Tensor | undefined = gradient; view !== undefined; ) {
      const base = this.bases.get(view);
      if (base !== undefined) to.bases.set(view, base);
      this.bases.delete(view);
      view = base;
    }
    to.gradients.set(tensor, gradient);
  }

  private runEntries(): void {
    for (let entry = this.entries.pop(); entry !== undefined; entry = this.entries.pop()) {
      entry.backward();
      for (const tensor of entry.owned) {
        const leftOver = this.takeGradient(tensor); // arrived at a frozen producer
        if (leftOver !== null) this.disposeTensor(leftOver);
        this.disposeTensor(tensor);
      }
    }
  }

  private releaseAll(): void {
    // Dispose in reverse order: views before the tensors they show.
    for (const tensor of [...this.unclaimed].reverse()) this.disposeTensor(tensor);
    for (const entry of this.entries.splice(0).reverse())
      for (const tensor of entry.owned.reverse()) this.disposeTensor(tensor);
    for (const gradient of this.gradients.values()) this.disposeTensor(gradient);
    this.unclaimed.clear();
    this.gradients.clear();
    this.differentiable.clear();
  }
}
