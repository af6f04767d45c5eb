/**
 * Recorded steps. The first run of a piece of work keeps its dispatches with their bind groups; a replay puts them into
 * the current pass without running any of the work's own code. The caller flushes or reads after the replay: several
 * replays may share an encoder, one upload of parameters and one submit.
 *
 * What may differ from run to run:
 *  - inputs, the caller's tensors: dispatches that bind one get the bind group for the new one;
 *  - outputs, tensors that outlive the work: each run makes new ones (from tfjs' pool), bound in the same way;
 *  - options in `DynamicOptions`, which kernels pass as functions: their parameters are encoded again.
 * Everything in between stays where it was in the arena; weights and gradients stay bound as recorded, and a replay
 * throws when one of them was disposed.
 *
 * Work of one key allocates in one order, so a recording of new shapes reuses the buffers of the largest one before it;
 * `reserve` runs the work without its dispatches, to allocate them up front.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { DataType, Recorder } from "../backend";
import type { DynamicOptions } from "../kernels";
import type { Taken } from "./arena";
import type { Dispatch, Dispatcher } from "./dispatch";
import type { Faults } from "./faults";
import { writeValues } from "./parameterRing";
import type { Storage } from "./storage";
import type { BufferBinding, DataId } from "./tfjsWebGpu";

interface Output {
  readonly shape: readonly number[];
  readonly dtype: DataType;
}

/** A dispatch whose bind group depends on inputs or outputs. */
interface Rebound {
  readonly index: number;
  /** For each binding the index among inputs and outputs of the tensor whose memory it shows, or −1. */
  readonly sources: readonly number[];
}

interface Recording {
  /** As last replayed. */
  readonly dispatches: Dispatch[];
  /** Inputs, then outputs, as they were when recorded: bindings are relative to them. */
  readonly first: readonly BufferBinding[];
  readonly outputs: readonly Output[];
  readonly rebound: readonly Rebound[];
  /** The bindings of the dispatches in `rebound`, as recorded. */
  readonly recorded: readonly (readonly BufferBinding[])[];
  /** Dispatches with options that may change. */
  readonly variable: readonly number[];
  /** Tensor data that must still exist. */
  readonly captured: readonly DataId[];
  bound: readonly BufferBinding[];
}

/** The memory of the largest run of a key so far. */
interface Plan extends Taken {
  /** Bytes of each output. */
  readonly outputs: readonly number[];
}

interface Trace {
  readonly dispatches: Dispatch[];
  readonly owners: Set<DataId>;
}

export class WebGpuRecorder implements Recorder {
  /** Least recently used first. */
  private readonly recordings = new Map<string, Recording>();
  private readonly plans = new Map<string, Plan>();
  /** Sizes last reserved. */
  private readonly reserved = new Map<string, string>();
  private disposed = false;

  constructor(
    private readonly storage: Storage,
    private readonly dispatcher: Dispatcher,
    private readonly faults: Faults,
    private readonly kept: number,
    private readonly onDispose: () => void,
  ) {}

  run(
    key: string,
    inputs: readonly Tensor[],
    dynamicOptions: DynamicOptions,
    body: () => readonly Tensor[],
  ): readonly Tensor[] {
    this.faults.check();
    if (this.disposed) throw new Error(`Recording ${key}: this recorder has been disposed; create a new one.`);
    if (this.dispatcher.listener !== null) throw new Error(`Recording ${key} was started inside another recording.`);
    const signature = `${key} ${inputs.map(({ dtype, shape }) => `${dtype}[${shape.join(",")}]`).join(" ")}`;
    const known = this.recordings.get(signature);
    this.recordings.delete(signature);
    if (known !== undefined) {
      this.recordings.set(signature, known);
      return this.replay(key, known, inputs, dynamicOptions);
    }
    const { recording, outputs } = this.record(key, inputs, dynamicOptions, body);
    this.recordings.set(signature, recording);
    for (const oldest of this.recordings.keys()) {
      if (this.recordings.size <= this.kept) break;
      this.recordings.delete(oldest);
    }
    return outputs;
  }

  reserve(key: string, size: string, prepare: () => () => readonly Tensor[]): void {
    this.faults.check();
    if (this.reserved.get(key) === size) return;
    if (this.disposed) throw new Error(`Reserving ${key}: this recorder has been disposed; create a new one.`);
    if (this.dispatcher.listener !== null) throw new Error(`Memory for ${key} was reserved inside a recording.`);
    const { storage, dispatcher } = this;
    const body = prepare();
    [storage.reserving, dispatcher.idle] = [true, true];
    try {
      const outputs = this.inArena(key, body);
      this.keepSizes(
        key,
        outputs.map((tensor) => storage.binding(tensor).size),
      );
      for (const tensor of outputs) tensor.dispose();
      this.reserved.set(key, size);
    } finally {
      [storage.reserving, dispatcher.idle] = [false, false];
    }
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.recordings.clear();
    this.plans.clear();
    this.reserved.clear();
    this.onDispose();
  }

  private record(
    key: string,
    inputs: readonly Tensor[],
    dynamicOptions: DynamicOptions,
    body: () => readonly Tensor[],
  ): { recording: Recording; outputs: readonly Tensor[] } {
    const { arena } = this.storage;
    const trace: Trace = { dispatches: [], owners: new Set() };
    const inputBindings = inputs.map((tensor) => this.storage.binding(tensor));
    if (new Set(inputBindings.map(({ buffer }) => buffer)).size < inputs.length)
      throw new Error(`Recording ${key}: two inputs share memory.`);
    const before = arena.lentCount;
    this.dispatcher.listener = {
      dynamicOptions,
      dispatched: (dispatch, owners) => {
        refuseOtherOptions(key, dispatch, dynamicOptions);
        trace.dispatches.push(dispatch);
        for (const owner of owners) if (!arena.has(owner)) trace.owners.add(owner);
      },
    };
    let outputs: readonly Tensor[];
    try {
      outputs = this.inArena(key, body);
    } finally {
      this.dispatcher.listener = null;
    }
    const made = outputs.map((tensor, i): Output & { binding: BufferBinding } => {
      const binding = this.storage.moveOut(tensor, this.plans.get(key)?.outputs[i]);
      if (binding === null)
        throw new Error(`Recording ${key} returned a tensor [${tensor.shape.join(", ")}] that it did not allocate.`);
      return { shape: [...tensor.shape], dtype: tensor.dtype === "int32" ? "int32" : "float32", binding };
    });
    this.keepSizes(
      key,
      made.map(({ binding }) => binding.size),
    );
    if (arena.lentCount > before)
      throw new Error(`Recording ${key} left ${arena.lentCount - before} tensors undisposed.`);
    const inputOwners = new Set(inputs.map((tensor) => this.storage.ownerOf(tensor.dataId)));
    const rebindable = [...inputBindings, ...made.map(({ binding }) => binding)];
    const rebound = trace.dispatches.flatMap(({ bindings }, index): Rebound[] => {
      const shown = bindings.map(({ buffer }) => rebindable.findIndex((other) => other.buffer === buffer));
      return shown.some((source) => source >= 0) ? [{ index, sources: shown }] : [];
    });
    return {
      outputs,
      recording: {
        dispatches: trace.dispatches,
        first: rebindable,
        outputs: made,
        rebound,
        recorded: rebound.map(({ index }) => trace.dispatches[index]?.bindings ?? []),
        variable: trace.dispatches.flatMap(({ params }, index) => (typeof params === "function" ? [index] : [])),
        captured: [...trace.owners].filter((owner) => !inputOwners.has(owner)),
        bound: rebindable,
      },
    };
  }

  /** Run work whose tensors live in the arena, in the buffers of the largest run of this key where they fit. */
  private inArena(key: string, body: () => readonly Tensor[]): readonly Tensor[] {
    const { arena } = this.storage;
    const known = this.plans.get(key);
    arena.begin(known?.buffers ?? []);
    this.storage.recording = true;
    try {
      return body();
    } finally {
      this.storage.recording = false;
      const taken = arena.end();
      if (known === undefined || taken.bytes > known.bytes)
        this.plans.set(key, { ...taken, outputs: known?.outputs ?? [] });
    }
  }

  private keepSizes(key: string, sizes: readonly number[]): void {
    const known = this.plans.get(key) ?? { buffers: [], bytes: 0, outputs: [] };
    this.plans.set(key, { ...known, outputs: sizes.map((size, i) => Math.max(size, known.outputs[i] ?? 0)) });
  }

  private replay(
    key: string,
    recording: Recording,
    inputs: readonly Tensor[],
    dynamicOptions: DynamicOptions,
  ): readonly Tensor[] {
    for (const id of recording.captured) {
      if (!this.storage.isAlive(id))
        throw new Error(`Recording ${key} uses a tensor that has been disposed since; it belongs among the inputs.`);
    }
    const sizes = this.plans.get(key)?.outputs;
    const outputs = recording.outputs.map(({ shape, dtype }, i) =>
      this.storage.allocate(shape, dtype, { capacity: sizes?.[i] ?? 0 }),
    );
    const rebindable = [...inputs, ...outputs];
    this.rebind(
      recording,
      rebindable.map((tensor) => this.storage.binding(tensor)),
    );
    for (const index of recording.variable) change(recording.dispatches[index], dynamicOptions);
    this.dispatcher.replay(recording.dispatches);
    for (const { dataId } of rebindable) this.storage.markUsed(dataId);
    for (const id of recording.captured) this.storage.markUsed(id);
    return outputs;
  }

  private rebind(recording: Recording, now: readonly BufferBinding[]): void {
    const moved = now.map(
      ({ buffer, offset }, i) => buffer !== recording.bound[i]?.buffer || offset !== recording.bound[i]?.offset,
    );
    if (!moved.includes(true)) return;
    recording.bound = now;
    recording.rebound.forEach(({ index, sources }, i) => {
      const dispatch = recording.dispatches[index];
      if (dispatch === undefined || !sources.some((source) => moved[source] === true)) return;
      const bindings = (recording.recorded[i] ?? []).map((binding, b): BufferBinding => {
        const source = sources[b] ?? -1;
        const [first, here] = [recording.first[source], now[source]];
        if (first === undefined || here === undefined) return binding;
        return { buffer: here.buffer, offset: here.offset + binding.offset - first.offset, size: binding.size };
      });
      recording.dispatches[index] = {
        ...dispatch,
        bindings,
        bindGroup: this.dispatcher.bindGroup(dispatch.kernel, bindings),
      };
    });
  }
}

/** Re-encode the parameters of a dispatch in place; it owns the words. */
function change(dispatch: Dispatch | undefined, dynamicOptions: DynamicOptions): void {
  if (dispatch !== undefined && typeof dispatch.params === "function")
    writeValues(dispatch.words, dispatch.kernel.paramTypes, dispatch.params(dynamicOptions));
}

/** A kernel got another value for an option than in the recording; a replay would use the recorded one. */
function refuseOtherOptions(key: string, { kernel, params }: Dispatch, dynamicOptions: DynamicOptions): void {
  if (typeof params !== "function") return;
  const given = params({});
  const replayed = params(dynamicOptions);
  if (given.some((value, i) => value !== replayed[i])) {
    throw new Error(
      `Recording ${key}: ${kernel.name} was given other options than the recording's ` +
        `${JSON.stringify(dynamicOptions)}.`,
    );
  }
}
