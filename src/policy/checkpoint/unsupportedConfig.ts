/** What a config.json may ask for and is not computed here: scaled rotary embeddings and quantised weights. */
import { z } from "zod";
import { ConfigError } from "./configJson";
import { DEQUANTISE } from "./fileKind";

export const ropeSchema = z.looseObject({
  type: z.string().optional(),
  rope_type: z.string().optional(),
  rope_theta: z.number().positive().optional(),
  mrope_section: z.tuple([z.int().nonnegative(), z.int().nonnegative(), z.int().nonnegative()]).optional(),
});

/** Rotary embedding is computed unscaled; a scaled one differs at every position. */
export function refuseScaledRope({ type, rope_type }: z.output<typeof ropeSchema>, file: string, key: string): void {
  const [field, kind] = rope_type === undefined || plainRope(rope_type) ? ["type", type] : ["rope_type", rope_type];
  if (kind === undefined || plainRope(kind)) return;
  const name = { yarn: "YaRN", longrope: "LongRoPE", llama3: "Llama 3's scaling" }[kind] ?? `${kind} scaling`;
  throw new ConfigError(
    `${file}: ${key}.${field} is "${kind}": ${name} changes the rotary frequencies for longer contexts, which is not ` +
      'computed here; expected "mrope" or "default". Without it the checkpoint works in its original context: set ' +
      'the type to "mrope" and remove factor and original_max_position_embeddings.',
  );
}

const plainRope = (kind: string): boolean => kind === "mrope" || kind === "default";

/** @throws ConfigError naming the method of a quantised checkpoint */
export function refuseQuantised(json: Readonly<Record<string, unknown>>, file: string, prefix = ""): void {
  for (const key of ["quantization_config", "compression_config"]) {
    const section = json[key];
    if (section == null) continue;
    const { quant_method, bits, load_in_4bit, load_in_8bit } = quantisedSchema.parse(section);
    const width = bits ?? (load_in_4bit ? 4 : load_in_8bit ? 8 : undefined);
    throw new ConfigError(
      `${file}: ${prefix}${key}: the checkpoint is quantised by ${quant_method}` +
        `${width === undefined ? "" : `, ${width} bits`}. ${DEQUANTISE}`,
    );
  }
}

const quantisedSchema = z
  .looseObject({
    quant_method: z.string().catch("a method that it does not name"),
    bits: z.number().optional().catch(undefined),
    load_in_4bit: z.boolean().catch(false),
    load_in_8bit: z.boolean().catch(false),
  })
  .catch({ quant_method: "a method that it does not name", load_in_4bit: false, load_in_8bit: false });
