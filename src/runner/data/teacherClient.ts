/**
 * A teacher model behind an OpenAI-compatible endpoint: POST {base}/chat/completions. Requests are rate-limited.
 * Temporary failures (408, 409, 425, 429, 5xx, a broken or silent connection) are retried with exponential backoff, or
 * after the pause that the server requests. Other failures are of two kinds: the teacher refuses this request, or it
 * cannot be used at all. Token counts are the server's.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { shortened } from "../files/shortened";
import { chatAnswer } from "./chatAnswer";
import { retryAfter } from "./retryAfter";

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
  /** Unix milliseconds, which a server's date is compared with. */
  readonly today?: () => number;
  readonly pause?: (milliseconds: number) => Promise<unknown>;
}

export interface TeacherAnswer {
  readonly text: string;
  /** As the server reports; 0 if it does not. */
  readonly promptTokens: number;
  readonly completionTokens: number;
}

/** The teacher cannot be used: a wrong key, model or address, no credit, or too many requests. */
export class TeacherError extends Error {
  override readonly name: string = "TeacherError";
}

/** It did not answer this request in all attempts; others may succeed. */
export class TeacherFailure extends TeacherError {
  override readonly name = "TeacherFailure";
}

/** It refused this request: a status such as 400, a refusal, a filtered or empty answer. */
export class TeacherRefusal extends TeacherError {
  override readonly name = "TeacherRefusal";

  constructor(
    message: string,
    readonly promptTokens: number,
    readonly completionTokens: number,
  ) {
    super(message);
  }
}

/** Longest pause between two attempts, whatever the server asks for. */
const MAX_PAUSE_SECONDS = 120;
const BUSY = 429;
const RETRIED = new Set([408, 409, 425, BUSY]);
/** Statuses that no other request would change. 403 is not among them: some endpoints moderate a prompt with it. */
const HOPELESS = new Set([401, 402, 404, 405, 407, 410]);
const SHOWN = 200;

/** The result of one attempt: an answer, or what to throw and seconds until the next attempt (null: give up). */
type Try = { readonly answer: TeacherAnswer } | { readonly failure: Failure; readonly again: number | null };
interface Failure {
  readonly kind: "hopeless" | "refused" | "failed";
  readonly why: string;
}

export class Teacher {
  #nextStart = 0;
  readonly #url: string;
  readonly #now: () => number;
  readonly #today: () => number;
  readonly #pause: (milliseconds: number) => Promise<unknown>;
  readonly #fetch: typeof fetch;

  constructor(private readonly options: TeacherOptions) {
    this.#url = `${options.baseUrl.replace(/\/+$/, "")}/chat/completions`;
    this.#now = options.now ?? (() => performance.now());
    this.#today = options.today ?? Date.now;
    this.#pause = options.pause ?? sleep;
    this.#fetch = options.fetcher ?? fetch;
  }

  /**
   * @param images encoded pictures (PNG), shown before the text.
   * @throws TeacherRefusal or TeacherFailure about this request, TeacherError about the teacher
   */
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
      if (result.again === null || tried >= this.options.tries) throw this.failed(result.failure, tried);
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

  private failed({ kind, why }: Failure, tried: number): TeacherError {
    const message = `${this.#url}: ${why} (${tried} ${tried === 1 ? "attempt" : "attempts"})`;
    switch (kind) {
      case "refused":
        return new TeacherRefusal(message, 0, 0);
      case "failed":
        return new TeacherFailure(message);
      case "hopeless":
        return new TeacherError(message);
      default:
        return kind satisfies never;
    }
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
      const why = `no answer (${shortened(error instanceof Error ? error.message : String(error), SHOWN)})`;
      return { failure: { kind: "failed", why }, again: backoff };
    }
    if (!response.ok) {
      const why = `answered ${response.status} ${shortened(text, SHOWN)}`.trim();
      return {
        failure: { kind: kindOf(response.status), why },
        again: mayPass(response.status) ? (retryAfter(response.headers, this.#today()) ?? backoff) : null,
      };
    }
    const answer = chatAnswer(jsonOrNull(text));
    if (answer === null) {
      const why = `answered ${response.status} without a chat completion: ${shortened(text, SHOWN)}`;
      return { failure: { kind: "failed", why }, again: backoff };
    }
    const { refused, ...said } = answer;
    if (refused !== null) throw new TeacherRefusal(refused, said.promptTokens, said.completionTokens);
    return { answer: said };
  }
}

function mayPass(status: number): boolean {
  return status >= 500 || RETRIED.has(status);
}

/** What a status means once it is final. Too many requests are about all of them. */
function kindOf(status: number): Failure["kind"] {
  if (HOPELESS.has(status) || status === BUSY) return "hopeless";
  return mayPass(status) ? "failed" : "refused";
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
