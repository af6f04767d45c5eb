/**
 * Opens the best home that passes its self-test, in the order WebGPU, wasm, reference. Homes are imported
 * only when they are tried, so that a page does not load what it does not use.
 */
import type { Home, HomeName } from "./home";
import { type SelfTestTimes, timedSelfTest } from "./selfTest";
import type { WebGpuHomeOptions } from "./webgpu/home";

export interface OpenOptions {
  /** Try this home first; the others follow in their usual order. */
  readonly prefer?: HomeName;
  /** Only the preferred home will do: fail instead of falling back. */
  readonly only?: boolean;
  /** WebGPU's entry point, where it is not `navigator.gpu`. */
  readonly gpu?: GPU;
  /** Of the WebGPU home: the variant of the matrix product, and where the tuner's choice is kept. */
  readonly webgpu?: Pick<WebGpuHomeOptions, "products" | "tuning">;
  readonly onProgress?: (progress: OpenProgress) => void;
}

export interface OpenProgress {
  readonly home: HomeName;
  readonly stage: "opening" | "testing" | "ready" | "passed over";
  /** Why, when it was passed over. */
  readonly why?: string;
}

export interface PassedOver {
  readonly home: HomeName;
  readonly why: string;
}

export interface OpenedHome {
  readonly home: Home;
  readonly passedOver: readonly PassedOver[];
  /** From the first attempt to a tested home. */
  readonly milliseconds: number;
  /** Of the home that passed. */
  readonly times: SelfTestTimes;
}

const ORDER: readonly HomeName[] = ["webgpu", "wasm", "reference"];

/** @throws Error that gives every home's reason, when none can be opened */
export async function openBestHome(options: OpenOptions = {}): Promise<OpenedHome> {
  const { prefer, gpu, webgpu, onProgress } = options;
  const started = performance.now();
  const order = prefer ? [prefer, ...ORDER.filter((name) => name !== prefer && options.only !== true)] : ORDER;
  const passedOver: PassedOver[] = [];
  for (const name of order) {
    try {
      onProgress?.({ home: name, stage: "opening" });
      const home = await openHome(name, { ...webgpu, ...(gpu ? { gpu } : {}) });
      onProgress?.({ home: name, stage: "testing" });
      const times = await tested(home);
      onProgress?.({ home: name, stage: "ready" });
      return { home, passedOver, milliseconds: performance.now() - started, times };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      passedOver.push({ home: name, why });
      onProgress?.({ home: name, stage: "passed over", why });
    }
  }
  throw new Error(
    `No home for the policy could be opened. ${passedOver.map(({ home, why }) => `${home}: ${why}`).join(" ")}`,
  );
}

/** Opens one home, untested. */
export async function openHome(name: HomeName, webgpu: WebGpuHomeOptions = {}): Promise<Home> {
  switch (name) {
    case "webgpu": {
      const { openWebGpuHome } = await import("./webgpu/home");
      return openWebGpuHome(webgpu);
    }
    case "wasm": {
      const { openWasmHome } = await import("./wasm/home");
      return openWasmHome();
    }
    case "reference": {
      const { openReferenceHome } = await import("./reference/home");
      return openReferenceHome();
    }
    default:
      return name satisfies never;
  }
}

async function tested(home: Home): Promise<SelfTestTimes> {
  try {
    return await timedSelfTest(home);
  } catch (error) {
    await home.dispose();
    throw error;
  }
}
