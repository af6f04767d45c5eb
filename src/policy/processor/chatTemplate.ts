/**
 * The folder's chat template (Jinja, rendered by @huggingface/jinja): from messages to the text the model was trained
 * on. It is found where transformers looks for it: processor_config.json, chat_template.json, chat_template.jinja,
 * tokenizer_config.json.
 */
import { Template } from "@huggingface/jinja";
import { z } from "zod";
import type { CheckpointFiles } from "../checkpoint/checkpointFiles";
import { parseJson, parseWith } from "../checkpoint/configJson";
import { KIND_BYTES, otherKind } from "../checkpoint/fileKind";

export type MessagePart = { readonly type: "image" } | { readonly type: "text"; readonly text: string };

export interface ChatMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string | readonly MessagePart[];
}

/** A chat template that is missing, malformed, or refuses the messages. */
export class ChatTemplateError extends Error {
  override readonly name = "ChatTemplateError";
}

const named = z.array(z.looseObject({ name: z.string(), template: z.string() }));
const holderSchema = z.looseObject({ chat_template: z.union([z.string(), named]).nullish() });

function templateIn(json: unknown, file: string): string | null {
  const { chat_template: found } = parseWith(holderSchema, json, file, "");
  if (typeof found === "string") return found;
  return found?.find((template) => template.name === "default")?.template ?? null;
}

const explain = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export class ChatTemplate {
  private constructor(
    private readonly template: Template,
    /** The file it was read from. */
    readonly where: string,
  ) {}

  /** @throws ChatTemplateError when the source is not valid Jinja */
  static fromSource(source: string, where = "chat template"): ChatTemplate {
    try {
      return new ChatTemplate(new Template(source), where);
    } catch (error) {
      throw new ChatTemplateError(`${where}: not a valid Jinja template (${explain(error)}).`);
    }
  }

  /** @throws ChatTemplateError when the folder holds no template */
  static async open(files: CheckpointFiles): Promise<ChatTemplate> {
    const present = files.list();
    for (const file of [
      "processor_config.json",
      "chat_template.json",
      "chat_template.jinja",
      "tokenizer_config.json",
    ]) {
      if (!present.includes(file)) continue;
      const bytes = await files.read(file);
      // Any text is a Jinja template, so a pointer or an error page would become the prompt.
      const other = otherKind(bytes.subarray(0, KIND_BYTES));
      if (other !== null) throw new ChatTemplateError(`${file}: ${other}.`);
      const source = file.endsWith(".jinja")
        ? new TextDecoder().decode(bytes)
        : templateIn(parseJson(bytes, file), file);
      if (source !== null) return ChatTemplate.fromSource(source, file);
    }
    throw new ChatTemplateError(
      "The folder holds no chat template: expected chat_template.jinja, or the key chat_template in " +
        "chat_template.json or tokenizer_config.json.",
    );
  }

  /**
   * Render messages; each image becomes one image token, to be repeated for its features later.
   * @param addGenerationPrompt end with the opening of the assistant's turn
   */
  render(messages: readonly ChatMessage[], { addGenerationPrompt }: { addGenerationPrompt: boolean }): string {
    try {
      return this.template.render({ messages, add_generation_prompt: addGenerationPrompt });
    } catch (error) {
      throw new ChatTemplateError(`${this.where}: could not be rendered (${explain(error)}).`);
    }
  }

  /**
   * What the template writes after an assistant's words, e.g. "<|im_end|>\n"; null when it renders no such turn.
   */
  closing(): string | null {
    const words = "closing words";
    const text = [{ type: "text", text: words } as const];
    for (const content of [text, words]) {
      let rendered: string;
      try {
        rendered = this.render(
          [
            { role: "user", content: text },
            { role: "assistant", content },
          ],
          { addGenerationPrompt: false },
        );
      } catch (error) {
        // A template for prompts only may refuse an assistant's turn.
        if (error instanceof ChatTemplateError) return null;
        throw error;
      }
      if (rendered.split(words).length === 3) return rendered.slice(rendered.lastIndexOf(words) + words.length);
    }
    return null;
  }

  /**
   * Pictures and a question, ready for the assistant's answer. If the question has as many `<image>` placeholders as
   * there are pictures, the pictures replace them; otherwise they come before the question.
   */
  renderQuestion(question: string, pictures = 1): string {
    const parts = question.split("<image>");
    const placed = parts.length === pictures + 1 && parts.length > 1;
    const content = placed
      ? parts.flatMap((text, i): MessagePart[] => [
          ...(i > 0 ? [{ type: "image" } as const] : []),
          ...(text === "" ? [] : [{ type: "text", text } as const]),
        ])
      : [
          ...Array.from({ length: pictures }, () => ({ type: "image" }) as const),
          { type: "text", text: question } as const,
        ];
    return this.render([{ role: "user", content }], { addGenerationPrompt: true });
  }
}

/**
 * Repeat each image token once for each of its features.
 * @param counts features of each image, in the order of the text
 * @throws ChatTemplateError when the text has a different number of images
 */
export function expandImageTokens(ids: Int32Array, imageTokenId: number, counts: readonly number[]): Int32Array {
  refuseOtherCount(ids, imageTokenId, counts.length);
  const expanded = new Int32Array(ids.length + counts.reduce((sum, count) => sum + count - 1, 0));
  let [to, image] = [0, 0];
  for (const id of ids) {
    const repeat = id === imageTokenId ? (counts[image++] ?? 0) : 1;
    expanded.fill(id, to, to + repeat);
    to += repeat;
  }
  return expanded;
}

/** @throws ChatTemplateError when the prompt has a different number of image tokens than images */
export function refuseOtherCount(ids: Int32Array, imageTokenId: number, images: number): void {
  const placeholders = ids.reduce((count, id) => count + (id === imageTokenId ? 1 : 0), 0);
  if (placeholders !== images)
    throw new ChatTemplateError(
      `The prompt has image placeholders: ${placeholders}; images given: ${images}. The two must match.`,
    );
}
