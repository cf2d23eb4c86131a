/**
 * What is kept of each kernel image between its runs: the profile of its code, a file in the user's cache folder named by
 * the SHA-256 of the image and the version of the format. It is what a VM's process has said and may have been made up by a
 * guest; it only changes how soon code is compiled. Deliberately missing: a profile of the programs that a guest runs after
 * its boot.
 */

import { hash } from "node:crypto";
import { join } from "node:path";
import type { Result } from "../base/index.ts";
import {
  CODE_PROFILE_FILE_MAX_BYTES,
  CODE_PROFILE_VERSION,
  decodeCodeProfile,
  encodeCodeProfile,
  VmHandle,
} from "../host/index.ts";
import type { VmHandleParts } from "../host/index.ts";
import { KeptFiles, nodeScheduling, readBootFile, userCacheFolder } from "../platform/node/index.ts";

/** Kernels that somebody has used lately. */
const MAX_PROFILES = 64;

/** Creates the VM with what is known of its kernel, and keeps what it finds out. */
export async function createVmHandle(
  parts: Pick<VmHandleParts, "definition" | "link">,
): Promise<Result<VmHandle>> {
  const { definition } = parts;
  const isWanted = definition.profile === "auto" && definition.tier === "auto";
  const name =
    isWanted && definition.boot.kind === "kernel" ? await profileName(definition.boot.kernel) : undefined;
  if (name === undefined) return await VmHandle.create({ ...parts, scheduling: nodeScheduling });
  const files = new KeptFiles(join(userCacheFolder(), "profiles"), {
    maxCount: MAX_PROFILES,
    maxBytes: CODE_PROFILE_FILE_MAX_BYTES,
  });
  const bytes = await files.read(name);
  const known = bytes === undefined ? undefined : decodeCodeProfile(bytes);
  const created = await VmHandle.create({
    ...parts,
    scheduling: nodeScheduling,
    codeProfile: known ?? "learn",
  });
  if (created.ok) {
    created.value.codeProfiles.add((found) => {
      // Nobody waits for it; without it the next VM learns again.
      void (found === "unfit" ? files.remove(name) : files.write(name, encodeCodeProfile(found)));
    });
  }
  return created;
}

/** Undefined when the kernel cannot be read, which the VM's process will explain. */
async function profileName(kernelPath: string): Promise<string | undefined> {
  const kernel = await readBootFile("kernel", kernelPath);
  if (!kernel.ok) return undefined;
  return `${hash("sha256", kernel.value.bytes, "hex")}.v${CODE_PROFILE_VERSION}`;
}
