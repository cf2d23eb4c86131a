/**
 * What a VM starts with: a kernel that is loaded directly, the built-in BIOS, which looks for a system on the drives, or
 * firmware of the user's, which does what it does.
 */

import { KiB, MiB, ok, PAGE_SIZE_BYTES } from "../base/index.ts";
import type { Result } from "../base/index.ts";
import { BOOT_ORDER } from "../machine/index.ts";
import type { BootProtocol, BootSource } from "../machine/index.ts";
import type { DriveDefinition } from "./drive-settings.ts";
import { parseRecordText } from "./record-text.ts";
import { wrong } from "./settings.ts";
import type { Setting, SettingError } from "./settings.ts";

export type BootDefinition =
  | {
      readonly kind: "kernel";
      readonly kernel: string;
      readonly protocol: BootProtocol;
      readonly initrd: string | undefined;
      /** Each as moduleFile() reads it. */
      readonly modules: readonly string[];
      readonly commandLine: string;
    }
  | { readonly kind: "bios"; readonly order: readonly BootSource[] }
  | {
      readonly kind: "firmware";
      readonly firmware: string;
      readonly variables: FirmwareVariables | undefined;
      readonly vgaBios: string | undefined;
      /** What the firmware starts in the place of what is on drives: OVMF does, U-Boot by its command `qfw`. */
      readonly kernel: FirmwareKernelFiles | undefined;
      readonly order: readonly BootSource[];
    };

/** A kernel that firmware starts, with what that hands over. */
export interface FirmwareKernelFiles {
  readonly kernel: string;
  readonly initrd: string | undefined;
  readonly commandLine: string;
}

/** Where UEFI firmware keeps its variables. */
export interface FirmwareVariables {
  readonly file: string;
  /** What the firmware changes stays in memory. */
  readonly isTemporary: boolean;
}

const FIRMWARE_BYTES_MIN = 64 * KiB;
const FIRMWARE_BYTES_MAX = 16 * MiB;
const VGA_BIOS_BYTES_MAX = 64 * KiB;

/** What is wrong with a firmware image of this size, as the end of a sentence. */
export function firmwareProblem(sizeBytes: number): string | undefined {
  const isPossible = sizeBytes >= FIRMWARE_BYTES_MIN && sizeBytes <= FIRMWARE_BYTES_MAX;
  if (isPossible && sizeBytes % PAGE_SIZE_BYTES === 0) return undefined;
  return `has ${sizeBytes} bytes; firmware has ${FIRMWARE_BYTES_MIN / KiB} KiB to ${FIRMWARE_BYTES_MAX / MiB} MiB, in steps of 4 KiB`;
}

/** "_FVH" of the firmware volume that UEFI firmware begins with (Platform Initialization Specification, volume 3, 3.2.1). */
const VOLUME_SIGNATURE = [0x5f, 0x46, 0x56, 0x48] as const;
const VOLUME_SIGNATURE_AT = 40;

/** In the clear in each of its images. */
const U_BOOT_NAME = /U-Boot 2\d\d\d\.\d\d/;

export function isUefiFirmware(image: Uint8Array): boolean {
  return VOLUME_SIGNATURE.every((byte, index) => image[VOLUME_SIGNATURE_AT + index] === byte);
}

/** What is wrong with a kernel for this firmware, as the end of a sentence about that one. */
export function firmwareKernelProblem(firmware: Uint8Array, kernel: Uint8Array): string | undefined {
  if (isUefiFirmware(firmware)) {
    // An application begins with "MZ".
    if (kernel[0] === 0x4d && kernel[1] === 0x5a) return undefined;
    return "starts applications of UEFI, as a Linux with EFI stub is, and the kernel is none";
  }
  if (U_BOOT_NAME.test(new TextDecoder("latin1").decode(firmware))) return undefined;
  return "takes no kernel: UEFI firmware like OVMF and U-Boot do; without firmware the kernel is loaded directly";
}

/** What is wrong with a store of variables of this size beside firmware of that one, as the end of a sentence. */
export function variablesProblem(sizeBytes: number, firmwareBytes: number): string | undefined {
  const isPossible = sizeBytes > 0 && sizeBytes + firmwareBytes <= FIRMWARE_BYTES_MAX;
  if (isPossible && sizeBytes % PAGE_SIZE_BYTES === 0) return undefined;
  return (
    `has ${sizeBytes} bytes; a store of variables has whole blocks of 4 KiB, and at most ` +
    `${FIRMWARE_BYTES_MAX / MiB} MiB together with its firmware, which has ${firmwareBytes / KiB} KiB`
  );
}

/** What is wrong with a VGA BIOS: 55h AAh, then its size in 512 bytes (PC Firmware Specification, expansion ROM header). */
export function vgaBiosProblem(image: Uint8Array): string | undefined {
  const [first, second, blocks = 0] = image;
  const isRom = first === 0x55 && second === 0xaa && blocks > 0 && blocks * 512 <= image.length;
  return isRom && image.length <= VGA_BIOS_BYTES_MAX ? undefined : "is no option ROM of at most 64 KiB";
}

/** `FILE[,temporary]`, or from a program an object with these names. */
export const firmwareVariablesSetting: Setting<
  FirmwareVariables | undefined,
  string | { readonly file: string; readonly temporary?: boolean | undefined },
  "firmware-vars"
> = {
  option: "firmware-vars",
  placeholder: "FILE[,temporary]",
  help:
    "with --firmware: flash with the variables of UEFI firmware that has code and variables in two files, like OVMF_CODE_4M.fd " +
    "and OVMF_VARS_4M.fd; it is written, so give a copy, or say temporary, and what changes stays in memory; a comma in " +
    "FILE is written twice",
  defaultText: undefined,
  isList: false,
  parse(value: unknown) {
    if (value === undefined) return ok(undefined);
    const given = typeof value === "string" ? parseRecordText(value, "file") : value;
    const fields = new Map<string, unknown>(Object.entries(given ?? {}));
    const file = fields.get("file");
    if (typeof file !== "string" || file === "") return wrong("firmware-vars", "must name a file");
    const unknown = [...fields.keys()].find((key) => key !== "file" && key !== "temporary");
    if (unknown !== undefined)
      return wrong("firmware-vars", `knows no "${unknown}"; there are file, temporary`);
    const isTemporary = fields.get("temporary") ?? false;
    if (typeof isTemporary !== "boolean")
      return wrong("firmware-vars", "has temporary without a value, or as true or false in a program");
    return ok({ file, isTemporary });
  },
};

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

/** The settings of all ways to start as they were given. */
export interface BootSettings {
  readonly firmware: string | undefined;
  readonly variables: FirmwareVariables | undefined;
  readonly vgaBios: string | undefined;
  readonly kernel: string | undefined;
  readonly protocol: BootProtocol;
  readonly initrd: string | undefined;
  readonly modules: readonly string[];
  readonly commandLine: string;
  readonly order: readonly BootSource[] | undefined;
}

/** The one way to start that the settings describe; those of the others are refused. */
export function bootDefinition(
  { firmware, variables, vgaBios, kernel, protocol, initrd, modules, commandLine, order }: BootSettings,
  drives: readonly DriveDefinition[],
): Result<BootDefinition, SettingError> {
  if (firmware === undefined && vgaBios !== undefined)
    return wrong("vga-bios", "is for firmware, and none is given");
  if (firmware === undefined && variables !== undefined)
    return wrong("firmware-vars", "is for firmware, and none is given");
  if (kernel !== undefined) {
    if (order !== undefined) return wrong("boot", "is for drives, and a kernel is to be started");
    if (firmware !== undefined) {
      const [tooMuch] = [
        ...(modules.length === 0 ? [] : ["module"]),
        ...(protocol === "auto" ? [] : ["protocol"]),
      ];
      if (tooMuch !== undefined)
        return wrong(tooMuch, "is for a kernel that is loaded directly, without firmware");
      const files = { kernel, initrd, commandLine };
      return ok({ kind: "firmware", firmware, variables, vgaBios, kernel: files, order: BOOT_ORDER });
    }
    return ok({ kind: "kernel", kernel, protocol, initrd, modules, commandLine });
  }
  if (firmware === undefined && drives.length === 0)
    return wrong("kernel", "is missing, and there is no drive to start a system from");
  const [unused] = [
    ...(initrd === undefined ? [] : ["initrd"]),
    ...(modules.length === 0 ? [] : ["module"]),
    ...(commandLine === "" ? [] : ["append"]),
    ...(protocol === "auto" ? [] : ["protocol"]),
  ];
  if (unused !== undefined) return wrong(unused, "is for a kernel, and none is given");
  if (firmware !== undefined)
    return ok({
      kind: "firmware",
      ...{ firmware, variables, vgaBios, kernel: undefined },
      order: order ?? BOOT_ORDER,
    });
  return ok({ kind: "bios", order: order ?? BOOT_ORDER });
}
