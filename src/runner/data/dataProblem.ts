/** One record as a training problem: its pictures decoded, the instruction below its question. */
import { gradeAnswer } from "../../srpo/grader/grader";
import type { Picture } from "../../tasks/problem";
import type { TrainingProblem } from "../../training/trainingProblem";
import { UnusableProblemError } from "../../training/unusableProblem";
import { shortened } from "../files/shortened";
import { type AnswerRule, answerRuleOf } from "./answerRules";
import type { DataRecords } from "./dataRecords";
import { decodePicture } from "./pictures";
import { UnusableRecordError } from "./recordFaults";

/** Where a picture stands in a question. */
const MARK = "<image>";

/** @throws UnusableRecordError when a picture cannot be read, or the question has marks for another number of them */
export async function dataProblem(data: DataRecords, at: number, instruction: string): Promise<TrainingProblem> {
  const record = data.records[at];
  if (record === undefined)
    throw new Error(`${data.path}: there is no record ${at}; expected 0 to ${data.records.length - 1}`);
  const images = await data.images(at);
  const pictures: Picture[] = [];
  for (const [index, bytes] of images.entries()) pictures.push(await decoded(data, at, bytes, index, images.length));
  const question = instruction === "" ? record.question : `${record.question}\n\n${instruction}`;
  refuseMarks(data, at, question, pictures.length);
  refuseOtherKind(data, at, record);
  const [picture, ...morePictures] = pictures;
  if (picture === undefined) throw new Error(`${data.path}: record ${at} was read without an image`);
  return {
    id: record.id,
    family: record.category,
    picture,
    ...(morePictures.length === 0 ? {} : { morePictures }),
    question,
    answer: record.answer,
    ...answerRuleOf(record),
  };
}

/** A truth that is not of the kind that its record requires would refuse every answer, also its own words. */
function refuseOtherKind(data: DataRecords, at: number, record: { readonly answer: string } & AnswerRule): void {
  const rule = answerRuleOf(record);
  const truth = { answer: record.answer, ...rule };
  if (rule.answerKind === undefined || gradeAnswer(record.answer, truth, "equivalent").right) return;
  throw recordFault(
    data,
    at,
    new UnusableProblemError(
      `no answer can be right: "${shortened(record.answer, 60)}" is not of its answerKind "${rule.answerKind}"`,
    ),
  );
}

/** The fault of a problem with the place of its record. */
export function recordFault(data: Pick<DataRecords, "place">, at: number, { message }: UnusableProblemError) {
  return new UnusableRecordError({ ...data.place(at), reason: message });
}

async function decoded(
  data: DataRecords,
  at: number,
  bytes: Uint8Array,
  index: number,
  count: number,
): Promise<Picture> {
  try {
    return await decodePicture(bytes);
  } catch (error) {
    const which = count === 1 ? "its image" : `image ${index + 1} of ${count}`;
    const why = shortened(error instanceof Error ? error.message : String(error), 300);
    throw recordFault(data, at, new UnusableProblemError(`cannot decode ${which} (${why})`));
  }
}

function refuseMarks(data: DataRecords, at: number, question: string, pictures: number): void {
  const marks = question.split(MARK).length - 1;
  if (marks === 0 || marks === pictures) return;
  const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;
  throw recordFault(
    data,
    at,
    new UnusableProblemError(
      `the question has ${counted(marks, `${MARK} mark`)} and the record ${counted(pictures, "picture")}: ` +
        "expected as many, or no mark",
    ),
  );
}
