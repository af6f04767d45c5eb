/**
 * Opens the best backend that passes its self-test, in the order WebGPU, wasm, reference. Backends are imported
 * only when they are tried, so that a page does not load what it does not use.
 */
import { BACKEND_NAMES, type Backend, type BackendName } from "./backend";
import { type SelfTestTimes, timedSelfTest } from "./selfTest";
import type { WebGpuBackendOptions } from "./webgpu/backend";

export interface OpenOptions {
  /** Try this backend first; the others follow in their usual order. */
  readonly prefer?: BackendName;
  /** Fail when the preferred backend does not open, instead of falling back. */
  readonly only?: boolean;
  /** WebGPU's entry point, if not `navigator.gpu`. */
  readonly gpu?: GPU;
  /** For the WebGPU backend: the matmul variant, and where the tuner's choice is stored. */
  readonly webgpu?: Pick<WebGpuBackendOptions, "matmul" | "tuning">;
  readonly onProgress?: (progress: OpenProgress) => void;
}

export interface OpenProgress {
  readonly backend: BackendName;
  readonly stage: "opening" | "testing" | "ready" | "passed over";
  /** Why, when it was passed over. */
  readonly why?: string;
}

export interface PassedOver {
  readonly backend: BackendName;
  readonly why: string;
}

export interface OpenedBackend {
  readonly backend: Backend;
  readonly passedOver: readonly PassedOver[];
  /** From the first attempt to a tested backend. */
  readonly milliseconds: number;
  /** Of the backend that passed. */
  readonly times: SelfTestTimes;
}

/** @throws Error with every backend's reason, when none opens */
export async function openBestBackend(options: OpenOptions = {}): Promise<OpenedBackend> {
  const { prefer, gpu, webgpu, onProgress } = options;
  const started = performance.now();
  const order = prefer
    ? [prefer, ...BACKEND_NAMES.filter((name) => name !== prefer && options.only !== true)]
    : BACKEND_NAMES;
  const passedOver: PassedOver[] = [];
  for (const name of order) {
    try {
      onProgress?.({ backend: name, stage: "opening" });
      const backend = await openBackend(name, { ...webgpu, ...(gpu ? { gpu } : {}) });
      onProgress?.({ backend: name, stage: "testing" });
      const times = await tested(backend);
      onProgress?.({ backend: name, stage: "ready" });
      return { backend, passedOver, milliseconds: performance.now() - started, times };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      passedOver.push({ backend: name, why });
      onProgress?.({ backend: name, stage: "passed over", why });
    }
  }
  throw new Error(
    "No backend for the policy could be opened. " +
      `${passedOver.map(({ backend, why }) => `${backend}: ${why}`).join(" ")}`,
  );
}

/** Opens one backend, untested. */
export async function openBackend(name: BackendName, webgpu: WebGpuBackendOptions = {}): Promise<Backend> {
  switch (name) {
    case "webgpu": {
      const { openWebGpuBackend } = await import("./webgpu/backend");
      return openWebGpuBackend(webgpu);
    }
    case "wasm": {
      const { openWasmBackend } = await import("./wasm/backend");
      return openWasmBackend();
    }
    case "reference": {
      const { openReferenceBackend } = await import("./reference/backend");
      return openReferenceBackend();
    }
    default:
      return name satisfies never;
  }
}

async function tested(backend: Backend): Promise<SelfTestTimes> {
  try {
    return await timedSelfTest(backend);
  } catch (error) {
    await backend.dispose();
    throw error;
  }
}
