/**
 * The responses of one step with their rewards: a Parquet table, one row per sample, for notebooks and audits. Replayed
 * samples (`replayed_from`: the step that sampled them) and responses continued after a trigger (`rethought`: kept or
 * not; they come after their group's samples) have rows too: what a step sampled is where both are null. A `completion`
 * begins with the `prefix_tokens` that its group was given; `tokens` are without them. Terms
 * have the names of the reward vectors; a column is null when it does not apply (no second answer, a scorer that
 * failed). Reward terms of one's own follow as `rewards/NAME`. The picture is a PNG file in the column `image`, the
 * same bytes for all rows of a group; further pictures of the question are the list `more_images`.
 */
import type { SchemaElement } from "hyparquet";
import { type BasicType, ByteWriter, parquetWrite, schemaFromColumnData } from "hyparquet-writer";
import type { GroupRecord, SampleRecord, SampleScore, Stage } from "../../training/records";
import { encodePng } from "../data/pictures";

interface Row {
  readonly stage: Stage;
  readonly step: number;
  readonly group: number;
  readonly sample: number;
  readonly record: GroupRecord;
  /** PNG files. */
  readonly images: readonly Uint8Array[];
  readonly response: SampleRecord;
  readonly score: SampleScore | null;
}

type Cell = string | number | boolean | Uint8Array | readonly Uint8Array[] | null;

interface Column {
  readonly name: string;
  readonly type: BasicType | "PICTURES";
  readonly of: (row: Row) => Cell;
}

const term = (name: string, of: (score: SampleScore) => number): Column => ({
  name,
  type: "DOUBLE",
  of: ({ score }) => (score === null ? null : of(score)),
});
const flag = (name: string, of: (score: SampleScore) => boolean): Column => ({
  name,
  type: "BOOLEAN",
  of: ({ score }) => (score === null ? null : of(score)),
});
const text = (name: string, of: (row: Row) => string | null): Column => ({ name, type: "STRING", of });
const count = (name: string, of: (row: Row) => number): Column => ({ name, type: "INT32", of });

/** The columns that every table has, in order. */
const COLUMNS: readonly Column[] = [
  text("stage", ({ stage }) => stage),
  count("step", ({ step }) => step),
  count("group", ({ group }) => group),
  count("sample", ({ sample }) => sample),
  text("problem", ({ record }) => record.problem.id),
  text("family", ({ record }) => record.problem.family),
  text("prompt", ({ record }) => record.problem.question),
  { name: "image", type: "BYTE_ARRAY", of: ({ images: [first] }) => first ?? null },
  { name: "more_images", type: "PICTURES", of: ({ images: [, ...more] }) => more },
  text("answer", ({ record }) => record.problem.answer),
  text("completion", ({ response }) => response.text),
  text("first_think", ({ score }) => score?.firstSolution?.think ?? null),
  text("first_answer", ({ score }) => score?.firstSolution?.answer ?? null),
  text("reflection", ({ score }) => score?.reflection ?? null),
  text("refined_think", ({ score }) => score?.refinedSolution?.think ?? null),
  text("refined_answer", ({ score }) => score?.refinedSolution?.answer ?? null),
  flag("well_formed", (score) => score.wellFormed),
  flag("first_right", (score) => score.firstRight),
  flag("refined_right", (score) => score.refinedRight),
  text("transition", ({ score }) => score?.transition ?? null),
  text("transitions", ({ score }) => score?.rounds?.map(({ transition }) => transition).join(" ") ?? null),
  term("format", ({ terms }) => terms.format),
  term("accuracy", ({ terms }) => terms.accuracy),
  term("effectiveness", ({ terms }) => terms.effectiveness),
  term("reflection_format", ({ terms }) => terms.reflectionFormat),
  term("length", ({ terms }) => terms.length),
  term("length_weighted", ({ terms }) => terms.lengthWeighted),
  term("total", ({ terms }) => terms.total),
  { name: "advantage", type: "DOUBLE", of: ({ response }) => response.advantage ?? null },
  { name: "group_mean", type: "DOUBLE", of: ({ record }) => record.normalised?.mean ?? null },
  { name: "group_std", type: "DOUBLE", of: ({ record }) => record.normalised?.std ?? null },
  { name: "kl_penalty", type: "DOUBLE", of: ({ response }) => response.klPenalty ?? null },
  { name: "replayed_from", type: "INT32", of: ({ record }) => record.replayedFrom ?? null },
  count("prefix_tokens", ({ record }) => record.prefix?.tokens.length ?? 0),
  text("rethought", ({ response }) => (response.kept === undefined ? null : response.kept ? "kept" : "not kept")),
  { name: "filtered", type: "BOOLEAN", of: ({ record }) => record.filtered ?? false },
  count("tokens", ({ response }) => response.tokenIds.length),
  { name: "finished", type: "BOOLEAN", of: ({ response }) => response.finished },
  text("error", ({ response }) =>
    response.score !== undefined && "error" in response.score ? response.score.error : null,
  ),
];

/** Reward terms of one's own come last, each under the name of its metric. */
function columnsOf(groups: readonly GroupRecord[]): readonly Column[] {
  const scores = groups.flatMap(({ samples }) => samples.flatMap((sample) => scored(sample) ?? []));
  const names = new Set(scores.flatMap(({ terms }) => Object.keys(terms.custom ?? {})));
  const overlong = scores.some(({ terms }) => terms.overlong !== undefined)
    ? [term("rewards/overlong", ({ terms }) => terms.overlong ?? 0)]
    : [];
  const own = [...names].map(
    (name): Column => ({
      name: `rewards/${name}`,
      type: "DOUBLE",
      of: ({ score }) => score?.terms.custom?.[name] ?? null,
    }),
  );
  return [...COLUMNS, ...overlong, ...own];
}

/** The names of the columns that every table has, in order. */
export const COMPLETION_COLUMNS: readonly string[] = COLUMNS.map((column) => column.name);

/** The table of one step as a Parquet file. */
export async function completionsTable(
  stage: Stage,
  step: number,
  groups: readonly GroupRecord[],
): Promise<Uint8Array> {
  const rows: Row[] = [];
  for (const [group, record] of groups.entries()) {
    const images = await Promise.all([record.problem.picture, ...(record.problem.morePictures ?? [])].map(encodePng));
    rows.push(
      ...[...record.samples, ...(record.rethought ?? [])].map((response, sample) => ({
        stage,
        step,
        group,
        sample,
        record,
        images,
        response,
        score: scored(response),
      })),
    );
  }
  const columns = columnsOf(groups);
  const writer = new ByteWriter();
  parquetWrite({
    writer,
    createdBy: "srpo-playground",
    schema: [{ name: "root", num_children: columns.length }, ...columns.flatMap(schemaOf)],
    columnData: columns.map(({ name, type, of }) => ({
      name,
      data: rows.map(of),
      statistics: type !== "BYTE_ARRAY" && type !== "PICTURES",
    })),
  });
  return new Uint8Array(writer.getBuffer());
}

function schemaOf({ name, type }: Column): SchemaElement[] {
  if (type !== "PICTURES") return schemaFromColumnData({ columnData: [{ name, type, data: [] }] }).slice(1);
  return [
    { name, repetition_type: "OPTIONAL", num_children: 1, converted_type: "LIST" },
    { name: "list", repetition_type: "REPEATED", num_children: 1 },
    { name: "element", type: "BYTE_ARRAY", repetition_type: "REQUIRED" },
  ];
}

function scored({ score }: SampleRecord): SampleScore | null {
  return score === undefined || "error" in score ? null : score;
}
