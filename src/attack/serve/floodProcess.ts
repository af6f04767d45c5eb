/** One flood in a process of its own: `floodProcess.ts NAME PORT TOKEN LARGEST`. It ends when it is killed. */
import { FLOODS } from "./floods";

const [name = "", port = "", token = "", largest = ""] = process.argv.slice(2);
const flood = FLOODS[name];
if (flood === undefined) throw new Error(`there is no flood "${name}"`);
await flood({ port: Number(port), token, largest });
