/** The built page: the files of `dist`, listed once at the start, so no URL can reach any other file. */
import { open, readdir } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname, join, relative, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import { InputError } from "../files/inputError";
import { RESPONSE_HEADERS } from "./responseHeaders";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".woff2": "font/woff2",
  ".jinja": "text/plain; charset=utf-8",
  ".safetensors": "application/octet-stream",
};

export class BuiltPage {
  private constructor(private readonly files: ReadonlyMap<string, string>) {}

  /** @throws InputError when the page has not been built */
  static async open(directory: string): Promise<BuiltPage> {
    const files = new Map(
      (await listed(directory)).map((path) => [`/${relative(directory, path).split(sep).join("/")}`, path]),
    );
    const index = files.get("/index.html");
    if (index === undefined) throw new InputError(`${directory}/index.html not found: run "npm run build" first`);
    return new BuiltPage(files.set("/", index));
  }

  /** Answer one request, whose Host has been checked. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== "GET" && request.method !== "HEAD") return refuse(response, 405, "only GET and HEAD");
    const path = this.files.get((request.url ?? "").replace(/[?#].*$/s, ""));
    if (path === undefined) return refuse(response, 404, "not found");
    // Streamed: a reader that stops in the middle holds a few blocks of the file, not all of it.
    const file = await open(path);
    try {
      response.writeHead(200, {
        ...RESPONSE_HEADERS,
        "Content-Type": TYPES[extname(path)] ?? "application/octet-stream",
        "Content-Length": (await file.stat()).size,
      });
      if (request.method === "HEAD") response.end();
      else await pipeline(file.createReadStream({ autoClose: false }), response);
    } finally {
      await file.close();
    }
  }
}

export function refuse(response: ServerResponse, status: number, why: string): void {
  response.writeHead(status, { ...RESPONSE_HEADERS, "Content-Type": "text/plain; charset=utf-8", Connection: "close" });
  response.end(`${why}\n`);
}

async function listed(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true, recursive: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new InputError(`${directory}: no built page (${reason}): run "npm run build" first`);
  }
}
