/** Reading a kernel or a module, with a sentence for everything that can be wrong with the path. */

import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { err, GiB, ok } from "../../base/index.ts";
import type { Result } from "../../base/index.ts";

/** More than any kernel or initial RAM disk of ours has. */
const MAX_FILE_BYTES = 1 * GiB;

export interface FileContents {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Reads a whole file; `what` names its part ("kernel") in the sentence of an error. */
export async function readBootFile(what: string, path: string): Promise<Result<FileContents>> {
  try {
    const file = await open(path, "r");
    try {
      return await readOpenFile(what, path, file);
    } finally {
      await file.close();
    }
  } catch (thrown) {
    const sentence = sentenceOf(what, path, thrown);
    if (sentence === undefined) throw thrown;
    return sentence;
  }
}

async function readOpenFile(what: string, path: string, file: FileHandle): Promise<Result<FileContents>> {
  const stat = await file.stat();
  if (stat.isDirectory()) return err("not-a-file", `The ${what} ${path} is a folder, not a file.`);
  if (!stat.isFile()) return err("not-a-file", `The ${what} ${path} is not a regular file.`);
  if (stat.size > MAX_FILE_BYTES) return err("file-too-large", `The ${what} ${path} is larger than 1 GiB.`);
  return ok({ name: path, bytes: await file.readFile() });
}

function sentenceOf(what: string, path: string, thrown: unknown): Result<never> | undefined {
  if (!(thrown instanceof Error) || !("code" in thrown)) return undefined;
  switch (thrown.code) {
    case "ENOENT":
    case "ENOTDIR":
      return err("no-file", `The ${what} ${path} does not exist.`);
    case "EACCES":
    case "EPERM":
      return err("no-permission", `The ${what} ${path} cannot be read: permission denied.`);
    default:
      return err("unreadable", `The ${what} ${path} cannot be read: ${thrown.message}.`);
  }
}
