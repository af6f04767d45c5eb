/**
 * Kernels' parameters: 4-byte scalars in a ring of 256-byte slots, bound with a dynamic offset. Slots are filled on the
 * host while dispatches are recorded, and uploaded in one `writeBuffer` just before each submit.
 */
export type ParamType = "u32" | "i32" | "f32";

export const SLOT_BYTES = 256;
const SLOT_WORDS = SLOT_BYTES / 4;
const SLOTS = 2048;
/** The first word of a slot is the first workgroup of the range (dispatch.ts). */
export const MAX_PARAMS = SLOT_WORDS - 1;

const oneFloat = new Float32Array(1);
const floatBits = new Uint32Array(oneFloat.buffer);

export class ParameterRing {
  readonly buffer: GPUBuffer;
  private readonly words = new Uint32Array(SLOT_WORDS * SLOTS);
  /** Slots [uploaded, next) belong to recorded, not yet submitted dispatches. */
  private uploaded = 0;
  private next = 0;

  constructor(device: GPUDevice) {
    this.buffer = device.createBuffer({
      label: "kernel parameters",
      size: SLOT_BYTES * SLOTS,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
  }

  /** Slots that can be filled before `restart`. */
  get left(): number {
    return SLOTS - this.next;
  }

  /** Start over. Everything filled so far must have been submitted. */
  restart(): void {
    this.next = 0;
    this.uploaded = 0;
  }

  /** Fill the next slot. → its offset in the buffer, bytes */
  fill(words: Uint32Array): number {
    const slot = this.next++;
    this.words.set(words, slot * SLOT_WORDS);
    return slot * SLOT_BYTES;
  }

  upload(queue: GPUQueue): void {
    if (this.next === this.uploaded) return;
    const start = this.uploaded * SLOT_WORDS;
    queue.writeBuffer(this.buffer, 4 * start, this.words, start, this.next * SLOT_WORDS - start);
    this.uploaded = this.next;
  }
}

/** A slot's contents. */
export function slotWords(first: number, types: readonly ParamType[], values: readonly number[]): Uint32Array {
  const words = new Uint32Array(1 + types.length);
  words[0] = first;
  writeValues(words, types, values);
  return words;
}

/** Write other values into a slot's contents. */
export function writeValues(words: Uint32Array, types: readonly ParamType[], values: readonly number[]): void {
  for (let i = 0; i < types.length; i++) {
    const value = values[i] ?? 0;
    if (types[i] === "f32") {
      oneFloat[0] = value;
      words[i + 1] = floatBits[0] ?? 0;
    } else {
      words[i + 1] = value;
    }
  }
}
