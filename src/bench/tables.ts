/** Tables for a terminal, in Markdown, so that they can be pasted into a document. */

export interface Column<Row> {
  readonly title: string;
  readonly text: (row: Row) => string;
  /** Numbers are aligned right (default), words left. */
  readonly align?: "left" | "right";
}

/** A Markdown table whose columns are as wide as their widest cell. Without rows: the header alone. */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = rows.map((row) => columns.map((column) => column.text(row)));
  const widths = columns.map(({ title }, i) => Math.max(3, title.length, ...cells.map((row) => (row[i] ?? "").length)));
  const left = (i: number): boolean => columns[i]?.align === "left";
  const line = (texts: readonly string[]): string =>
    "| " +
    `${texts.map((text, i) => (left(i) ? text.padEnd(widths[i] ?? 0) : text.padStart(widths[i] ?? 0))).join(" | ")} |`;
  const rule = widths.map((width, i) => (left(i) ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  return [line(columns.map(({ title }) => title)), line(rule), ...cells.map(line)].join("\n");
}

/** Three significant digits with thousands separators: 0.0123, 4.56, 78.9, 12,300. Null or NaN: "–". */
export function figure(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value !== 0 && Math.abs(value) < 1e-3) return value.toExponential(1);
  const digits =
    Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** 1.83×, or "–". */
export function times(ratio: number | null | undefined): string {
  return ratio === null || ratio === undefined ? "–" : `${figure(ratio)}×`;
}

/** 512 B, 4.2 kB, 3.1 MB. */
export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  if (value < 1000) return `${value} B`;
  return value < 1e6 ? `${figure(value / 1e3)} kB` : `${figure(value / 1e6)} MB`;
}
