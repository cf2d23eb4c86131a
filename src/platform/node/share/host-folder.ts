/**
 * A folder of the host, shared with a guest and confined to itself (descriptors.ts): no name and no symbolic link leads out
 * of it, whatever the guest asks for and whatever other processes do meanwhile. What is opened for its bytes is first seen to be
 * a file: a device, pipe or socket is never opened.
 *
 * Files belong to the user who runs the VM: a guest can do no more with them than that user. Set-user-ID and set-group-ID
 * bits are never set, so that a guest leaves no program that runs as that user for others.
 *
 * Missing on purpose: hosts other than Linux, where Node.js has no calls that stay below a folder.
 */

import { stat } from "node:fs/promises";
import { err, ok } from "../../../base/index.ts";
import type { Result } from "../../../base/index.ts";
import { ERRNO } from "../../../share/index.ts";
import type { SharedFolder } from "../../../share/index.ts";
import {
  answered,
  closeDescriptor,
  FOLDER_NAME_ONLY,
  openDescriptor,
  pathOf,
  statOf,
} from "./descriptors.ts";
import { HostNode } from "./host-node.ts";
import { isSameFile, Places } from "./places.ts";

/** Files, folders and links that a guest can hold at one time; each is a descriptor. */
const PLACES_MAX = 8192;
const EACCES = 13;

export interface SharedFolderSpec {
  readonly path: string;
  readonly isReadOnly: boolean;
  /** Smaller ones are for tests. */
  readonly placesMax?: number;
}

export async function openSharedFolder(spec: SharedFolderSpec): Promise<Result<SharedFolder>> {
  const { path, isReadOnly, placesMax = PLACES_MAX } = spec;
  if (process.platform !== "linux")
    return err("share-unsupported", "Folders can be shared with guests only on Linux hosts.");
  const opened = await answered(() => openDescriptor(path, FOLDER_NAME_ONLY));
  if (!opened.ok)
    return err("share-folder", `The folder ${path} cannot be shared: ${reasonOf(opened.errno)}.`);
  const fd = opened.value;
  const found = await statOf(fd);
  const again = await answered(() => stat(pathOf(fd), { bigint: true }));
  if (!again.ok || !isSameFile(again.value, found)) {
    closeDescriptor(fd);
    return err("share-unsupported", `The folder ${path} cannot be shared: the host has no /proc/self/fd.`);
  }
  const places = new Places(isReadOnly, placesMax);
  const root = new HostNode(places, places.add(fd, found));
  return ok({ isReadOnly, root: () => root.share(), close: () => places.close() });
}

function reasonOf(errno: number): string {
  if (errno === ERRNO.ENOENT) return "it does not exist";
  if (errno === ERRNO.ENOTDIR) return "it is not a folder";
  return errno === EACCES ? "you may not enter it" : `the host answers with error ${errno}`;
}
