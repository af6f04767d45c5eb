/**
 * Adapters on which a workgroup can be just one subgroup of known size: those that are a CPU (lavapipe, SwiftShader),
 * where it pays to load a value once a workgroup and broadcast it with `subgroupBroadcast` from a constant lane.
 */
import type { MatmulAdapter } from "./matmul/variant";

/** What the adapter lacks for it, as the end of "this adapter has no …"; null when nothing. */
export function lacksOneSubgroup({
  features,
  software,
  subgroupMinSize,
  subgroupMaxSize,
}: MatmulAdapter): string | null {
  if (!software) return "shaders that run on a CPU";
  if (!features.has("subgroups")) return 'feature "subgroups"';
  return subgroupMinSize === subgroupMaxSize && [4, 8, 16].includes(subgroupMinSize)
    ? null
    : `subgroups of just 4, 8 or 16 lanes (it says ${subgroupMinSize} to ${subgroupMaxSize})`;
}
