/** The pause that a server asks for (RFC 9110, section 10.2.3): seconds, or a date. */

/**
 * Seconds from now, at least 0; null without a valid header. OpenAI's `retry-after-ms` goes first, as in its clients.
 * @param now Unix milliseconds
 */
export function retryAfter(headers: Headers, now: number): number | null {
  const milliseconds = headers.get("retry-after-ms")?.trim() ?? "";
  if (/^\d+(\.\d+)?$/.test(milliseconds)) return Number(milliseconds) / 1000;
  const said = headers.get("retry-after")?.trim() ?? "";
  if (/^\d+(\.\d+)?$/.test(said)) return Number(said);
  // Date.parse reads "-5" or "1,5" as a year; every form of date that RFC 9110 allows names its month.
  const date = /[a-z]{3}/i.test(said) ? Date.parse(said) : Number.NaN;
  return Number.isNaN(date) ? null : Math.max(0, (date - now) / 1000);
}
