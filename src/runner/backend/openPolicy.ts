/** A policy folder on disk, opened on a backend named on the command line. */
import { openDirectory } from "../../policy/checkpoint/checkpointDirectory";
import { type LoadOptions, Policy } from "../../policy/policy";
import { BACKEND_NAMES, type Backend, type BackendName } from "../../tensor/backend";
import { WEIGHT_FORMATS } from "../../tensor/packedWeight";
import { BOUNDS } from "../../training/bounds";
import type { Arguments } from "../arguments/usage";
import { InputError } from "../files/inputError";
import { openNodeBackend, reportAdapter } from "./nodeBackends";

export interface OpenedPolicy {
  readonly backend: Backend;
  readonly policy: Policy;
  close(): Promise<void>;
}

/**
 * Honours the flags packing, adapter, maxPixels and allowNonFinite of commands that have them.
 * @param trainable "none" allocates no gradients or moments
 */
export async function openPolicy(
  args: Arguments,
  directory: string,
  trainable: "all" | "language" | "none",
): Promise<OpenedPolicy> {
  const frozenFormat = args.optional("packing") === null ? "f32" : args.oneOf("packing", WEIGHT_FORMATS);
  const adapter = args.optional("adapter");
  const maxPixels = args.optional("maxPixels") === null ? null : args.integer("maxPixels", 1, BOUNDS.maxPixels);
  return openPolicyOn(args.oneOf("backend", BACKEND_NAMES), directory, {
    trainable,
    frozenFormat,
    adapter: adapter === null ? null : await openDirectory(adapter),
    adapterAsIs: true,
    allowNonFinite: args.boolean("allowNonFinite"),
    maxPixels,
  });
}

export async function openPolicyOn(
  backendName: BackendName,
  directory: string,
  options: LoadOptions,
): Promise<OpenedPolicy> {
  const files = await openDirectory(directory);
  const backend = await openNodeBackend(backendName);
  reportAdapter(backend);
  try {
    const policy = await asInput(directory, Policy.load(backend, files, options));
    return {
      backend,
      policy,
      close: async () => {
        policy.dispose();
        await backend.dispose();
      },
    };
  } catch (error) {
    await backend.dispose();
    throw error;
  }
}

/** A folder that cannot be loaded is bad input. @throws InputError naming the folder */
export async function asInput<T>(directory: string, loading: Promise<T>): Promise<T> {
  try {
    return await loading;
  } catch (error) {
    throw new InputError(`${directory}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
