/**
 * From address to first finished training step in a headless Chromium, in parts. Cold: a fresh browser. Warm: the
 * second visit, with the page's files in the cache and its run stored. WebGPU is SwiftShader's; the wasm backend is
 * measured with WebGPU switched off.
 */
import { firstViewSizes } from "../../../e2e/setup/firstView";
import { openSite } from "../../../e2e/setup/site";
import type { Benchmark, Outcome, Setting } from "../benchmark";
import type { Measurement } from "../results";
import { spread } from "../statistics";
import { bytes } from "../tables";
import { PREPARED, type Visit, visit } from "../visit";

/** A step that takes a software adapter seconds. */
const STEP = { maxNewTokens: 40, grpo: { prompts: 2, groupSize: 4 } };
const LINK = `#v=1&from=sft&s=${encodeURIComponent(JSON.stringify(STEP))}`;

const PARTS: readonly (readonly [title: string, of: (visit: Visit) => number | null])[] = [
  ["first paint, from the start", ({ firstPaint }) => firstPaint],
  [PREPARED, ({ prepared }) => prepared],
  ["engine ready, from the start", ({ opened }) => opened],
  ["of which: policy downloaded", ({ costs }) => costs.download],
  ["of which: device opened", ({ costs }) => costs.device],
  ["of which: pipelines compiled, in a first pass of the self-test", ({ costs }) => costs.pipelines],
  ["of which: self-test", ({ costs }) => costs.selfTest],
  ["of which: weights placed", ({ costs }) => costs.load],
  [
    `first training step of ${STEP.grpo.prompts} × ${STEP.grpo.groupSize} samples, from the click`,
    ({ asked, stepped }) => stepped - asked,
  ],
  [
    "first finished training step, from the start, clicked at once",
    ({ opened, asked, stepped }) => opened + stepped - asked,
  ],
];

export const startup: Benchmark = {
  name: "startup",
  description: "page load to first finished training step in Chromium, cold and warm",
  async run(setting: Setting): Promise<Outcome> {
    const { backend, quick, onProgress } = setting;
    if (backend === "reference")
      return {
        measurements: [],
        absent: [
          {
            benchmark: "startup",
            backend,
            workload: "all",
            contender: "ours",
            why: "no browser lacks WebAssembly, so the page cannot be made to start on the reference backend",
          },
        ],
        adapters: {},
        notes: [],
      };
    const site = await openSite({ webgpu: backend === "webgpu" });
    const visits: Record<"cold" | "warm", Visit[]> = { cold: [], warm: [] };
    try {
      for (let i = 0; i < (quick ? 1 : 3); i++) {
        const context = await site.browser.newContext({
          viewport: { width: 1440, height: 900 },
          reducedMotion: "reduce",
        });
        for (const kind of ["cold", "warm"] as const) {
          onProgress(`startup: ${kind} visit ${i + 1}`);
          visits[kind].push(await visit(context, `${site.url}${LINK}`));
        }
        await context.close();
      }
    } finally {
      await site.close();
    }
    const measurements = PARTS.flatMap(([title, of]) =>
      (["cold", "warm"] as const).flatMap((kind): Measurement[] => {
        const values = visits[kind].flatMap((each) => of(each) ?? []);
        return values.length === 0
          ? []
          : [{ benchmark: "startup", backend, workload: title, contender: kind, milliseconds: spread(values) }];
      }),
    );
    const total = [...firstViewSizes().values()].reduce((sum, size) => sum + size, 0);
    return {
      measurements,
      absent: [],
      adapters: { page: backend === "webgpu" ? "Chromium, SwiftShader" : "Chromium, SIMD" },
      notes: [`JavaScript of the first view: ${bytes(total)} gzipped (limit 250 kB).`],
    };
  },
};
