/** Opens the folders that a VM shares with its guest; of several, all or none. */

import { ok } from "../../base/index.ts";
import type { Result } from "../../base/index.ts";
import { openSharedFolder } from "../../platform/node/share/host-folder.ts";
import type { Share, ShareDefinition } from "../../vmm/index.ts";

export async function openShares(definitions: readonly ShareDefinition[]): Promise<Result<readonly Share[]>> {
  const shares: Share[] = [];
  for (const { folder: path, tag, isReadOnly } of definitions) {
    const folder = await openSharedFolder({ path, isReadOnly });
    if (!folder.ok) {
      await closeShares(shares);
      return folder;
    }
    shares.push({ mountTag: tag, folder: folder.value });
  }
  return ok(shares);
}

export async function closeShares(shares: readonly Share[]): Promise<void> {
  for (const { folder } of shares) await folder.close();
}
