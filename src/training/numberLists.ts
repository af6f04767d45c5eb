/**
 * Plain data with its long lists of numbers taken out, for snapshots: tokens and log-probabilities of an episode's
 * replay buffer would make JSON longer than the longest string, and JSON has no NaN or infinity. In the data a list
 * stands as `{"$list": [type, start, length]}`, a number that JSON lacks as `{"$number": "NaN"}`.
 */
/** Element types, each with the bytes of one. */
const TYPES = { i32: Int32Array, f32: Float32Array, f64: Float64Array } as const;
export type ListType = keyof typeof TYPES;
export const LIST_TYPES = ["i32", "f32", "f64"] as const satisfies readonly ListType[];

/** All lists of one element type, one after the other. */
export type NumberLists = Readonly<Record<ListType, Int32Array | Float32Array | Float64Array>>;

/** Shorter lists stay in the data. */
const SHORT = 8;

/** The data without its long lists, and the lists in the narrowest type that holds every number exactly. */
export function withoutLists(data: unknown): { readonly data: unknown; readonly lists: NumberLists } {
  const found: Record<ListType, (readonly number[])[]> = { i32: [], f32: [], f64: [] };
  const lengths: Record<ListType, number> = { i32: 0, f32: 0, f64: 0 };

  const without = (value: unknown): unknown => {
    if (typeof value === "number") return isJson(value) ? value : { $number: nameOf(value) };
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) {
      const list: readonly unknown[] = value;
      if (list.length < SHORT || !isNumbers(list)) return list.map(without);
      const type = narrowest(list);
      found[type].push(list);
      lengths[type] += list.length;
      return { $list: [type, lengths[type] - list.length, list.length] };
    }
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, without(entry)]));
  };

  const stripped = without(data);
  const joined = <T extends ListType>(type: T): InstanceType<(typeof TYPES)[T]> => {
    const all = new TYPES[type](lengths[type]);
    let at = 0;
    for (const list of found[type]) {
      all.set(list, at);
      at += list.length;
    }
    return all as InstanceType<(typeof TYPES)[T]>;
  };
  return { data: stripped, lists: { i32: joined("i32"), f32: joined("f32"), f64: joined("f64") } };
}

/** The data as it was. @throws RangeError where a list lies outside of `lists` */
export function withLists(data: unknown, lists: NumberLists): unknown {
  if (typeof data !== "object" || data === null) return data;
  if (Array.isArray(data)) return data.map((entry: unknown) => withLists(entry, lists));
  if ("$list" in data) return listAt(data.$list, lists);
  if ("$number" in data) return Number(data.$number);
  return Object.fromEntries(Object.entries(data).map(([key, entry]) => [key, withLists(entry, lists)]));
}

/** The lists in bytes that hold `counts` elements of each type from `offset` on. */
export function listsIn(bytes: Uint8Array, offset: number, counts: Readonly<Record<ListType, number>>): NumberLists {
  let at = offset;
  const next = (type: ListType): Int32Array | Float32Array | Float64Array => {
    const end = at + counts[type] * TYPES[type].BYTES_PER_ELEMENT;
    const { buffer } = bytes.slice(at, end); // a copy is aligned
    at = end;
    return new TYPES[type](buffer);
  };
  return { i32: next("i32"), f32: next("f32"), f64: next("f64") };
}

export function listBytes(counts: Readonly<Record<ListType, number>>): number {
  return LIST_TYPES.reduce((sum, type) => sum + counts[type] * TYPES[type].BYTES_PER_ELEMENT, 0);
}

function listAt(place: unknown, lists: NumberLists): number[] {
  const [type, start, length]: readonly unknown[] = Array.isArray(place) ? place : [];
  const all = LIST_TYPES.find((name) => name === type);
  if (all === undefined || typeof start !== "number" || typeof length !== "number" || !(start >= 0 && length >= 0))
    throw new RangeError(`a list of numbers at ${JSON.stringify(place)}`);
  const values = lists[all];
  if (start + length > values.length)
    throw new RangeError(`numbers ${start} to ${start + length} of ${values.length} (${all})`);
  return Array.from(values.subarray(start, start + length));
}

const isJson = (value: number): boolean => Number.isFinite(value) && !Object.is(value, -0);
const nameOf = (value: number): string => (Object.is(value, -0) ? "-0" : String(value));

const isNumbers = (list: readonly unknown[]): list is readonly number[] =>
  list.every((each) => typeof each === "number");

function narrowest(list: readonly number[]): ListType {
  if (list.every((each) => (each | 0) === each && !Object.is(each, -0))) return "i32";
  return list.every((each) => Object.is(Math.fround(each), each)) ? "f32" : "f64";
}
