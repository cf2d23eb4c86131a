/**
 * What a VM starts with: a kernel that is loaded directly, or the built-in BIOS, which looks for a system on the drives.
 */

import { ok } from "../base/index.ts";
import type { Result } from "../base/index.ts";
import { BOOT_ORDER } from "../machine/index.ts";
import type { BootSource } from "../machine/index.ts";
import type { DriveDefinition } from "./drive-settings.ts";
import { wrong } from "./settings.ts";
import type { Setting, SettingError } from "./settings.ts";

export type BootDefinition =
  | {
      readonly kind: "kernel";
      readonly kernel: string;
      readonly initrd: string | undefined;
      readonly modules: readonly string[];
      readonly commandLine: string;
    }
  | { readonly kind: "bios"; readonly order: readonly BootSource[] };

/** The kinds of drives on which a system is looked for, in this order. */
export const bootOrderSetting: Setting<readonly BootSource[] | undefined, string, "boot"> = {
  option: "boot",
  placeholder: "ORDER",
  help: `without --kernel: the drives on which a system is looked for, some of ${BOOT_ORDER.join(", ")}, with commas`,
  defaultText: BOOT_ORDER.join(","),
  isList: false,
  parse(value: unknown) {
    if (value === undefined) return ok(undefined);
    const words = typeof value === "string" ? value.split(",") : [];
    const order = words.flatMap((word) => BOOT_ORDER.find((source) => source === word) ?? []);
    const isOrder = order.length > 0 && order.length === words.length && new Set(order).size === order.length;
    return isOrder ? ok(order) : wrong("boot", `must be some of ${BOOT_ORDER.join(",")}, each once`);
  },
};

/** The settings of both ways to start as they were given. */
export interface BootSettings {
  readonly kernel: string | undefined;
  readonly initrd: string | undefined;
  readonly modules: readonly string[];
  readonly commandLine: string;
  readonly order: readonly BootSource[] | undefined;
}

/** The one way to start that the settings describe; those of the other one are refused. */
export function bootDefinition(
  { kernel, initrd, modules, commandLine, order }: BootSettings,
  drives: readonly DriveDefinition[],
): Result<BootDefinition, SettingError> {
  if (kernel !== undefined) {
    if (order !== undefined) return wrong("boot", "is for drives, and a kernel is to be started");
    return ok({ kind: "kernel", kernel, initrd, modules, commandLine });
  }
  if (drives.length === 0) return wrong("kernel", "is missing, and there is no drive to start a system from");
  const [unused] = [
    ...(initrd === undefined ? [] : ["initrd"]),
    ...(modules.length === 0 ? [] : ["module"]),
    ...(commandLine === "" ? [] : ["append"]),
  ];
  if (unused !== undefined) return wrong(unused, "is for a kernel, and none is given");
  return ok({ kind: "bios", order: order ?? BOOT_ORDER });
}
