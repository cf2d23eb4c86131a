/**
 * Takes one file out of a Debian package: the data member is decompressed and read as a stream, and both stop at
 * the file that was wanted, so that a kernel package of hundreds of megabytes costs only its beginning.
 */
import type { ReadableStream } from "node:stream/web";
import { createTarDecoder } from "modern-tar";
import { MiB } from "../../../base/index.ts";
import { debData } from "../../../host/index.ts";
import type { PackagedFile } from "../../../host/index.ts";
import { readAll } from "./byte-stream.ts";
import { decompressed } from "./decompress.ts";
import { ImageFault, orThrow } from "./host-error.ts";

/** Largest file taken out of a package, also after decompressing it; Debian's kernels stay well below. */
export const MAX_PACKAGED_FILE_BYTES = 256 * MiB;

/** The file that `wanted` describes, decompressed where the package holds it compressed. */
export async function unpackDeb(deb: Uint8Array, wanted: PackagedFile): Promise<Uint8Array> {
  const what = `package ${wanted.package.name}`;
  const data = orThrow(debData(deb));
  try {
    const file = await findInTar(decompressed(data.compression, data.bytes), wanted.path);
    if (file === undefined) {
      throw new ImageFault("archive-damaged", `${what} holds no file that matches ${wanted.path.source}`);
    }
    const content = await readAll(decompressed(wanted.compression, file), MAX_PACKAGED_FILE_BYTES);
    if (content === undefined) throw tooLarge(what);
    return content;
  } catch (error) {
    if (error instanceof ImageFault || !(error instanceof Error)) throw error;
    // The decompressors and the tar reader throw plain Errors; the package's checksum was right.
    throw new ImageFault("archive-damaged", `${what} cannot be unpacked: ${error.message}`);
  }
}

async function findInTar(tar: ReadableStream<Uint8Array>, path: RegExp): Promise<Uint8Array | undefined> {
  const entries = tar.pipeThrough(createTarDecoder({ strict: true }));
  // Leaving the loop cancels the stream, and with it the decompressor behind it.
  for await (const { header, body } of entries) {
    if (header.type === "file" && path.test(header.name.replace(/^(?:\.?\/)+/, ""))) {
      const file = await readAll(body, MAX_PACKAGED_FILE_BYTES);
      if (file === undefined) throw tooLarge(header.name);
      return file;
    }
    await drain(body);
  }
  return undefined;
}

/**
 * Reads a body to its end. Not cancel(): in modern-tar 0.8.6, to cancel a body that is wholly buffered detaches the
 * body of the entry after it, whose reader then waits for ever.
 */
async function drain(body: ReadableStream<Uint8Array>): Promise<void> {
  const reader = body.getReader();
  while (!(await reader.read()).done);
}

function tooLarge(what: string): ImageFault {
  return new ImageFault("archive-damaged", `${what} is larger than ${MAX_PACKAGED_FILE_BYTES / MiB} MiB`);
}
