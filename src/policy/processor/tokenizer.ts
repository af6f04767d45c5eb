/**
 * Text to token ids and back, from a folder's tokenizer.json and tokenizer_config.json (read by
 * `@huggingface/tokenizers`). Two kinds matter here: byte-level BPE (the published checkpoints) and WordLevel (the nano
 * policy: one white-space word, one token), whose ids decode by a table look-up with single spaces between words.
 */
import { Tokenizer } from "@huggingface/tokenizers";
import { z } from "zod";
import { CheckpointError, type CheckpointFiles } from "../checkpoint/checkpointFiles";
import { parseJson, parseWith } from "../checkpoint/configJson";

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
  /** Spellings of the special tokens, as a group; null where there are none. */
  private readonly specialSpelling: RegExp | null;
  /** Without special tokens: made on the first text that spells one. */
  private plain: Tokenizer | null = null;
  private readonly wordLevel: boolean;
  private readonly unknownId: number | undefined;
  /** Token that ends a turn (`<|im_end|>` in the family). */
  readonly eosTokenId: number | undefined;
  readonly padTokenId: number | undefined;

  private constructor(
    private readonly tokenizer: Tokenizer,
    private readonly definition: z.infer<typeof tokenizerSchema>,
    private readonly config: z.infer<typeof tokenizerConfigSchema>,
  ) {
    const tokens: (string | undefined)[] = [];
    for (const [token, id] of tokenizer.get_vocab(true)) tokens[id] = token;
    this.tokens = tokens;
    const special = definition.added_tokens.filter((token) => token.special);
    this.special = new Set(special.map((token) => token.id));
    const spellings = special.map(({ content }) => content).sort((a, b) => b.length - a.length);
    this.specialSpelling =
      spellings.length === 0
        ? null
        : new RegExp(`(${spellings.map((text) => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|")})`);
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
  encode(text: string, options: EncodeOptions = {}): Int32Array {
    return this.idsBy(this.tokenizer, text, options);
  }

  /**
   * Ids of a text that others wrote: a special token in it is spelled out in ordinary tokens (transformers'
   * `split_special_tokens`), so that a question cannot place a picture or end a turn.
   * @throws TokenizerError naming words that the vocabulary does not hold: in a word-level one, the special tokens
   */
  encodeText(text: string, options: EncodeOptions = {}): Int32Array {
    if (this.specialSpelling === null || !this.specialSpelling.test(text)) return this.encode(text, options);
    const added = this.definition.added_tokens.filter((token) => !token.special);
    this.plain ??= new Tokenizer({ ...this.definition, added_tokens: added }, this.config);
    return this.idsBy(this.plain, text, options);
  }

  /** The text with `shield` within every spelling of a special token, which `encodeShielded` takes out again. */
  shielded(text: string, shield: string): string {
    return text
      .split(this.specialSpelling ?? /(?!)/)
      .map((part, i) => (i % 2 === 0 ? part : `${part.slice(0, 1)}${shield}${part.slice(1)}`))
      .join("");
  }

  /** Ids of a rendered template: its own special tokens are recognised, shielded ones are text. */
  encodeShielded(rendered: string, shield: string): Int32Array {
    if (!rendered.includes(shield)) return this.encode(rendered);
    const parts = rendered.split(this.specialSpelling ?? /(?!)/).filter((part) => part !== "");
    return Int32Array.from(
      parts.flatMap((part) =>
        this.specialSpelling?.test(part) ? [...this.encode(part)] : [...this.encodeText(part.replaceAll(shield, ""))],
      ),
    );
  }

  private idsBy(tokenizer: Tokenizer, text: string, { unknown = "refuse" }: EncodeOptions): Int32Array {
    const { ids, tokens } = tokenizer.encode(text, { add_special_tokens: false });
    const plain = tokenizer !== this.tokenizer;
    // For an unknown word the library leaves the id undefined.
    const found: readonly (number | undefined)[] = ids.map((id) => (plain && this.special.has(id) ? undefined : id));
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
