/**
 * The end of a test run: each test that could not run here by name and reason, then one plain line with the counts,
 * "N passed, N failed, N skipped". A file that cannot be loaded and an error outside every test count as failures.
 */
import { relative } from "node:path";
import type { SerializedError } from "vitest";
import type { Reporter, TestCase, TestModule } from "vitest/node";

export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const count = (state: string): number => tests.filter((test) => test.result().state === state).length;
    const broken = modules.reduce((sum, module) => sum + module.errors().length, 0) + unhandled.length;
    const lines = [
      ...tests.flatMap((test) => notRun(test) ?? []),
      `${count("passed")} passed, ${count("failed") + broken} failed, ${count("skipped")} skipped`,
    ];
    process.stdout.write(`${lines.join("\n")}\n`);
  }
}

/** A line for a test that was skipped for a reason; null for others, such as those that a name filter leaves out. */
function notRun(test: TestCase): string | null {
  const result = test.result();
  if (result.state !== "skipped" || result.note === undefined) return null;
  return `not run on this adapter: ${relative("", test.module.moduleId)} › ${test.fullName} — ${result.note}`;
}
