/** The setting of shared folders: `FOLDER,tag=TAG[,readonly|writable]` on a command line, an object from a program. */

import { ok } from "../base/index.ts";
import type { Result } from "../base/index.ts";
import { MOUNT_TAG_BYTES_MAX } from "../devices/virtio/p9/index.ts";
import { SHARES_MAX } from "../machine/index.ts";
import { parseRecordText } from "./record-text.ts";
import { wrong } from "./settings.ts";
import type { Setting, SettingError } from "./settings.ts";

export interface ShareDefinition {
  readonly folder: string;
  /** By which the guest mounts it. */
  readonly tag: string;
  /** The guest can change nothing. A guest gets a folder to write only from who says so. */
  readonly isReadOnly: boolean;
}

/** A shared folder as a program writes it. */
export interface ShareInput {
  readonly folder: string;
  readonly tag: string;
  readonly readonly?: boolean | undefined;
  readonly writable?: boolean | undefined;
}

const OPTION = "share";
const KEYS = ["folder", "tag", "readonly", "writable"];
const TAG = new RegExp(`^[A-Za-z0-9][A-Za-z0-9._-]{0,${MOUNT_TAG_BYTES_MAX - 1}}$`);

export const shareSetting: Setting<
  readonly ShareDefinition[],
  readonly (string | ShareInput)[] | string | ShareInput,
  typeof OPTION
> = {
  option: OPTION,
  placeholder: "FOLDER,tag=TAG[,readonly|writable]",
  help:
    "folder of the host that the guest mounts by TAG (9P over virtio), read-only unless writable; the guest gets nothing " +
    "outside of it; a comma in FOLDER is written twice; may be repeated",
  defaultText: undefined,
  isList: true,
  parse(value: unknown = []) {
    const given: unknown[] = Array.isArray(value) ? value : [value];
    if (given.length > SHARES_MAX) return wrong(OPTION, `may be given at most ${SHARES_MAX} times`);
    const shares: ShareDefinition[] = [];
    for (const item of given) {
      const share = parseShare(item);
      if (!share.ok) return share;
      const { tag } = share.value;
      if (shares.some((other) => other.tag === tag)) return wrong(OPTION, `has the tag ${tag} twice`);
      shares.push(share.value);
    }
    return ok(shares);
  },
};

function parseShare(item: unknown): Result<ShareDefinition, SettingError> {
  const given = typeof item === "string" ? parseRecordText(item, "folder") : item;
  const fields = new Map<string, unknown>(Object.entries(given ?? {}));
  const folder = fields.get("folder");
  if (typeof folder !== "string" || folder === "") return wrong(OPTION, "must name a folder");
  const refuse = (problem: string): Result<never, SettingError> => wrong(OPTION, `for ${folder} ${problem}`);
  const unknown = [...fields.keys()].find((key) => !KEYS.includes(key));
  if (unknown !== undefined) return refuse(`knows no "${unknown}"; there are ${KEYS.join(", ")}`);
  const tag = fields.get("tag");
  if (typeof tag !== "string" || !TAG.test(tag))
    return refuse(
      `must have a tag of up to ${MOUNT_TAG_BYTES_MAX} letters, digits, dots, dashes and underscores: tag=TAG`,
    );
  const isReadOnly = fields.get("readonly") ?? false;
  const isWritable = fields.get("writable") ?? false;
  if (typeof isReadOnly !== "boolean" || typeof isWritable !== "boolean")
    return refuse("has readonly and writable without a value, or as true or false in a program");
  if (isReadOnly && isWritable) return refuse("cannot be readonly and writable at once");
  return ok({ folder, tag, isReadOnly: !isWritable });
}
