/**
 * The teacher of stage 1 (SRPO, section 3.2): it sees the ground truth and the policy's own first solution and
 * writes the reflection, by one of two strategies. **Correction** of a wrong solution names what is wrong;
 * **simplification** of a right one says that it holds, or that its steps are repeated.
 *
 * Departures: the paper's teacher is a large model, ours a program that works on readings and inferences.
 * Both strategies read the picture again, one clause a reading ("A is 4 not 3 ; C is 5"), so that a reflection
 * is never hollow, right and wrong solutions get reflections of like length, and the refined solution can
 * take its readings from the clauses before it. Where right answers rest on wrong steps, the steps are corrected.
 * In a response of several rounds (reflectionForm.ts) each reflection is on the solution before it: the first corrects
 * or simplifies, the later ones confirm.
 */

/** What the picture shows, e.g. { subject: "A", value: 4 }. */
export interface TrueReading {
  readonly subject: string;
  readonly value: number;
}

/** A step from readings to the answer: left op right = result. */
export interface TrueInference {
  readonly left: number;
  readonly op: string;
  readonly right: number;
  readonly result: number;
}

export interface TeacherInput {
  readonly readings: readonly TrueReading[];
  readonly inferences: readonly TrueInference[];
  readonly answer: string;
  /** The text inside the first think and answer blocks; any text, also an empty one. */
  readonly firstThink: string;
  readonly firstAnswer: string;
  /** The grader's verdict on the first answer; without it, equality of the words. */
  readonly firstRight?: boolean;
}

export interface TaughtReflection {
  readonly strategy: "correction" | "simplification";
  readonly reflection: string;
  readonly refinedThink: string;
  readonly refinedAnswer: string;
}

const NUMBER = /^-?\d+$/;

/**
 * Steps of a chain as words, cut at every ";". Any text is a list of steps, though perhaps of none that says something.
 */
function stepsOf(think: string): string[][] {
  return think
    .split(";")
    .map((step) => step.trim().split(/\s+/))
    .filter((words) => words[0] !== "");
}

/** The values that the chain gives for a subject, in order: steps that end in "subject = number". */
function saidValues(steps: readonly (readonly string[])[], subject: string): number[] {
  const said: number[] = [];
  for (const words of steps) {
    const value = words.at(-1) ?? "";
    if (NUMBER.test(value) && ` ${words.join(" ")}`.endsWith(` ${subject} = ${value}`)) said.push(Number(value));
  }
  return said;
}

/** The inferences that the chain makes, in order: steps of the form "number op number = number". */
function saidInferences(steps: readonly (readonly string[])[]): TrueInference[] {
  const said: TrueInference[] = [];
  for (const [left = "", op = "", right = "", equals, result = "", ...rest] of steps) {
    if (equals !== "=" || rest.length > 0 || ![left, right, result].every((word) => NUMBER.test(word))) continue;
    said.push({ left: Number(left), op, right: Number(right), result: Number(result) });
  }
  return said;
}

/** Value of left op right; NaN for a sign that is none, so that no result agrees with it. */
function resultOf(step: TrueInference): number {
  switch (step.op) {
    case "+":
      return step.left + step.right;
    case "-":
      return step.left - step.right;
    case "*":
      return step.left * step.right;
    case "max":
      return Math.max(step.left, step.right);
    case "min":
      return Math.min(step.left, step.right);
    default:
      return Number.NaN;
  }
}

/** "A is 4", or of many things "red circles are 4"; with what was said instead, "A is 4 not 3". */
function clause(subject: string, value: number | string, insteadOf?: number | string): string {
  const verb = /[a-z]s$/.test(subject) ? "are" : "is";
  return `${subject} ${verb} ${value}${insteadOf === undefined ? "" : ` not ${insteadOf}`}`;
}

/** What there is to say about the inferences: a clause for each true inference that the chain got wrong. */
function inferenceClauses(inferences: readonly TrueInference[], said: readonly TrueInference[]): string[] {
  const clauses: string[] = [];
  inferences.forEach((truth, i) => {
    const subject = `${truth.left} ${truth.op} ${truth.right}`;
    const same = said.filter((step) => `${step.left} ${step.op} ${step.right}` === subject);
    const wrong = same.find((step) => step.result !== truth.result);
    if (wrong !== undefined) {
      clauses.push(clause(subject, truth.result, wrong.result));
      return;
    }
    // The chain may have gone other ways to this step: its turn among the inferences, in every repetition.
    const turns = said.filter((_, at) => at % inferences.length === i);
    const sound = turns.length > 0 && turns.every((step) => step.op === truth.op && resultOf(step) === step.result);
    if (!sound) clauses.push(clause(subject, truth.result));
  });
  return clauses;
}

/** The clean, concise chain: every reading, then every inference. */
export function trueChain(readings: readonly TrueReading[], inferences: readonly TrueInference[]): string {
  return [
    ...readings.map((reading) => `${reading.subject} = ${reading.value}`),
    ...inferences.map((step) => `${step.left} ${step.op} ${step.right} = ${step.result}`),
  ].join(" ; ");
}

/**
 * Writes the reflection on a first solution and the refined solution that follows from it. Takes any text as first
 * solution.
 */
export function teach(input: TeacherInput): TaughtReflection {
  const steps = stepsOf(input.firstThink);
  const firstAnswer = input.firstAnswer.trim();
  const firstRight = input.firstRight ?? firstAnswer === input.answer;

  let misread = false;
  const clauses = input.readings.map(({ subject, value }) => {
    const wrong = saidValues(steps, subject).find((said) => said !== value);
    misread ||= wrong !== undefined;
    return clause(subject, value, wrong);
  });
  const inferred = inferenceClauses(input.inferences, saidInferences(steps));
  clauses.push(...inferred);

  const sound = !misread && inferred.length === 0;
  if (sound && firstRight) {
    const sentences = steps.map((words) => words.join(" "));
    clauses.push(new Set(sentences).size < sentences.length ? "steps repeat" : "steps hold");
  } else if (sound) {
    clauses.push(clause("answer", input.answer, NUMBER.test(firstAnswer) ? firstAnswer : undefined));
  }
  return {
    strategy: sound && firstRight ? "simplification" : "correction",
    reflection: clauses.join(" ; "),
    refinedThink: trueChain(input.readings, input.inferences),
    refinedAnswer: input.answer,
  };
}

/** The rounds of one response, in order: each teaches on the solution that the round before it ended with. */
export function teachRounds(input: TeacherInput, rounds: number): readonly [TaughtReflection, ...TaughtReflection[]] {
  const first = teach(input);
  const taught: [TaughtReflection, ...TaughtReflection[]] = [first];
  let last = first;
  while (taught.length < rounds) {
    last = teach({
      ...input,
      firstThink: last.refinedThink,
      firstAnswer: last.refinedAnswer,
      firstRight: true,
    });
    taught.push(last);
  }
  return taught;
}
