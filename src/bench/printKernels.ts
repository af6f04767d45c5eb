/**
 * Prints the WGSL that a kernel generates, every variant under a heading; needs no GPU. Modules of other files that it
 * also runs are only named. Usage: npm run kernels:print [-- KERNEL]; without a name it lists the kernels.
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

/** The kernel that a module belongs to is the first word of the module's name. */
const kernelOf = ({ name }: ListedKernel): string => name.split(" ", 1)[0] ?? name;

interface Listing {
  readonly modules: readonly ListedKernel[];
  /** Kernels of other files that these run. */
  readonly others: readonly string[];
}

/** A file's modules; or those of one kernel in it, if they have its name; or those that several files share. */
async function listing(name: string): Promise<Listing | null> {
  const file = fileOf(name);
  if (file === undefined) {
    const all = (await Promise.all(LISTED_FILES.map(listedKernels))).flat().filter((each) => kernelOf(each) === name);
    const distinct = new Map(all.map((each) => [`${each.name}\n${each.code}`, each]));
    return distinct.size === 0 ? null : { modules: [...distinct.values()], others: [] };
  }
  const kernels: Readonly<Record<string, KernelFile>> = KERNEL_FILES;
  const listed = await listedKernels(file);
  const own = listed.filter((each) => kernels[kernelOf(each)] === file);
  const named = name === file ? [] : own.filter((each) => kernelOf(each) === name);
  const others = new Set(listed.filter((each) => !own.includes(each)).map(kernelOf));
  return { modules: named.length > 0 ? named : own, others: [...others] };
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
      "npm run kernels:print -- KERNEL prints the WGSL of a kernel or file. Files and their " +
        `kernels:\n${overview()}`,
    );
    return 0;
  }
  for (const name of names) {
    const found = await listing(name);
    if (found === null) {
      console.error(`There is no kernel "${name}". The nearest names: ${nearest(name).join(", ")}.`);
      return 2;
    }
    for (const kernel of found.modules) console.log(printed(kernel));
    for (const other of found.others) console.log(`// also runs ${other}: npm run kernels:print -- ${other}`);
  }
  return 0;
}

// `… | head` closes the pipe early; that is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
process.exitCode = await main(process.argv.slice(2));
