/** Disk images with an ext4 file system, made by mke2fs from a folder without privileges, and looked at by e2fsck. */

import { execFile } from "node:child_process";
import { truncate, writeFile } from "node:fs/promises";
import { runTool } from "../programs/run-tool.ts";

/** Makes `path` a raw disk of `sizeBytes` with what is in `folder`. */
export async function makeExt4Image(path: string, folder: string, sizeBytes: number): Promise<void> {
  await writeFile(path, "");
  await truncate(path, sizeBytes);
  await runTool("/sbin/mke2fs", ["-q", "-F", "-t", "ext4", "-d", folder, path]);
}

export interface FileSystemCheck {
  /** 0: clean, without anything to mend. */
  readonly status: number;
  readonly output: string;
}

/** Looks at everything and changes nothing. */
export function checkExt4Image(path: string): Promise<FileSystemCheck> {
  return new Promise((resolve) => {
    execFile("/sbin/e2fsck", ["-fn", path], (error, stdout) => {
      resolve({ status: error === null ? 0 : Number(error.code ?? -1), output: stdout });
    });
  });
}

/** What a file in the image says, as the host reads it. */
export async function fileInImage(image: string, path: string): Promise<string> {
  return await runTool("/sbin/debugfs", ["-R", `cat ${path}`, image]);
}

/** Puts files of the host into an image: path in it, by the host's. Folders that are there already are taken as they are. */
export async function addToImage(image: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, from] of Object.entries(files)) {
    const folders = path.split("/").slice(0, -1);
    const commands = folders.map((_, index) => `mkdir ${folders.slice(0, index + 1).join("/")}`);
    for (const command of [...commands, `write ${from} ${path}`])
      await runTool("/sbin/debugfs", ["-w", "-R", command, image]);
  }
}

const CPIO_HEADER_BYTES = 110;
const CPIO_SIZE_AT = 54;
const CPIO_NAME_SIZE_AT = 94;

/** A file of an uncompressed initramfs ("newc", cpio(5)). */
export function fileInCpio(archive: Uint8Array, path: string): Uint8Array {
  const text = new TextDecoder("latin1").decode(archive);
  const aligned = (at: number): number => Math.ceil(at / 4) * 4;
  for (let at = 0; text.startsWith("070701", at);) {
    const field = (offset: number): number => Number.parseInt(text.slice(at + offset, at + offset + 8), 16);
    const nameAt = at + CPIO_HEADER_BYTES;
    const dataAt = aligned(nameAt + field(CPIO_NAME_SIZE_AT));
    const size = field(CPIO_SIZE_AT);
    if (text.slice(nameAt, nameAt + field(CPIO_NAME_SIZE_AT) - 1) === path)
      return archive.subarray(dataAt, dataAt + size);
    at = aligned(dataAt + size);
  }
  throw new Error(`the archive has no ${path}`);
}
