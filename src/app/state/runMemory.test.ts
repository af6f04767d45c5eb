import { describe, expect, test } from "vitest";
import { guarded } from "./browserStorage";
import { chooseRun, rememberRun, type Storages } from "./runMemory";

const NOW = new Date(2026, 10, 28, 17, 40);

function storage(): Pick<Storage, "getItem" | "setItem"> {
  const kept = new Map<string, string>();
  return { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => void kept.set(key, value) };
}
const browser = (shared = storage()): Storages => ({ tab: guarded(storage), lasting: guarded(() => shared) });
/** One tab: its session storage stays the same. */
function tabOf(shared = storage()): Storages {
  const own = storage();
  return { tab: guarded(() => own), lasting: guarded(() => shared) };
}

describe("which run a page opens", () => {
  test("the plain address continues the run opened last", () => {
    expect(chooseRun("", NOW, browser())).toMatchObject({ resume: true, choice: { id: null, orNew: false } });
  });

  test("a link that is new here starts a run of its own and keeps the visitor's", () => {
    expect(chooseRun("#v=1&s={}", NOW, browser())).toEqual({
      resume: false,
      choice: { id: null, orNew: true, name: "Link of 28 Nov, 17:40", keepEarlier: true },
    });
  });

  test("followed again, in another tab, it continues the run it started", () => {
    const shared = storage();
    rememberRun("of the link", "#v=1&s={}", tabOf(shared));
    expect(chooseRun("#v=1&s={}", NOW, tabOf(shared))).toMatchObject({ resume: true, choice: { id: "of the link" } });
    expect(chooseRun("#v=1&from=base", NOW, tabOf(shared))).toMatchObject({ resume: false, choice: { id: null } });
  });

  test("a reload continues this tab's run, whatever another tab opened since", () => {
    const shared = storage();
    const [first, second] = [tabOf(shared), tabOf(shared)];
    rememberRun("a", "", first);
    rememberRun("b", "", second);
    expect(chooseRun("", NOW, first).choice.id).toBe("a");
    expect(chooseRun("", NOW, second).choice.id).toBe("b");
  });

  test.each([
    [
      "throws",
      guarded(() => {
        throw new DOMException("denied", "SecurityError");
      }),
    ],
    [
      "is full",
      guarded(() => ({
        getItem: () => null,
        setItem: () => {
          throw new DOMException("full", "QuotaExceededError");
        },
      })),
    ],
    ["is damaged", guarded(() => ({ getItem: () => "{", setItem: () => undefined }))],
    ["is foreign", guarded(() => ({ getItem: () => '{"id":5}', setItem: () => undefined }))],
    ["is not there", guarded(() => undefined)],
  ])("a storage that %s costs the memory, never the page", (_, broken) => {
    const storages = { tab: broken, lasting: broken };
    rememberRun("a", "#v=1&s={}", storages);
    expect(chooseRun("#v=1&s={}", NOW, storages)).toMatchObject({ resume: false });
    expect(chooseRun("", NOW, storages)).toMatchObject({ resume: true, choice: { id: null } });
  });
});
