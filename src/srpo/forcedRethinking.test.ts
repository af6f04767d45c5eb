import { expect, it } from "vitest";
import { keptRethinkings } from "./forcedRethinking";

const options = { fraction: 0.65, trigger: null, perGroup: 2, maxTokens: 40, weight: 0.05 };

it("keeps right continuations only, two of a group at most", () =>
  expect(keptRethinkings([false, true, true, false, true], options)).toEqual([false, true, true, false, false]));
