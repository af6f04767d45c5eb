/** A report as text: one table per benchmark, the absent contenders with the reason, and the targets. */

import type { Absent, BenchmarkName, Measurement } from "./results";
import { bytes, type Column, figure, table, times } from "./tables";

const COLUMNS: readonly (Column<Measurement> & { readonly shown?: (rows: readonly Measurement[]) => boolean })[] = [
  { title: "workload", text: ({ workload }) => workload, align: "left" },
  { title: "contender", text: ({ contender }) => contender, align: "left" },
  {
    title: "ms (quartiles)",
    text: ({ milliseconds: { median, q1, q3 } }) => `${figure(median)} (${figure(q1)}–${figure(q3)})`,
  },
  {
    title: "rate",
    text: ({ rate }) => (rate === undefined ? "–" : `${figure(rate.value)} ${rate.unit}`),
    shown: (rows) => rows.some(({ rate }) => rate !== undefined),
  },
  {
    title: "time / ours",
    text: ({ ratio }) => times(ratio),
    shown: (rows) => rows.some(({ ratio }) => ratio !== undefined && ratio !== 1),
  },
  { title: "dispatches", text: ({ counts }) => figure(counts?.dispatches), shown: counted("dispatches") },
  { title: "submits", text: ({ counts }) => figure(counts?.submits), shown: counted("submits") },
  { title: "read-backs", text: ({ counts }) => figure(counts?.readbacks), shown: counted("readbacks") },
  { title: "up", text: ({ counts }) => bytes(counts?.bytesUploaded), shown: counted("bytesUploaded") },
  {
    title: "host µs / dispatch",
    text: ({ hostMicrosecondsPerDispatch }) => figure(hostMicrosecondsPerDispatch),
    shown: (rows) => rows.some((row) => row.hostMicrosecondsPerDispatch !== undefined),
  },
  { title: "kB", text: ({ needs }) => figure(needs && needs.bytes / 1e3), shown: needed },
  { title: "MFLOP", text: ({ needs }) => figure(needs && needs.flops / 1e6), shown: needed },
  { title: "of copy bandwidth", text: ({ needs }) => percent(needs?.ofBandwidth), shown: needed },
  { title: "of peak matmul", text: ({ needs }) => percent(needs?.ofPeak), shown: needed },
];

function counted(name: "dispatches" | "submits" | "readbacks" | "bytesUploaded") {
  return (rows: readonly Measurement[]): boolean => rows.some(({ counts }) => (counts?.[name] ?? 0) > 0);
}

function needed(rows: readonly Measurement[]): boolean {
  return rows.some(({ needs }) => needs !== undefined);
}

const percent = (share: number | undefined): string => (share === undefined ? "–" : `${figure(100 * share)} %`);

/** The table of one benchmark on one backend, without columns that are empty. */
export function measurementTable(rows: readonly Measurement[]): string {
  return table(
    COLUMNS.filter(({ shown }) => shown === undefined || shown(rows)),
    rows,
  );
}

/** Title, table and absent contenders of one benchmark. */
export function section(
  name: BenchmarkName,
  backend: string,
  adapter: string,
  rows: readonly Measurement[],
  absent: readonly Absent[],
  notes: readonly string[],
): string {
  const missing = absent.map(
    ({ contender, workload, why }) => `${contender} is absent (${workload}): ${why.replaceAll(/\s+/g, " ")}`,
  );
  return [
    `## ${name} on ${backend} (${adapter})`,
    "",
    measurementTable(rows),
    ...(missing.length + notes.length > 0 ? ["", ...missing, ...notes] : []),
    "",
  ].join("\n");
}
