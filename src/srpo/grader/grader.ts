/**
 * Two graders of an answer against the true one; which one judged is always named.
 *
 * `exact`: what the released scorer's rows were graded by: string equality after removing `$`, `\boxed{}`, tags and
 * outer spaces. The official variants use it.
 * `equivalent`: same meaning, one answer only. Both texts are brought to a normal form (wrapping.ts), read as one kind
 * of answer (choice.ts, value.ts) and compared by the rules of that kind (comparison.ts). What it does not understand
 * on either side is right only where the words are the same. Rules: docs/method.md, "Graders".
 */
import { choiceOf, lettersOf, optionOf, wordingOf } from "./choice";
import { Comparison, type Verdict } from "./comparison";
import { exactForm } from "./exact";
import type { Named } from "./forms";
import { type AnswerKind, isOfKind, type Tolerance, toleranceOf, wantedOf } from "./kind";
import { readOwnNoun, readQuantity } from "./quantity";
import { sentenceTail } from "./sentence";
import { readNamed } from "./value";
import { sameWords } from "./words";
import { normalForm } from "./wrapping";

export type { AnswerKind, Tolerance };

export type GraderName = "equivalent" | "exact";

/** The true answer, and what a data set requires of an answer to it. A problem is one; a bare string has no rules. */
export interface TrueAnswer {
  readonly answer: string;
  /** Required kind; without it the truth's own form decides. */
  readonly answerKind?: AnswerKind;
  /** Largest distance of a number: 0.01, or "5%" of the truth. */
  readonly tolerance?: number | string;
}

export interface Grade {
  readonly right: boolean;
  /** Why, as a person would say it. */
  readonly reason: string;
  /** The normal forms that were compared; null where a text has none. */
  readonly forms: { readonly answer: string | null; readonly truth: string | null };
}

/** Is `response` (the text of an answer block) right? False for null or a blank answer. */
export function isRight(response: string | null, truth: string | TrueAnswer, grader: GraderName): boolean {
  return gradeAnswer(response, truth, grader).right;
}

/** The verdict with its reason. */
export function gradeAnswer(response: string | null, truth: string | TrueAnswer, grader: GraderName): Grade {
  const wanted = typeof truth === "string" ? { answer: truth } : truth;
  if (response === null || response.trim() === "") {
    return { right: false, reason: "There is no answer.", forms: { answer: null, truth: wanted.answer.trim() } };
  }
  return grader === "exact" ? gradeExactly(response, wanted.answer) : gradeMeaning(response, wanted);
}

function gradeExactly(response: string, truth: string): Grade {
  const forms = { answer: exactForm(response), truth: exactForm(truth) };
  const right = forms.answer === forms.truth;
  return { right, reason: right ? "The texts are the same." : "The texts differ, character by character.", forms };
}

function gradeMeaning(response: string, wanted: TrueAnswer): Grade {
  const [answer, truth] = [normalForm(response), normalForm(wanted.answer)];
  const forms = {
    answer: "text" in answer ? answer.text : null,
    truth: "text" in truth ? truth.text : null,
  };
  const wrong = (reason: string): Grade => ({ right: false, reason, forms });
  if ("unreadable" in answer) return wrong(`The answer cannot be read: ${answer.unreadable}.`);
  if ("unreadable" in truth) return wrong(`The right answer cannot be read: ${truth.unreadable}.`);
  if (answer.text === "" || truth.text === "") return wrong("There is no answer.");
  const comparison = new Comparison(toleranceOf(wanted.tolerance));
  const verdict =
    wanted.answerKind === undefined
      ? compareTexts(answer.text, truth.text, comparison)
      : compareAsKind(answer.text, truth.text, wanted.answerKind, comparison);
  if (!verdict.right && comparison.exhausted)
    return wrong("The expressions are too long to compare within the time of one answer.");
  return { ...verdict, forms };
}

function compareTexts(answer: string, truth: string, comparison: Comparison): Verdict {
  const option = optionOf(truth);
  if (option) return compareOption(answer, truth, option, comparison);
  const letters = lettersOf(truth);
  if (letters !== null && (lettersOf(answer) ?? "") === letters)
    return { right: true, reason: `Both choose ${[...letters].join(", ")}.` };
  if (letters !== null && /^[A-J](?:\s*,\s*[A-J])+$/.test(truth))
    return { right: false, reason: `The right choices are ${[...letters].join(", ")}.` };
  return compareForms(answer, readTruth(truth), comparison, (text, wanted) =>
    comparison.named(readNamed(text), wanted),
  );
}

/** The truth's reading, in which its own noun counts as a unit. */
function readTruth(truth: string): Named {
  const own = readQuantity(truth) ? null : readOwnNoun(truth);
  return own ? { name: null, source: truth, value: { kind: "number", quantity: own } } : readNamed(truth);
}

/** The answer itself, its wording behind an option's label, the end of a sentence: the first that is right. */
function compareForms(
  answer: string,
  truth: Named,
  comparison: Comparison,
  compare: (text: string, wanted: Named) => Verdict,
): Verdict {
  if (sameWords(answer, truth.source)) return { right: true, reason: `Both say “${truth.source}”.` };
  const first = compare(answer, truth);
  if (first.right || comparison.exhausted) return first;
  for (const form of [wordingOf(answer), sentenceTail(answer)]) {
    if (form === null) continue;
    const verdict = sameWords(form, truth.source)
      ? { right: true, reason: `It says “${truth.source}”.` }
      : compare(form, truth);
    if (verdict.right) return verdict;
  }
  return first;
}

/** A truth with a letter: the letter, its wording where the truth gives one, or both; never a letter that disagrees. */
function compareOption(
  answer: string,
  truth: string,
  option: NonNullable<ReturnType<typeof optionOf>>,
  comparison: Comparison,
): Verdict {
  const chosen = choiceOf(answer) ?? choiceOf(sentenceTail(answer) ?? "");
  const { letter, wording } = option;
  const agrees = (text: string): boolean =>
    wording !== null &&
    compareForms(text, readNamed(wording), comparison, (t, w) => comparison.named(readNamed(t), w)).right;
  if (sameWords(answer, truth)) return { right: true, reason: `Both say “${truth}”.` };
  if (chosen && chosen.letter === letter) {
    return wording === null || chosen.wording === null || agrees(chosen.wording)
      ? { right: true, reason: `Both choose ${letter}.` }
      : { right: false, reason: `It chooses ${letter} with the wording “${chosen.wording}” instead of “${wording}”.` };
  }
  if (chosen) return { right: false, reason: `It chooses ${chosen.letter}; the right choice is ${letter}.` };
  if (agrees(answer)) return { right: true, reason: `“${answer}” is the wording of ${letter}.` };
  return { right: false, reason: `It does not choose one letter; the right choice is ${letter}.` };
}

function compareAsKind(answer: string, truth: string, kind: AnswerKind, comparison: Comparison): Verdict {
  if (kind === "letter") {
    const option = optionOf(truth);
    if (option) return compareOption(answer, truth, { ...option, wording: null }, comparison);
    return { right: false, reason: `The right answer “${truth}” is not a choice letter, which this record asks for.` };
  }
  if (kind === "text")
    return sameWords(answer, truth)
      ? { right: true, reason: `Both say “${truth}”.` }
      : { right: false, reason: `“${answer}” and “${truth}” are different words.` };
  const ofAnotherKind = (side: string, { source }: Named): Verdict => ({
    right: false,
    reason: `${side} “${source}” is not of the kind that this record asks for: ${kind}.`,
  });
  const wanted = wantedOf(truth, kind);
  // Also where the answer has the same words.
  if (!isOfKind(wanted.value, kind)) return ofAnotherKind("The right answer", wanted);
  return compareForms(answer, wanted, comparison, (text) => {
    const given = wantedOf(text, kind);
    return isOfKind(given.value, kind) ? comparison.named(given, wanted) : ofAnotherKind("The answer", given);
  });
}
