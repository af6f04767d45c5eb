/**
 * Where a record's image is: a path, a data URL, plain base64, or bytes in the table; and its encoded bytes. Paths may
 * lead anywhere that the user may read, through symbolic links too; only regular files of a bounded size are read, so
 * a device or a pipe in a data set neither blocks nor fills the memory.
 */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { fileFault } from "../files/fileFault";
import { shortened } from "../files/shortened";

/** Bytes of a table cell. */
const bytesSchema = z.instanceof(Uint8Array);
const imageSchema = z.union(
  [
    z.string().min(1),
    bytesSchema,
    z.object({ bytes: z.union([bytesSchema, z.string()]).nullish(), path: z.string().nullish() }),
  ],
  "expected a path, a data URL, base64 or {bytes, path}",
);
export type ImageReference = z.output<typeof imageSchema>;

export const imagesShape = {
  image: imageSchema.nullish(),
  images: z.union([z.array(imageSchema), imageSchema], "expected a list of images").nullish(),
};
export const imagesSchema = z.object(imagesShape);

/** An image of a record cannot be read; the record's place is added by the caller. */
export class ImageReferenceError extends Error {
  override readonly name = "ImageReferenceError";
}

/** Larger files are no pictures. */
const MAX_BYTES = 2 ** 28;

/** The record's images in order. @throws ImageReferenceError when there is none, or both fields have some */
export function imagesOf({ image, images }: z.output<typeof imagesSchema>): readonly ImageReference[] {
  const listed = images == null ? [] : Array.isArray(images) ? images : [images];
  if (image == null) {
    if (listed.length > 0) return listed;
    throw new ImageReferenceError("no image; expected the field image or images");
  }
  if (listed.length > 0 && !(listed.length === 1 && listed[0] === image))
    throw new ImageReferenceError("both image and images are given; expected one of them");
  return [image];
}

/** The encoded image. @param folder base of relative paths @throws ImageReferenceError */
export function imageBytes(reference: ImageReference, folder: string): Promise<Uint8Array> | Uint8Array {
  if (reference instanceof Uint8Array) return filled(reference);
  if (typeof reference === "string") return textBytes(reference, folder);
  const { bytes, path } = reference;
  if (typeof bytes === "string") return filled(encodedBytes(bytes) ?? base64(bytes));
  if (bytes != null) return filled(bytes);
  if (path != null && path !== "") return textBytes(path, folder);
  throw new ImageReferenceError("image: has neither bytes nor path");
}

function textBytes(text: string, folder: string): Promise<Uint8Array> | Uint8Array {
  const encoded = encodedBytes(text);
  if (encoded !== null) return filled(encoded);
  if (/^file:\/\//i.test(text)) return fileBytes(filePath(text));
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text))
    throw new ImageReferenceError(
      `image: ${shortened(text)} is a web address, and nothing is downloaded: save the picture and name its file`,
    );
  return fileBytes(resolve(folder, text));
}

function filePath(url: string): string {
  try {
    return fileURLToPath(url);
  } catch (error) {
    throw new ImageReferenceError(
      `image: ${shortened(url)} is no file on this machine (${error instanceof Error ? error.message : String(error)})`,
    );
  }
}

/** How base64 of the known formats begins: PNG, JPEG, GIF, WebP, TIFF, BMP, and AVIF's box of type. */
const ENCODED = /^(?:iVBORw0KGgo|\/9j\/|R0lGOD|UklGR|SUkqA|TU0AK|Qk|AAAA[A-Za-z0-9+/]{2}Z0eX)/;
/** The least that an image takes; a path of that length without a dot, beginning like one, is not met. */
const LEAST_ENCODED = 48;

/** Bytes of a data URL or of plain base64; null for anything else, which is a path. */
function encodedBytes(text: string): Uint8Array | null {
  if (/^data:/i.test(text)) {
    const match = /^data:[^,]*;base64,([A-Za-z0-9+/=\s]+)$/i.exec(text);
    if (match === null)
      throw new ImageReferenceError(`image: invalid data URL "${text.slice(0, 40)}…"; expected data:image/…;base64,…`);
    return base64(match[1] ?? "");
  }
  const plain = text.length >= LEAST_ENCODED && ENCODED.test(text) && /^[A-Za-z0-9+/=\s]+$/.test(text);
  return plain ? base64(text) : null;
}

function base64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64"));
}

async function fileBytes(path: string): Promise<Uint8Array> {
  const named = `image: ${shortened(path, 400)}`;
  let file: FileHandle | null = null;
  try {
    // Without waiting: opening a pipe would otherwise wait for its writer.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = await file.stat();
    if (stat.isDirectory()) throw new ImageReferenceError(`${named} is a folder, expected a file`);
    if (!stat.isFile()) throw new ImageReferenceError(`${named} is not a regular file`);
    if (stat.size > MAX_BYTES)
      throw new ImageReferenceError(
        `${named} has ${stat.size.toLocaleString("en")} bytes, expected at most ${MAX_BYTES.toLocaleString("en")}`,
      );
    return filled(new Uint8Array(await file.readFile()), named);
  } catch (error) {
    if (error instanceof ImageReferenceError) throw error;
    throw new ImageReferenceError(`${named} ${fileFault(error)}`);
  } finally {
    await file?.close();
  }
}

/** @throws ImageReferenceError for what is recognisably no picture, said more plainly than a decoder could */
function filled(bytes: Uint8Array, named = "image"): Uint8Array {
  if (bytes.length === 0) throw new ImageReferenceError(`${named} is empty (0 bytes)`);
  const head = Buffer.from(bytes.subarray(0, 64)).toString("latin1").trimStart();
  if (head.startsWith("version https://git-lfs"))
    throw new ImageReferenceError(`${named} is a Git LFS pointer, not the picture itself: run git lfs pull`);
  if (/^<(?:!doctype html|html)/i.test(head))
    throw new ImageReferenceError(`${named} is a web page (HTML), not a picture: download it again`);
  return bytes;
}
