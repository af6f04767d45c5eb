/**
 * Files that are not what their name says: what downloads, Git and other tools leave in a checkpoint folder, told by
 * their first bytes, and weights in formats that are not read here, told by their names.
 */

/** Bytes that `otherKind` needs to see of a file. */
export const KIND_BYTES = 512;

const BINARY: readonly (readonly [string, string])[] = [
  ["GGUF", "a GGUF file (llama.cpp); open the checkpoint that it was converted from"],
  [
    "PK\u0003\u0004",
    "a zip archive, such as torch.save writes; save the weights in Python with safe_serialization=True",
  ],
  ["\u0089HDF", "an HDF5 file (Keras); save the weights as safetensors"],
  ["\u001f\u008b", "a gzip archive; unpack it"],
];

const TEXT: readonly (readonly [RegExp, string])[] = [
  [
    /^version https:\/\/git-lfs/,
    "a Git LFS pointer instead of the file; run git lfs pull in the folder, or download the file itself",
  ],
  [/^(\.\.\/)*\.?git\/annex\/objects|^\/annex\/objects/, "a git-annex pointer instead of the file; run git annex get"],
  [/^\s*(<!--.*?-->\s*)*<(!doctype html|html)/is, "a web page (HTML) saved under this name; download the file again"],
  [/^\s*<\?xml/i, "a server's answer (XML) saved under this name; download the file again"],
  [/^\s*\{\s*"(error|message|detail)"/, "a server's error message saved under this name; download the file again"],
  [
    /^(Entry not found|Not found|404|Repository not found|Access to model|Invalid (username|cred)|Unauthorized)/i,
    "a server's error message saved under this name; download the file again, signed in where it is gated",
  ],
];

/**
 * What a file is instead of what its name says, and what to do; null when it may be what it should.
 * @param first the file's first bytes, up to KIND_BYTES
 */
export function otherKind(first: Uint8Array): string | null {
  if (first.length === 0) return "empty; download it again";
  if (first.length > 8 && first.every((byte) => byte === 0)) return "zeros only, an unfinished download";
  if (beginsAsSafetensors(first)) return null;
  const start = String.fromCharCode(...first.subarray(0, 4));
  const [, binary] = BINARY.find(([magic]) => start.startsWith(magic)) ?? [];
  if (binary !== undefined) return binary;
  if (first[0] === 0x80 && (first[1] ?? 0) >= 2 && (first[1] ?? 0) <= 5)
    return "a Python pickle; save the weights in Python with safe_serialization=True";
  const text = new TextDecoder("latin1").decode(first.subarray(0, KIND_BYTES));
  return TEXT.find(([pattern]) => pattern.test(text))?.[1] ?? null;
}

/** The length of a header below 4 GiB, then its brace: the length's first bytes may be those of any other format. */
function beginsAsSafetensors(first: Uint8Array): boolean {
  return first.length > 8 && first[8] === 0x7b && first.subarray(4, 8).every((byte) => byte === 0);
}

const FORMATS: readonly (readonly [RegExp, string])[] = [
  [/\.(incomplete|part|partial|crdownload|aria2|tmp)$/, "an unfinished download; fetch the folder again"],
  [
    /\.(bin|pt|pth|ckpt)$/,
    "weights as a PyTorch pickle, which may run code when opened and is not read here; convert them in Python: " +
      "from_pretrained(folder).save_pretrained(out, safe_serialization=True)",
  ],
  [/\.gguf$/, "GGUF weights (llama.cpp); open the checkpoint that they were converted from"],
  [/\.(h5|msgpack|onnx|npz|mlmodel|tflite)$/, "weights in another format; open the folder with .safetensors files"],
  [/^adapter_model\.safetensors$/, "a LoRA adapter; pass its folder as --adapter, and its base as the policy"],
  [/^model-\d+-of-\d+\.safetensors$/, "shards without their index; fetch model.safetensors.index.json as well"],
  [/\.safetensors$/, "weights under another name; rename a single file to model.safetensors"],
];

/** The first file of a folder that looks like weights, and what it is; null when none does. */
export function otherWeights(present: readonly string[]): string | null {
  for (const [pattern, kind] of FORMATS) {
    const file = present.find((name) => pattern.test(name));
    if (file !== undefined) return `${file}: ${kind}`;
  }
  return null;
}

const PACKED_TENSORS: readonly (readonly [RegExp, string])[] = [
  [/\.(qweight|qzeros|g_idx)$/, "AWQ or GPTQ (packed integers)"],
  [/\.weight\.(absmax|quant_map|quant_state|nested_absmax)/, "bitsandbytes"],
  [/\.(weight_scale_inv|weight_scale|input_scale)$/, "FP8 or compressed-tensors (with scales beside the weights)"],
  [/\.(SCB|weight_format)$/, "bitsandbytes (8 bits)"],
];

/** How tensors of these names are quantised; null when none is. */
export function quantisedNames(names: readonly string[]): { readonly tensor: string; readonly how: string } | null {
  for (const [pattern, how] of PACKED_TENSORS) {
    const tensor = names.find((name) => pattern.test(name));
    if (tensor !== undefined) return { tensor, how };
  }
  return null;
}

/** What to do with a quantised checkpoint. */
export const DEQUANTISE =
  "Weights are read as F32, F16 or BF16: open the checkpoint that it was quantised from (--packing int4 packs it " +
  "while loading), or dequantise it in Python: from_pretrained(folder).dequantize().save_pretrained(out).";
