/**
 * Whether a policy can be shown a problem, found without resizing its pictures: the tokens of the prompt, and whether a
 * response fits behind them into the positions that the policy was made for.
 */
import type { Policy } from "../policy/policy";
import { ChatTemplateError } from "../policy/processor/chatTemplate";
import type { PromptSize } from "../policy/processor/promptEncoder";
import { ImageSizeError } from "../policy/processor/smartResize";
import { TokenizerError } from "../policy/processor/tokenizer";
import type { ReflectionExample } from "./records";
import { responseText } from "./reflectionData";
import type { Settings } from "./settings";
import type { TrainingProblem } from "./trainingProblem";
import { UnusableProblemError } from "./unusableProblem";

/** What is asked of a policy; its weights are not. */
export interface PromptReader extends Pick<Policy, "measurePrompt" | "encodeResponse"> {
  readonly config: { readonly text: Pick<Policy["config"]["text"], "maxPositions"> };
}

type Shown = Pick<TrainingProblem, "question" | "picture" | "morePictures">;

/** @throws UnusableProblemError when the prompt cannot be made, or a response of maxNewTokens does not fit behind it */
export function checkPrompt(policy: PromptReader, problem: Shown, settings: Settings): PromptSize {
  const size = asUnusable(() => policy.measurePrompt(problem.question, picturesOf(problem)));
  const response = Math.max(settings.maxNewTokens, ...settings.grpo.stages.map(({ maxNewTokens }) => maxNewTokens));
  refuseTooLong(size.tokens, response, policy, "a response of maxNewTokens");
  return size;
}

/** The same for SFT, where the response is known. */
export function checkExample(
  policy: PromptReader,
  { problem, ...example }: ReflectionExample,
  settings: Settings,
): PromptSize {
  const size = asUnusable(() => policy.measurePrompt(problem.question, picturesOf(problem)));
  checkResponse(policy, size.tokens, example, settings);
  return size;
}

/** The response of an example behind its prompt. → its tokens @throws UnusableProblemError when it does not fit */
export function checkResponse(
  policy: PromptReader,
  promptTokens: number,
  example: Omit<ReflectionExample, "problem">,
  { reflectionForm }: Pick<Settings, "reflectionForm">,
): number {
  const response = asUnusable(() => policy.encodeResponse(responseText(example, reflectionForm))).length;
  refuseTooLong(promptTokens, response, policy, "its response");
  return response;
}

function picturesOf({ picture, morePictures = [] }: Shown): Shown["picture"][] {
  return [picture, ...morePictures];
}

function refuseTooLong(prompt: number, response: number, { config }: PromptReader, what: string): void {
  const { maxPositions } = config.text;
  if (prompt + response <= maxPositions) return;
  throw new UnusableProblemError(
    `the prompt has ${prompt} tokens and ${what} ${response}, together more than the ${maxPositions} that the policy ` +
      "takes: shorten the question, or set maxNewTokens or data.maxPixels lower",
  );
}

/** Errors that are about the question or its pictures. Any other one is a fault of ours and stays what it is. */
function asUnusable<T>(measure: () => T): T {
  try {
    return measure();
  } catch (error) {
    const about = [ChatTemplateError, ImageSizeError, TokenizerError].some((kind) => error instanceof kind);
    if (about && error instanceof Error) throw new UnusableProblemError(error.message);
    throw error;
  }
}
