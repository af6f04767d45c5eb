/** For tests: the peak memory that a backend holds while its kernels run. */
import type { Backend } from "../../tensor/backend";

/** The backend, reporting the most memory it held at any kernel call. */
export function trackPeakMemory(backend: Backend): { readonly backend: Backend; readonly most: () => number } {
  let most = 0;
  const kernels = new Proxy(backend.kernels, {
    get(target, name) {
      const kernel: unknown = Reflect.get(target, name);
      if (typeof kernel !== "function") return kernel;
      return (...given: unknown[]): unknown => {
        const made: unknown = Reflect.apply(kernel, target, given);
        most = Math.max(most, backend.memoryBytes());
        return made;
      };
    },
  });
  return {
    backend: new Proxy(backend, {
      get: (target, name) => (name === "kernels" ? kernels : Reflect.get(target, name)) as unknown,
    }),
    most: () => most,
  };
}
