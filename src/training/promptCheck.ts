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
import { UnusableProblemError, UnusableResponseError } from "./unusableProblem";

/** What is asked of a policy; its weights are not. */
export interface PromptReader extends Pick<Policy, "measurePrompt" | "encodeResponse"> {
  readonly config: { readonly text: Pick<Policy["config"]["text"], "maxPositions"> };
}

type Shown = Pick<TrainingProblem, "question" | "picture" | "morePictures">;

/** @throws UnusableProblemError when the prompt cannot be made, or a response of maxNewTokens does not fit behind it */
export function checkPrompt(policy: PromptReader, problem: Shown, settings: Settings): PromptSize {
  const size = asUnusable(() => policy.measurePrompt(problem.question, picturesOf(problem)));
  const response = Math.max(settings.maxNewTokens, ...settings.grpo.stages.map(({ maxNewTokens }) => maxNewTokens));
  const fault = tooLong(size.tokens, response, policy, "a response of maxNewTokens");
  if (fault !== null) throw new UnusableProblemError(fault);
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

/** The response of an example behind its prompt. → its tokens @throws UnusableResponseError when it does not fit */
export function checkResponse(
  policy: PromptReader,
  promptTokens: number,
  example: Omit<ReflectionExample, "problem">,
  { reflectionForm }: Pick<Settings, "reflectionForm">,
): number {
  const text = responseText(example, reflectionForm);
  const response = asUnusable(() => policy.encodeResponse(text), UnusableResponseError).length;
  const fault = tooLong(promptTokens, response, policy, "the response");
  if (fault !== null) throw new UnusableResponseError(fault);
  return response;
}

function picturesOf({ picture, morePictures = [] }: Shown): Shown["picture"][] {
  return [picture, ...morePictures];
}

/** Null where both fit. */
function tooLong(prompt: number, response: number, { config }: PromptReader, what: string): string | null {
  const { maxPositions } = config.text;
  if (prompt + response <= maxPositions) return null;
  return (
    `the prompt has ${prompt} tokens and ${what} ${response}, together more than the ${maxPositions} that the policy ` +
    "takes: shorten the question, or set maxNewTokens or data.maxPixels lower"
  );
}

/** Errors that are about the question or its pictures. Any other one is a fault of ours and stays what it is. */
function asUnusable<T>(measure: () => T, Unusable = UnusableProblemError): T {
  try {
    return measure();
  } catch (error) {
    const about = [ChatTemplateError, ImageSizeError, TokenizerError].some((kind) => error instanceof kind);
    if (about && error instanceof Error) throw new Unusable(error.message);
    throw error;
  }
}
