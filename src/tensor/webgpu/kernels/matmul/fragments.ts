/**
 * Subgroup matrices (WGSL `chromium_experimental_subgroup_matrix`): small matrices that a whole subgroup holds together
 * and a GPU's matrix units multiply. An adapter lists the sizes and types it supports. Loads and stores are spelled in
 * two ways: newer Dawn takes the order as a template parameter (`row_major`), older Chromium as an argument.
 */
import { z } from "zod";
import type { Enable } from "../../kernelSpec";

export const FRAGMENT_FEATURE = "chromium-experimental-subgroup-matrix";

const size = z.int().positive();
const fragmentConfigSchema = z.object({
  componentType: z.string(),
  resultComponentType: z.string(),
  M: size,
  N: size,
  K: size,
});
/** A size and type that an adapter's matrix units have: [M, K] · [K, N], components "f32", "f16", "i8" and others. */
export type FragmentConfig = z.output<typeof fragmentConfigSchema>;

/** Of a configuration that products can use: sums in f32. */
export interface FragmentShape {
  readonly component: "f32" | "f16";
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

export type FragmentOrder = "row" | "col";

/** How WGSL spells the operations. Offsets and strides are in elements of a workgroup array. */
export interface FragmentDialect {
  readonly name: string;
  readonly enables: readonly Enable[];
  /** Declares Left, Right and Sum. */
  types(shape: FragmentShape): string;
  load(type: "Left" | "Right", array: string, offset: string, order: FragmentOrder, stride: number): string;
  multiplyAdd(left: string, right: string, sum: string): string;
  /** A statement that stores a Sum by rows. */
  store(array: string, offset: string, sum: string, stride: number): string;
}

export interface FragmentSupport {
  readonly configs: readonly FragmentConfig[];
  readonly dialect: FragmentDialect;
}

/**
 * What `adapter.info.subgroupMatrixConfigs` lists; none where there is no such list.
 * @throws ZodError when it lists something else
 */
export function fragmentConfigs(info: GPUAdapterInfo): readonly FragmentConfig[] {
  const listed: unknown = Reflect.get(info, "subgroupMatrixConfigs");
  return listed === undefined || listed === null ? [] : z.array(fragmentConfigSchema).parse(listed);
}

/** "f16 16×16×16 → f32". */
export function describeConfig({ componentType, resultComponentType, M, N, K }: FragmentConfig): string {
  return `${componentType} ${M}×${N}×${K} → ${resultComponentType}`;
}

const declare = ({ component, M, N, K }: FragmentShape): string => `
alias Left = subgroup_matrix_left<${component}, ${K}, ${M}>;
alias Right = subgroup_matrix_right<${component}, ${N}, ${K}>;
alias Sum = subgroup_matrix_result<f32, ${N}, ${M}>;`;
const ENABLES: readonly Enable[] = ["subgroups", "chromium_experimental_subgroup_matrix"];
const multiplyAdd = (left: string, right: string, sum: string): string =>
  `subgroupMatrixMultiplyAccumulate(${left}, ${right}, ${sum})`;

export const orderAsTemplate: FragmentDialect = {
  name: "order as template parameter",
  enables: ENABLES,
  types: declare,
  load: (type, array, offset, order, stride) =>
    `subgroupMatrixLoad<${type}, ${order}_major>(&${array}, ${offset}, ${stride}u)`,
  multiplyAdd,
  store: (array, offset, sum, stride) => `subgroupMatrixStore<row_major>(&${array}, ${offset}, ${sum}, ${stride}u);`,
};

export const orderAsArgument: FragmentDialect = {
  name: "order as argument",
  enables: ENABLES,
  types: declare,
  load: (type, array, offset, order, stride) =>
    `subgroupMatrixLoad<${type}>(&${array}, ${offset}, ${order === "col"}, ${stride}u)`,
  multiplyAdd,
  store: (array, offset, sum, stride) => `subgroupMatrixStore(&${array}, ${offset}, ${sum}, false, ${stride}u);`,
};

/** The spelling that the device compiles; null when it compiles neither. */
export async function fragmentDialect(device: GPUDevice): Promise<FragmentDialect | null> {
  for (const dialect of [orderAsTemplate, orderAsArgument]) {
    device.pushErrorScope("validation");
    device.createShaderModule({ label: `subgroup matrices, ${dialect.name}`, code: tryOut(dialect) });
    if ((await device.popErrorScope()) === null) return dialect;
  }
  return null;
}

function tryOut(dialect: FragmentDialect): string {
  return `
${dialect.enables.map((enable) => `enable ${enable};`).join("\n")}
${dialect.types({ component: "f32", M: 8, N: 8, K: 8 })}
var<workgroup> slab: array<f32, 64>;
@compute @workgroup_size(32) fn main() {
  let left = ${dialect.load("Left", "slab", "0u", "row", 8)};
  let right = ${dialect.load("Right", "slab", "0u", "col", 8)};
  let sum = ${dialect.multiplyAdd("left", "right", "Sum()")};
  ${dialect.store("slab", "0u", "sum", 8)}
}`;
}
