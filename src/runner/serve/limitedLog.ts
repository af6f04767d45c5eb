/**
 * The terminal's log, which whoever reaches the port can write to by being refused: lines beyond a rate are counted and
 * told in one line.
 */
import { RateLimit } from "./rateLimit";

/** Lines at once, and lines a second after that. */
const BURST = 20;
const PER_SECOND = 1;
/** Milliseconds until the lines that were left out are counted. */
const SUMMARY = 5000;

export function limitedLog(log: (line: string) => void): (line: string) => void {
  const limit = new RateLimit(BURST, PER_SECOND);
  let left = 0;
  return (line) => {
    if (limit.take()) return log(line);
    if (left++ > 0) return;
    setTimeout(() => {
      log(`${left} more lines like these in the last ${SUMMARY / 1000} s were left out`);
      left = 0;
    }, SUMMARY).unref();
  };
}
