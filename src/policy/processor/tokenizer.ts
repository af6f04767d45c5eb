/**
 * Text to token ids and back, from a folder's tokenizer.json and tokenizer_config.json (read by
 * `@huggingface/tokenizers`). Two kinds matter here: byte-level BPE (the published checkpoints) and WordLevel (the nano
 * policy: one white-space word, one token), whose ids decode by a table look-up with single spaces between words.
 */
import { Tokenizer } from "@huggingface/tokenizers";
import { z } from "zod";
import { CheckpointError, type CheckpointFiles } from "../checkpoint/checkpointFiles";
import { parseJson, parseWith } from "../checkpoint/config";

const addedToken = z.union([z.string(), z.looseObject({ content: z.string() }).transform((token) => token.content)]);

const tokenizerSchema = z.looseObject({
  model: z.looseObject({ type: z.string().optional(), unk_token: z.string().nullish() }),
  added_tokens: z
    .array(z.looseObject({ id: z.int().nonnegative(), content: z.string(), special: z.boolean().default(false) }))
    .default([]),
});

const tokenizerConfigSchema = z.looseObject({ eos_token: addedToken.nullish(), pad_token: addedToken.nullish() });

/**
 * A tokenizer that cannot be used, or text or ids that its vocabulary cannot express; the message names the words or
 * ids.
 */
export class TokenizerError extends Error {
  override readonly name = "TokenizerError";
}

export interface EncodeOptions {
  /** What to do with words outside a word-level vocabulary: refuse them by name (default) or use the unknown token. */
  readonly unknown?: "refuse" | "replace";
}

export class PolicyTokenizer {
  private readonly tokens: readonly (string | undefined)[];
  private readonly special: ReadonlySet<number>;
  private readonly wordLevel: boolean;
  private readonly unknownId: number | undefined;
  /** Token that ends a turn (`<|im_end|>` in the family). */
  readonly eosTokenId: number | undefined;
  readonly padTokenId: number | undefined;

  private constructor(
    private readonly tokenizer: Tokenizer,
    definition: z.infer<typeof tokenizerSchema>,
    config: z.infer<typeof tokenizerConfigSchema>,
  ) {
    const tokens: (string | undefined)[] = [];
    for (const [token, id] of tokenizer.get_vocab(true)) tokens[id] = token;
    this.tokens = tokens;
    this.special = new Set(definition.added_tokens.filter((token) => token.special).map((token) => token.id));
    this.wordLevel = definition.model.type === "WordLevel";
    this.unknownId = definition.model.unk_token ? tokenizer.token_to_id(definition.model.unk_token) : undefined;
    this.eosTokenId = config.eos_token ? tokenizer.token_to_id(config.eos_token) : undefined;
    this.padTokenId = config.pad_token ? tokenizer.token_to_id(config.pad_token) : undefined;
  }

  /** From parsed JSON. @throws ConfigError or TokenizerError naming the file and the key */
  static fromJson(tokenizerJson: unknown, tokenizerConfig: unknown): PolicyTokenizer {
    const definition = parseWith(tokenizerSchema, tokenizerJson, "tokenizer.json", "");
    const config = parseWith(tokenizerConfigSchema, tokenizerConfig, "tokenizer_config.json", "");
    let tokenizer: Tokenizer;
    try {
      tokenizer = new Tokenizer(definition, config);
    } catch (error) {
      throw new TokenizerError(
        `tokenizer.json: cannot be used (${error instanceof Error ? error.message : String(error)}).`,
      );
    }
    return new PolicyTokenizer(tokenizer, definition, config);
  }

  /** From a checkpoint folder. @throws ConfigError or CheckpointError naming the file */
  static async open(files: CheckpointFiles): Promise<PolicyTokenizer> {
    const present = files.list();
    if (!present.includes("tokenizer.json"))
      throw new CheckpointError(
        "The folder holds no tokenizer.json. Save the tokenizer with the checkpoint (in Python: " +
          "tokenizer.save_pretrained).",
      );
    const definition = parseJson(await files.read("tokenizer.json"), "tokenizer.json");
    const config = present.includes("tokenizer_config.json")
      ? parseJson(await files.read("tokenizer_config.json"), "tokenizer_config.json")
      : {};
    return PolicyTokenizer.fromJson(definition, config);
  }

  /** One more than the largest id; a model's vocabulary may be padded beyond it. */
  get vocabSize(): number {
    return this.tokens.length;
  }

  /** Id of a token as spelled in the vocabulary. */
  tokenId(token: string): number | undefined {
    return this.tokenizer.token_to_id(token);
  }

  /** The token of an id as spelled in the vocabulary (byte-level tokens in their printable alphabet). */
  token(id: number): string | undefined {
    return this.tokens[id];
  }

  isSpecial(id: number): boolean {
    return this.special.has(id);
  }

  /**
   * Ids of a text; special tokens in it are recognised, none are added.
   * @throws TokenizerError naming words that the vocabulary does not hold
   */
  encode(text: string, { unknown = "refuse" }: EncodeOptions = {}): Int32Array {
    const { ids, tokens } = this.tokenizer.encode(text, { add_special_tokens: false });
    // For an unknown word the library leaves the id undefined.
    const found: readonly (number | undefined)[] = ids;
    const isUnknown = (id: number | undefined, i: number): boolean =>
      id === undefined || (this.wordLevel && id === this.unknownId && tokens[i] !== this.tokens[id]);
    const words = tokens.filter((_, i) => isUnknown(found[i], i));
    if (words.length > 0 && (unknown === "refuse" || this.unknownId === undefined)) {
      throw new TokenizerError(
        `The vocabulary of ${this.vocabSize} tokens does not hold: ` +
          `${[...new Set(words)].slice(0, 10).join(", ")}. Write the text with words it knows.`,
      );
    }
    return Int32Array.from(found, (id) => id ?? this.unknownId ?? 0);
  }

  /**
   * Text of ids. Word-level tokens are joined by single spaces.
   * @throws TokenizerError when an id is outside the vocabulary
   */
  decode(ids: ArrayLike<number>, { skipSpecial = false }: { skipSpecial?: boolean } = {}): string {
    const kept: number[] = [];
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i] ?? -1;
      if (this.tokens[id] === undefined)
        throw new TokenizerError(
          `Token id ${id} (at index ${i}) is outside the vocabulary of ${this.vocabSize} tokens.`,
        );
      if (!skipSpecial || !this.special.has(id)) kept.push(id);
    }
    if (this.wordLevel) return kept.map((id) => this.tokens[id]).join(" ");
    return kept.length > 0
      ? this.tokenizer.decode(kept, { skip_special_tokens: false, clean_up_tokenization_spaces: false })
      : "";
  }
}
