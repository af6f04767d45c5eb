import { describe, expect, test } from "vitest";
import { actionOf, BINDINGS, type Pressed } from "./keyboard";

const press = (key: string, held: Partial<Pressed> = {}): Pressed => ({
  key,
  shiftKey: false,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  ...held,
});

describe("the keyboard", () => {
  test.each([
    [" ", {}, "play"],
    ["ArrowRight", {}, "step"],
    ["ArrowRight", { shiftKey: true }, "phase"],
    ["ArrowLeft", {}, "back"],
    ["r", {}, "reset"],
    ["R", {}, "reset"],
    ["?", { shiftKey: true }, "help"],
  ] as const)("%j with %j means %s", (key, held, action) => {
    expect(actionOf(press(key, held))).toBe(action);
  });

  test("leaves the browser's own shortcuts alone", () => {
    expect(actionOf(press("r", { ctrlKey: true }))).toBeNull();
    expect(actionOf(press("r", { metaKey: true }))).toBeNull();
    expect(actionOf(press("R", { shiftKey: true }))).toBeNull();
    expect(actionOf(press("x"))).toBeNull();
  });

  test("every action is in the list that the help shows, once", () => {
    const actions = BINDINGS.map(({ action }) => action);
    expect(new Set(actions).size).toBe(actions.length);
    expect(actions).toEqual(expect.arrayContaining(["play", "step", "phase", "back", "reset", "help"]));
  });
});
