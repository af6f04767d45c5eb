/** The teacher's client against a fake endpoint and a clock of its own: no network, no waiting. */
import { describe, expect, test } from "vitest";
import { fillPrompt, readPrompt } from "./prompts";
import { Teacher, type TeacherOptions } from "./teacherClient";

interface Fake {
  readonly teacher: Teacher;
  readonly calls: {
    url: string;
    body: { messages: { content: unknown[] }[] };
    authorization: string | null;
    at: number;
  }[];
  readonly pauses: number[];
}

/** A teacher whose endpoint gives these responses in turn, the last one for ever. */
function fake(responses: readonly (() => Response)[], options: Partial<TeacherOptions> = {}): Fake {
  const calls: Fake["calls"] = [];
  const pauses: number[] = [];
  let clock = 0;
  const teacher = new Teacher({
    baseUrl: "http://teacher.test/v1/",
    key: "secret",
    model: "wise",
    requestsPerMinute: 6000,
    tries: 4,
    timeoutSeconds: 5,
    now: () => clock,
    pause: (milliseconds) => {
      pauses.push(milliseconds);
      clock += milliseconds;
      return Promise.resolve();
    },
    fetcher: (url, init) => {
      calls.push({
        url: String(url),
        body: JSON.parse(String(init?.body)),
        authorization: new Headers(init?.headers).get("authorization"),
        at: clock,
      });
      const respond = responses[Math.min(calls.length, responses.length) - 1];
      if (respond === undefined) throw new Error("the fake has no response");
      return Promise.resolve(respond());
    },
    ...options,
  });
  return { teacher, calls, pauses };
}

const answer =
  (content: string, usage: object | null = { prompt_tokens: 7, completion_tokens: 3 }) =>
  (): Response =>
    Response.json({ choices: [{ message: { content } }], usage });
const status =
  (code: number, headers: Record<string, string> = {}) =>
  (): Response =>
    new Response("busy", { status: code, headers });

test("asks as the endpoint expects, and counts tokens", async () => {
  const { teacher, calls } = fake([answer("well")]);
  expect(await teacher.ask("look", [Uint8Array.of(1, 2, 3)])).toEqual({
    text: "well",
    promptTokens: 7,
    completionTokens: 3,
  });
  expect(calls[0]).toMatchObject({
    url: "http://teacher.test/v1/chat/completions",
    authorization: "Bearer secret",
    body: {
      model: "wise",
      messages: [
        {
          role: "user",
          content: [
            { type: "image_url", image_url: { url: "data:image/png;base64,AQID" } },
            { type: "text", text: "look" },
          ],
        },
      ],
    },
  });
  expect((await fake([answer("x", null)]).teacher.ask("look", [])).text).toBe("x");
});

describe("tries again what may pass", () => {
  test("with doubling pauses", async () => {
    const { teacher, calls, pauses } = fake(
      [
        status(500),
        () => {
          throw new TypeError("connection broken");
        },
        () => new Response("<html>"),
        answer("at last"),
      ],
      { requestsPerMinute: 1e9 },
    );
    expect((await teacher.ask("look", [])).text).toBe("at last");
    expect(calls).toHaveLength(4);
    expect(pauses.filter((pause) => pause >= 1000)).toEqual([1000, 2000, 4000]);
  });

  test("after as long as the server asks", async () => {
    const { teacher, pauses } = fake([status(429, { "retry-after": "17" }), answer("now")], { requestsPerMinute: 1e9 });
    await teacher.ask("look", []);
    expect(pauses).toContain(17_000);
  });

  test("a date is waited for as well, but no longer than two minutes", async () => {
    const today = (): number => Date.UTC(2026, 10, 28, 12);
    const at = (date: string): (() => Response) => status(503, { "retry-after": date });
    const responses = [at("Sat, 28 Nov 2026 12:00:45 GMT"), at("Sun, 29 Nov 2026 12:00:00 GMT"), answer("now")];
    const { teacher, pauses } = fake(responses, { requestsPerMinute: 1e9, today });
    await teacher.ask("look", []);
    expect(pauses.filter((pause) => pause >= 1000)).toEqual([45_000, 120_000]);
  });

  test("tells a refused request from a teacher that failed and one that cannot be used", async () => {
    const kinds: readonly (readonly [() => Response, string])[] = [
      [status(400), "TeacherRefusal"],
      [status(403), "TeacherRefusal"],
      [status(422), "TeacherRefusal"],
      [() => Response.json({ choices: [{ message: { content: null, refusal: "no" } }] }), "TeacherRefusal"],
      [status(500), "TeacherFailure"],
      [() => new Response("<html>"), "TeacherFailure"],
      [status(401), "TeacherError"],
      [status(404), "TeacherError"],
      [status(429), "TeacherError"],
    ];
    for (const [response, name] of kinds) {
      const { teacher, calls } = fake([response]);
      await expect(teacher.ask("look", [])).rejects.toHaveProperty("name", name);
      expect(calls).toHaveLength(name === "TeacherFailure" || response().status === 429 ? 4 : 1);
    }
  });

  test("but not for ever, and not what cannot pass; the key is in no message", async () => {
    const busy = fake([status(503)]);
    await expect(busy.teacher.ask("look", [])).rejects.toThrow(/answered 503 busy \(4 attempts\)/);
    expect(busy.calls).toHaveLength(4);
    const refused = fake([status(401)]);
    const error = await refused.teacher.ask("look", []).catch((reason: unknown) => String(reason));
    expect(error).toMatch(/answered 401/);
    expect(error).not.toContain("secret");
    expect(refused.calls).toHaveLength(1);
  });
});

test("starts no faster than the rate, also when asked at once", async () => {
  const { teacher, calls } = fake([answer("x")], { requestsPerMinute: 60 });
  for (let i = 0; i < 4; i++) await teacher.ask("look", []);
  expect(calls.map(({ at }) => at)).toEqual([0, 1000, 2000, 3000]);
});

describe("prompts", () => {
  test("both strategies have the placeholders that reflections fill", async () => {
    const values = { question: "Q{{answer}}", answer: "A", think: "T", firstAnswer: "F" };
    for (const name of ["correction", "simplification"] as const) {
      const filled = fillPrompt(await readPrompt(name), values);
      expect(filled).toContain("Q{{answer}}");
      expect(filled).toContain("<reflection>");
    }
  });

  test("a placeholder without a value, and a value without a placeholder, are errors", () => {
    expect(() => fillPrompt("{{question}} {{mood}}", { question: "q" })).toThrow(/\{\{mood\}\}/);
    expect(() => fillPrompt("{{question}}", { question: "q", answer: "a" })).toThrow(
      /placeholder \{\{answer\}\} is missing/,
    );
  });
});
