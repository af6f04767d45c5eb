/**
 * A teacher model behind an OpenAI-compatible endpoint: POST {base}/chat/completions. Requests are rate-limited.
 * Temporary failures (408, 409, 425, 429, 5xx, a broken or silent connection) are retried with exponential backoff, or
 * after the pause that the server requests; any other failure is an error. Token counts are the server's.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";

export interface TeacherOptions {
  /** e.g. https://api.example.org/v1 */
  readonly baseUrl: string;
  /** Sent as a bearer token; never in messages or logs. Null: none. */
  readonly key: string | null;
  readonly model: string;
  /** Maximum requests per minute. */
  readonly requestsPerMinute: number;
  /** Attempts per request, at least 1. */
  readonly tries: number;
  readonly timeoutSeconds: number;
  /** Pause after the first failure in seconds; it doubles with each further one. */
  readonly firstPauseSeconds?: number;
  readonly fetcher?: typeof fetch;
  /** Milliseconds. */
  readonly now?: () => number;
  readonly pause?: (milliseconds: number) => Promise<unknown>;
}

export interface TeacherAnswer {
  readonly text: string;
  /** As the server reports; 0 if it does not. */
  readonly promptTokens: number;
  readonly completionTokens: number;
}

/** A request failed for good; the message contains the server's answer. */
export class TeacherError extends Error {
  override readonly name = "TeacherError";
}

/** Longest pause between two attempts. */
const MAX_PAUSE_SECONDS = 120;
const RETRIED = new Set([408, 409, 425, 429]);

const answerSchema = z.object({
  choices: z.array(z.object({ message: z.object({ content: z.string() }) })).min(1),
  usage: z.object({ prompt_tokens: z.number().default(0), completion_tokens: z.number().default(0) }).nullish(),
});

/** The result of one attempt: an answer, or why not and seconds until the next attempt (null: give up). */
type Try = { readonly answer: TeacherAnswer } | { readonly why: string; readonly again: number | null };

export class Teacher {
  #nextStart = 0;
  readonly #url: string;
  readonly #now: () => number;
  readonly #pause: (milliseconds: number) => Promise<unknown>;
  readonly #fetch: typeof fetch;

  constructor(private readonly options: TeacherOptions) {
    this.#url = `${options.baseUrl.replace(/\/+$/, "")}/chat/completions`;
    this.#now = options.now ?? (() => performance.now());
    this.#pause = options.pause ?? sleep;
    this.#fetch = options.fetcher ?? fetch;
  }

  /** @param images encoded pictures (PNG), shown before the text. @throws TeacherError when no attempt succeeds */
  async ask(prompt: string, images: readonly Uint8Array[]): Promise<TeacherAnswer> {
    const content = [
      ...images.map((image) => ({
        type: "image_url",
        image_url: { url: `data:image/png;base64,${Buffer.from(image).toString("base64")}` },
      })),
      { type: "text", text: prompt },
    ];
    const body = JSON.stringify({ model: this.options.model, messages: [{ role: "user", content }] });
    for (let tried = 1; ; tried++) {
      await this.turn();
      const result = await this.attempt(body, tried);
      if ("answer" in result) return result.answer;
      if (result.again === null || tried >= this.options.tries)
        throw new TeacherError(`${this.#url}: ${result.why} (${tried} ${tried === 1 ? "attempt" : "attempts"})`);
      await this.#pause(1000 * Math.min(MAX_PAUSE_SECONDS, result.again));
    }
  }

  /** Wait for the rate limit. Each caller takes the next start time. */
  private async turn(): Promise<void> {
    const now = this.#now();
    const start = Math.max(now, this.#nextStart);
    this.#nextStart = start + 60_000 / this.options.requestsPerMinute;
    if (start > now) await this.#pause(start - now);
  }

  private async attempt(body: string, tried: number): Promise<Try> {
    const backoff = (this.options.firstPauseSeconds ?? 1) * 2 ** (tried - 1);
    const { key, timeoutSeconds } = this.options;
    let response: Response;
    let text: string;
    try {
      response = await this.#fetch(this.#url, {
        method: "POST",
        body,
        signal: AbortSignal.timeout(1000 * timeoutSeconds),
        headers: { "content-type": "application/json", ...(key === null ? {} : { authorization: `Bearer ${key}` }) },
      });
      text = await response.text();
    } catch (error) {
      return { why: `no answer (${error instanceof Error ? error.message : String(error)})`, again: backoff };
    }
    if (!response.ok) {
      const passes = response.status >= 500 || RETRIED.has(response.status);
      return {
        why: `answered ${response.status} ${text.slice(0, 200)}`.trim(),
        again: passes ? (retryAfter(response) ?? backoff) : null,
      };
    }
    const parsed = answerSchema.safeParse(jsonOrNull(text));
    const message = parsed.data?.choices[0]?.message.content;
    if (message === undefined)
      return {
        why: `answered ${response.status} without a chat completion: ${text.slice(0, 200)}`,
        again: backoff,
      };
    return {
      answer: {
        text: message,
        promptTokens: parsed.data?.usage?.prompt_tokens ?? 0,
        completionTokens: parsed.data?.usage?.completion_tokens ?? 0,
      },
    };
  }
}

/** The pause in seconds that the server requests (Retry-After); null without a valid one. */
function retryAfter(response: Response): number | null {
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : null;
}

/** Null for invalid JSON, which no schema accepts. */
function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
