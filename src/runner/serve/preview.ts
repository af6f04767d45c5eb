/**
 * Shortens groups for a tab. Groups of the nano policy are sent unchanged. A full-size policy writes thousands of
 * tokens over megapixel images: then the tab gets the group that it shows up to a limit, the beginning of each response
 * of the others, and images at display size. Texts, scores, advantages and sums over all tokens are always complete, so
 * no number in the table comes from a preview.
 */
import type { Picture } from "../../tasks/problem";
import type { GroupRecord, ProblemRecord, ReflectionExample, SampleRecord } from "../../worker/protocol";
import type { EventBody } from "../../worker/runLifecycle";
import { MAX_HISTORY } from "../../worker/runView";

/** Maximum tokens per message; below that nothing is cut. */
export const MAX_TOKENS = 32_768;
/** Tokens per response in groups that the tab does not show. */
export const PREVIEW_TOKENS = 96;
/** Pixels of an image's longer side: twice the display size. */
export const PREVIEW_SIDE = 384;

/** The event for a tab that shows group `observedGroup` of the step. */
export function previewOf(event: EventBody, observedGroup: number | null): EventBody {
  switch (event.type) {
    case "opened":
    case "restored":
      return event.history.length <= MAX_HISTORY ? event : { ...event, history: event.history.slice(-MAX_HISTORY) };
    case "phase":
      return { ...event, groups: previewGroups(event.groups, observedGroup ?? 0) };
    case "sampled":
      return { ...event, group: previewGroups([event.group], 0)[0] ?? event.group };
    case "data":
      return {
        ...event,
        examples: event.examples.map(
          (example): ReflectionExample => ({ ...example, problem: previewProblem(example.problem) }),
        ),
      };
    default:
      return event;
  }
}

const tokensOf = ({ samples, rethought = [] }: GroupRecord): number =>
  [...samples, ...rethought].reduce((sum, sample) => sum + sample.tokens.length, 0);

function previewGroups(groups: readonly GroupRecord[], observedGroup: number): readonly GroupRecord[] {
  const fits = groups.reduce((sum, group) => sum + tokensOf(group), 0) <= MAX_TOKENS;
  const observed = Math.min(observedGroup, groups.length - 1);
  return groups.map((group, index) => {
    const { problem, samples, rethought } = group;
    const shown = fits
      ? Number.POSITIVE_INFINITY
      : index === observed
        ? Math.floor(MAX_TOKENS / Math.max(1, samples.length + (rethought?.length ?? 0)))
        : PREVIEW_TOKENS;
    return {
      ...group,
      problem: previewProblem(problem),
      samples: samples.map((sample) => previewSample(sample, shown)),
      ...(rethought === undefined ? {} : { rethought: rethought.map((sample) => previewSample(sample, shown)) }),
    };
  });
}

function previewSample(sample: SampleRecord, shown: number): SampleRecord {
  const { tokens, tokenIds, logprobs, entropies, allowed, segments, rounds, logprobsAfter } = sample;
  if (tokens.length <= shown) return sample;
  return {
    ...sample,
    tokens: tokens.slice(0, shown),
    tokenIds: tokenIds.slice(0, shown),
    logprobs: logprobs.slice(0, shown),
    entropies: entropies.slice(0, shown),
    ...(allowed === undefined ? {} : { allowed: allowed.slice(0, shown) }),
    segments: segments.slice(0, shown),
    ...(rounds === undefined ? {} : { rounds: rounds.slice(0, shown) }),
    ...(logprobsAfter ? { logprobsAfter: logprobsAfter.slice(0, shown) } : {}),
    whole: {
      tokens: tokens.length,
      logprob: sum(logprobs),
      entropy: sum(entropies),
      ...(logprobsAfter ? { logprobAfter: sum(logprobsAfter) } : {}),
    },
  };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** Every phase of a step sends the same picture object: shrink it once. */
const shrunk = new WeakMap<Picture, Picture>();

function previewProblem(problem: ProblemRecord): ProblemRecord {
  const { picture, morePictures } = problem;
  const { width, height } = picture;
  const small = previewPicture(picture);
  const more = morePictures?.map(previewPicture);
  if (small === picture && (more ?? []).every((each, i) => each === morePictures?.[i])) return problem;
  return {
    ...problem,
    picture: small,
    ...(more ? { morePictures: more } : {}),
    ...(small === picture ? {} : { fullSize: { width, height } }),
  };
}

function previewPicture(picture: Picture): Picture {
  if (Math.max(picture.width, picture.height) <= PREVIEW_SIDE) return picture;
  const small = shrunk.get(picture) ?? shrink(picture);
  shrunk.set(picture, small);
  return small;
}

/** Box filter: each pixel is the mean of the box that it covers. */
export function shrink({ width, height, pixels }: Picture): Picture {
  const scale = PREVIEW_SIDE / Math.max(width, height);
  const w = Math.max(1, Math.round(width * scale));
  const h = Math.max(1, Math.round(height * scale));
  const out = new Uint8Array(w * h * 3);
  for (let y = 0; y < h; y++) {
    const top = Math.floor((y * height) / h);
    const bottom = Math.max(top + 1, Math.floor(((y + 1) * height) / h));
    for (let x = 0; x < w; x++) {
      const left = Math.floor((x * width) / w);
      const right = Math.max(left + 1, Math.floor(((x + 1) * width) / w));
      for (let c = 0; c < 3; c++) {
        let total = 0;
        for (let v = top; v < bottom; v++)
          for (let u = left; u < right; u++) total += pixels[(v * width + u) * 3 + c] ?? 0;
        out[(y * w + x) * 3 + c] = Math.round(total / ((bottom - top) * (right - left)));
      }
    }
  }
  return { width: w, height: h, pixels: out };
}
