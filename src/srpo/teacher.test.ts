import { describe, expect, it } from "vitest";
import { type TeacherInput, teach } from "./teacher";

const sum: Omit<TeacherInput, "firstThink" | "firstAnswer"> = {
  readings: [
    { subject: "A", value: 4 },
    { subject: "C", value: 5 },
  ],
  inferences: [{ left: 4, op: "+", right: 5, result: 9 }],
  answer: "9",
};
const angle: Omit<TeacherInput, "firstThink" | "firstAnswer"> = {
  readings: [
    { subject: "left", value: 70 },
    { subject: "right", value: 40 },
  ],
  inferences: [
    { left: 70, op: "+", right: 40, result: 110 },
    { left: 180, op: "-", right: 110, result: 70 },
  ],
  answer: "70",
};

describe("correction", () => {
  it("names the wrong reading and reads the rest again", () => {
    const taught = teach({ ...sum, firstThink: "A = 3 ; C = 5 ; 3 + 5 = 8", firstAnswer: "8" });
    expect(taught).toEqual({
      strategy: "correction",
      reflection: "A is 4 not 3 ; C is 5",
      refinedThink: "A = 4 ; C = 5 ; 4 + 5 = 9",
      refinedAnswer: "9",
    });
  });

  it("names the wrong result", () => {
    expect(teach({ ...sum, firstThink: "A = 4 ; C = 5 ; 4 + 5 = 8", firstAnswer: "8" }).reflection).toBe(
      "A is 4 ; C is 5 ; 4 + 5 is 9 not 8",
    );
    expect(
      teach({ ...angle, firstThink: "left = 70 ; right = 40 ; 70 + 40 = 120 ; 180 - 120 = 60", firstAnswer: "60" })
        .reflection,
    ).toBe("left is 70 ; right is 40 ; 70 + 40 is 110 not 120");
  });

  it("says the true step where a wrong result stands on wrong readings", () => {
    expect(teach({ ...sum, firstThink: "A = 3 ; C = 5 ; 3 + 5 = 7", firstAnswer: "7" }).reflection).toBe(
      "A is 4 not 3 ; C is 5 ; 4 + 5 is 9",
    );
  });

  it("corrects the answer where the steps are right and the answer does not follow", () => {
    expect(teach({ ...sum, firstThink: "A = 4 ; C = 5 ; 4 + 5 = 9", firstAnswer: "8" }).reflection).toBe(
      "A is 4 ; C is 5 ; answer is 9 not 8",
    );
  });

  it("corrects wrong steps also under a right answer", () => {
    const taught = teach({ ...sum, firstThink: "A = 3 ; C = 5 ; 3 + 5 = 9", firstAnswer: "9" });
    expect(taught.strategy).toBe("correction");
    expect(taught.reflection).toContain("A is 4 not 3");
  });

  it("notices a contradiction between repetitions", () => {
    expect(
      teach({ ...sum, firstThink: "A = 4 ; C = 5 ; 4 + 5 = 9 ; A = 4 ; C = 6 ; 4 + 6 = 10", firstAnswer: "10" })
        .reflection,
    ).toBe("A is 4 ; C is 5 not 6");
  });

  it("speaks of many things in the plural", () => {
    const reflection = teach({
      readings: [
        { subject: "red circles", value: 2 },
        { subject: "blue circles", value: 1 },
      ],
      inferences: [{ left: 2, op: "-", right: 1, result: 1 }],
      answer: "1",
      firstThink: "red circles = 3 ; blue circles = 1 ; 3 - 1 = 2",
      firstAnswer: "2",
    }).reflection;
    expect(reflection).toBe("red circles are 2 not 3 ; blue circles are 1");
  });
});

describe("simplification", () => {
  it("confirms by reading again, and says when steps repeat", () => {
    const chain = "A = 4 ; C = 5 ; 4 + 5 = 9";
    expect(teach({ ...sum, firstThink: chain, firstAnswer: "9" })).toMatchObject({
      strategy: "simplification",
      reflection: "A is 4 ; C is 5 ; steps hold",
    });
    expect(teach({ ...sum, firstThink: `${chain} ; ${chain}`, firstAnswer: " 9 " })).toMatchObject({
      strategy: "simplification",
      reflection: "A is 4 ; C is 5 ; steps repeat",
      refinedThink: chain,
    });
  });
});

describe("any first solution", () => {
  it.each([
    "",
    ";",
    " ; ; ",
    "= = =",
    "A =",
    "A = C",
    "4 + = 9 ; = 9",
    "9",
    "A = 4 ; C = 5 ; 4 ? 5 = 9",
    "4 + 5 = 9",
    "C = 5 A = 4 4 + 5 = 9 9",
  ])("gets a reflection of substance: %j", (firstThink) => {
    for (const firstAnswer of ["9", "", "A", "7 7"]) {
      const taught = teach({ ...sum, firstThink, firstAnswer });
      expect(taught.reflection).toMatch(/^A is 4( not -?\d+)? ; C is 5 ; /);
      expect(taught).toMatchObject({ refinedThink: "A = 4 ; C = 5 ; 4 + 5 = 9", refinedAnswer: "9" });
    }
  });

  it("takes the grader's verdict over the words", () => {
    expect(
      teach({ ...sum, firstThink: "A = 4 ; C = 5 ; 4 + 5 = 9", firstAnswer: "9.0", firstRight: true }).strategy,
    ).toBe("simplification");
  });
});
