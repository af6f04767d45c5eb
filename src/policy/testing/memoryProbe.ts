/** For tests: the most memory that a home holds while its kernels run. */
import type { Home } from "../../tensor/home";

/** The home, telling the most memory it held whenever a kernel was called. */
export function watched(home: Home): { readonly home: Home; readonly most: () => number } {
  let most = 0;
  const kernels = new Proxy(home.kernels, {
    get(target, name) {
      const kernel: unknown = Reflect.get(target, name);
      if (typeof kernel !== "function") return kernel;
      return (...given: unknown[]): unknown => {
        const made: unknown = Reflect.apply(kernel, target, given);
        most = Math.max(most, home.memoryBytes());
        return made;
      };
    },
  });
  return {
    home: new Proxy(home, {
      get: (target, name) => (name === "kernels" ? kernels : Reflect.get(target, name)) as unknown,
    }),
    most: () => most,
  };
}
