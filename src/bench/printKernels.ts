/**
 * Prints the WGSL that a kernel generates, every variant under a heading; needs no GPU.
 * Usage: npm run kernels:print [-- KERNEL]; without a name it lists the kernels.
 */
import { editDistance } from "../srpo/language/editDistance";
import { KERNEL_FILES, type KernelFile } from "../tensor/kernelFiles";
import { LISTED_ADAPTERS, LISTED_FILES, type ListedKernel, listedKernels } from "../tensor/webgpu/kernelListing";

const NEAREST = 3;

/** The file that `name` means: a file's own name, or a kernel in it. */
function fileOf(name: string): KernelFile | undefined {
  const kernels: Readonly<Record<string, KernelFile>> = KERNEL_FILES;
  return LISTED_FILES.find((file) => file === name) ?? (Object.hasOwn(kernels, name) ? kernels[name] : undefined);
}

function nearest(name: string): string[] {
  const known = [...new Set([...LISTED_FILES, ...Object.keys(KERNEL_FILES)])];
  return known.sort((a, b) => editDistance(name, a) - editDistance(name, b)).slice(0, NEAREST);
}

function overview(): string {
  const kernelsOf = (file: KernelFile): string =>
    Object.entries(KERNEL_FILES)
      .filter(([, of]) => of === file)
      .map(([kernel]) => kernel)
      .join(", ");
  return LISTED_FILES.map((file) => `${file.padEnd(14)} ${kernelsOf(file)}`).join("\n");
}

function printed({ name, adapters, code }: ListedKernel): string {
  const where = adapters.length === LISTED_ADAPTERS.length ? ["every adapter"] : adapters;
  const heading = [`// ${name}`, ...where.map((adapter) => `// on ${adapter}`)].join("\n");
  return `${"/".repeat(80)}\n${heading}\n${code.trim()}\n`;
}

async function main(names: readonly string[]): Promise<number> {
  if (names.length === 0 || names.includes("--help")) {
    console.log(
      "npm run kernels:print -- KERNEL prints the WGSL of a kernel's file. Files and their " +
        `kernels:\n${overview()}`,
    );
    return 0;
  }
  for (const name of names) {
    const file = fileOf(name);
    if (file === undefined) {
      console.error(`There is no kernel "${name}". The nearest names: ${nearest(name).join(", ")}.`);
      return 2;
    }
    for (const kernel of await listedKernels(file)) console.log(printed(kernel));
  }
  return 0;
}

// `… | head` closes the pipe early; that is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
process.exitCode = await main(process.argv.slice(2));
