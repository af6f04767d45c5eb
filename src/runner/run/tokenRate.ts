/** Sampled tokens per second of a command, including prompts and kernel compilation. */
export class TokenRate {
  private readonly began: number;

  constructor(private readonly now: () => number = () => performance.now()) {
    this.began = now();
  }

  /** @param tokens sampled since construction */
  perSecond(tokens: number): number {
    return tokens / Math.max(1e-3, (this.now() - this.began) / 1000);
  }

  /** For a progress bar. */
  note(tokens: number): string {
    return tokensPerSecond(this.perSecond(tokens));
  }

  /** For the end of a command. */
  summary(tokens: number): string {
    const seconds = ((this.now() - this.began) / 1000).toFixed(1);
    return `sampled ${tokens.toLocaleString("en")} tokens in ${seconds} s: ${this.note(tokens)}\n`;
  }
}

/** e.g. "385 tokens/s"; one decimal below 10. */
export function tokensPerSecond(rate: number): string {
  return `${rate < 10 ? rate.toFixed(1) : Math.round(rate).toLocaleString("en")} tokens/s`;
}
