/**
 * The soft overlong penalty (DAPO, arXiv 2503.14476, equation 13): with the longest response L_max and a cache L_c
 * before it, a response of n tokens gets 0 up to L_max − L_c, then a line down to −1 at L_max. TRL's
 * `get_soft_overlong_punishment` and EasyR1 are the same; verl's line goes on below −1 beyond L_max, which no sampled
 * response reaches.
 */
import type { ResponseFacts } from "./facts";

/**
 * The penalty in [−1, 0], before its weight; 0 for a response that was not sampled.
 * @param overlongCache L_c as a share of L_max
 */
export function overlongPenalty(
  { sampled }: Pick<ResponseFacts, "sampled">,
  { overlongCache }: { readonly overlongCache: number },
): number {
  if (sampled === undefined) return 0;
  const { tokens, limit } = sampled;
  const cache = overlongCache * limit;
  const free = limit - cache;
  if (tokens <= free) return 0;
  return tokens >= limit ? -1 : (free - tokens) / cache;
}
