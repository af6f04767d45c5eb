/**
 * Items from a stream of records, those that cannot be used passed over: the next in order takes the place of each.
 * What is taken depends on the cursor and the files alone, so a resumed run takes the same.
 */
import type { Taken } from "../../training/problemSource";
import { UnusableProblemError } from "../../training/unusableProblem";
import { type RecordFaults, UnusableRecordError } from "./recordFaults";

export interface UsableStream<T> {
  /** The item at a place, or why it cannot be used. */
  load(position: number): Promise<T | UnusableRecordError>;
  /** Places after which the stream has shown every record, in another order each time. */
  readonly size: number;
  /** The file, for messages. */
  readonly path: string;
}

/** @throws UnusableProblemError when no record can be used; InputError where the first that cannot ends the run */
export async function takeUsable<T>(
  { load, size, path }: UsableStream<T>,
  cursor: number,
  count: number,
  faults: RecordFaults,
): Promise<Required<Taken<T>>> {
  const items: T[] = [];
  let position = cursor;
  let inARow = 0;
  while (items.length < count) {
    const wanted = count - items.length;
    const from = position;
    const loaded = await Promise.all(Array.from({ length: wanted }, (_, i) => load(from + i)));
    position += wanted;
    for (const item of loaded) {
      if (!(item instanceof UnusableRecordError)) {
        items.push(item);
        inARow = 0;
        continue;
      }
      faults.found(item.record);
      // Any 2n − 1 places in a row contain a whole epoch.
      if (++inARow >= 2 * size)
        throw new UnusableProblemError(
          `${path}: none of its ${size} records can be used; the last one met: ${item.message}`,
        );
    }
  }
  return { items, skipped: position - cursor - count };
}

/** An item, or why its record cannot be used. Any other error is thrown. */
export async function usableOrFault<T>(loading: Promise<T>): Promise<T | UnusableRecordError> {
  try {
    return await loading;
  } catch (error) {
    if (error instanceof UnusableRecordError) return error;
    throw error;
  }
}
