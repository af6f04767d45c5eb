/** For tests: the most memory that a backend holds while its kernels run. */
import type { Backend } from "../../tensor/backend";

/** The backend, telling the most memory it held whenever a kernel was called. */
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
