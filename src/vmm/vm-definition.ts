/**
 * The definition of one VM: its settings, from which follow the type, the validation and the command line's help.
 * Files are named by paths; reading them is the application's part.
 */

import { KiB, MAX_GUEST_RAM_BYTES, MIN_GUEST_RAM_BYTES, ok } from "../base/index.ts";
import type { Result } from "../base/index.ts";
import { DEFAULT_CPU_MODEL, parseCpuModel } from "../cpu/index.ts";
import { BOOT_PROTOCOLS, SERIAL_CONNECTORS, VIRTIO_DEVICES, WATCHDOG_ACTIONS } from "../machine/index.ts";
import { bootDefinition, bootOrderSetting, firmwareVariablesSetting } from "./boot-settings.ts";
import type { BootDefinition } from "./boot-settings.ts";
import { cdromSetting, diskSetting, floppySetting, problemOfDrives } from "./drive-settings.ts";
import { networkSetting } from "./network-settings.ts";
import { shareSetting } from "./share-settings.ts";
import {
  choiceSetting,
  countSetting,
  listSetting,
  optionalTextSetting,
  readSettings,
  secondsSetting,
  sizeSetting,
  textSetting,
  wrong,
} from "./settings.ts";
import type { SettingError, SettingReader, SettingsInput } from "./settings.ts";

/** Multiboot modules of one VM. */
export const MAX_MODULES = 16;
/** More than any kernel takes; each boot protocol has its own, smaller limit. */
const MAX_COMMAND_LINE_CHARACTERS = 4096;
const MAX_NAME_CHARACTERS = 64;
const MAX_TIMEOUT_SECONDS = 1_000_000;

export const VM_SETTINGS = {
  name: textSetting({
    option: "name",
    placeholder: "NAME",
    help: "name of the VM",
    default: "vm",
    problem: (text) =>
      text.length <= MAX_NAME_CHARACTERS && /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(text)
        ? undefined
        : `must be up to ${MAX_NAME_CHARACTERS} letters, digits, dots, dashes and underscores, and begin with a ` +
          `letter or digit; "${text}" is not`,
  }),
  kernel: optionalTextSetting({
    option: "kernel",
    placeholder: "FILE",
    help:
      "kernel to start: a Linux bzImage, an ELF file with a PVH entry, or a multiboot image; with UEFI firmware one of its " +
      "applications, as a Linux with EFI stub is; without a kernel the firmware starts a system from a drive",
    problem: (text) => (text === "" ? "must name a file" : undefined),
  }),
  protocol: choiceSetting({
    option: "protocol",
    help: "with --kernel: how the kernel is loaded and entered; auto: as its file says",
    choices: BOOT_PROTOCOLS,
    default: "auto",
  }),
  initrd: optionalTextSetting({
    option: "initrd",
    placeholder: "FILE",
    help: "initial RAM disk for Linux, or the first multiboot module",
  }),
  modules: listSetting({
    option: "module",
    placeholder: "FILE[,args=TEXT]",
    help: "further multiboot module, whose string is its file's name and TEXT; may be repeated",
    maxCount: MAX_MODULES,
  }),
  commandLine: textSetting({
    option: "append",
    placeholder: "TEXT",
    help: "command line of the kernel",
    default: "",
    problem: (text) =>
      text.length > MAX_COMMAND_LINE_CHARACTERS || text.includes("\0")
        ? `must have at most ${MAX_COMMAND_LINE_CHARACTERS} characters, none of them NUL`
        : undefined,
  }),
  memorySizeBytes: sizeSetting({
    option: "memory",
    help: "memory of the VM; a number alone is in MiB",
    defaultText: "256M",
    minBytes: MIN_GUEST_RAM_BYTES,
    maxBytes: MAX_GUEST_RAM_BYTES,
    multipleOfBytes: 4 * KiB,
  }),
  firmware: optionalTextSetting({
    option: "firmware",
    placeholder: "FILE",
    help: "firmware to start in the place of the built-in BIOS: an image like SeaBIOS's or OVMF's, of 64 KiB to 16 MiB",
    problem: (text) => (text === "" ? "must name a file" : undefined),
  }),
  firmwareVariables: firmwareVariablesSetting,
  vgaBios: optionalTextSetting({
    option: "vga-bios",
    placeholder: "FILE",
    help: "with --firmware: BIOS of the VGA, like SeaBIOS's vgabios-stdvga.bin; without one nothing is on the screen",
    problem: (text) => (text === "" ? "must name a file" : undefined),
  }),
  disks: diskSetting(),
  cdroms: cdromSetting(),
  floppies: floppySetting(),
  bootOrder: bootOrderSetting,
  networks: networkSetting(),
  shares: shareSetting,
  cpu: textSetting({
    option: "cpu",
    placeholder: "CPU",
    help: "CPU model, then features with + or -: v2,+aes,-sha; help lists them",
    default: DEFAULT_CPU_MODEL,
    problem: (text) => {
      const parsed = parseCpuModel(text);
      return parsed.ok ? undefined : parsed.error.message;
    },
  }),
  tier: choiceSetting({
    option: "tier",
    help: "whether hot code is compiled, or everything interpreted",
    choices: ["auto", "interpreter"],
    default: "auto",
  }),
  profile: choiceSetting({
    option: "profile",
    help: "whether it is kept which code of the kernel is worth compiling, for its next start",
    choices: ["auto", "off"],
    default: "auto",
  }),
  timeoutSeconds: secondsSetting({
    option: "timeout",
    help: "end the VM after this time of the host's clock",
    maxSeconds: MAX_TIMEOUT_SECONDS,
  }),
  devices: listSetting({
    option: "device",
    placeholder: "DEVICE",
    help:
      "add a device: isa-debug-exit, through which a guest ends the VM with a status (port 0xf4), " +
      "isa-debugcon, whose output (port 0x402), firmware's log, goes where that of the serial port goes, " +
      "virtio-rng, which gives random bytes of the host, virtio-console (hvc0 in Linux), whose output goes where that of the " +
      "serial port goes, and which takes its input once the guest has a driver for it, " +
      "virtio-balloon, by which a program limits what the guest uses of its memory and hears how much is free, and by which " +
      "memory that the guest does not use goes back to the host, " +
      "i6300esb, a watchdog, isa-parallel, a printer on a parallel port; may be repeated",
    maxCount: 16,
    choices: ["isa-debug-exit", "isa-debugcon", ...VIRTIO_DEVICES, "i6300esb", "isa-parallel"],
  }),
  serialPorts: countSetting({
    option: "serial-ports",
    help: "serial ports of the PC, COM1 to COM4",
    default: 1,
    minCount: 1,
    maxCount: SERIAL_CONNECTORS.length,
  }),
  watchdogAction: choiceSetting({
    option: "watchdog-action",
    help: "with --device i6300esb: what happens when the guest stops feeding its watchdog",
    choices: WATCHDOG_ACTIONS,
    default: "reset",
  }),
  tripleFault: choiceSetting({
    option: "triple-fault",
    help: "what a triple fault does: end the VM with a dump of its registers, or reset it, as on a PC",
    choices: ["end", "reset"],
    default: "end",
  }),
  virtioRing: choiceSetting({
    option: "virtio-ring",
    help: "queues that virtio devices offer: split ones, which every driver knows, or also packed ones",
    choices: ["split", "packed"],
    default: "split",
  }),
} as const;

/** What a person or a program writes; see {@link VM_SETTINGS} for each key. */
export type VmDefinitionInput = SettingsInput<typeof VM_SETTINGS>;
/** A checked definition. It can be sent to another process as it is. */
export type VmDefinition = ReturnType<typeof readEach>["others"] & { readonly boot: BootDefinition };

/** Each setting by itself; one line for each, so that the compiler knows each field's type without a cast. */
function readEach(read: SettingReader) {
  return {
    boot: {
      firmware: read(VM_SETTINGS.firmware),
      variables: read(VM_SETTINGS.firmwareVariables),
      vgaBios: read(VM_SETTINGS.vgaBios),
      kernel: read(VM_SETTINGS.kernel),
      protocol: read(VM_SETTINGS.protocol),
      initrd: read(VM_SETTINGS.initrd),
      modules: read(VM_SETTINGS.modules),
      commandLine: read(VM_SETTINGS.commandLine),
      order: read(VM_SETTINGS.bootOrder),
    },
    others: {
      name: read(VM_SETTINGS.name),
      memorySizeBytes: read(VM_SETTINGS.memorySizeBytes),
      drives: [...read(VM_SETTINGS.disks), ...read(VM_SETTINGS.cdroms), ...read(VM_SETTINGS.floppies)],
      networks: read(VM_SETTINGS.networks),
      shares: read(VM_SETTINGS.shares),
      cpu: read(VM_SETTINGS.cpu),
      tier: read(VM_SETTINGS.tier),
      profile: read(VM_SETTINGS.profile),
      timeoutSeconds: read(VM_SETTINGS.timeoutSeconds),
      devices: read(VM_SETTINGS.devices),
      serialPorts: read(VM_SETTINGS.serialPorts),
      watchdogAction: read(VM_SETTINGS.watchdogAction),
      tripleFault: read(VM_SETTINGS.tripleFault),
      virtioRing: read(VM_SETTINGS.virtioRing),
    },
  };
}

/** Checks an input; the error is one sentence that names the setting. */
export function parseVmDefinition(input: unknown): Result<VmDefinition, SettingError> {
  const each = readSettings(VM_SETTINGS, input, readEach);
  if (!each.ok) return each;
  const { boot, others } = each.value;
  const problem = problemOfDrives(others.drives) ?? problemOfWatchdog(others);
  if (problem !== undefined) return { ok: false, error: problem };
  const way = bootDefinition(boot, others.drives);
  return way.ok ? ok({ ...others, boot: way.value }) : way;
}

/** The usual action is everybody's, whether there is a watchdog or not. */
function problemOfWatchdog(
  others: Pick<VmDefinition, "devices" | "watchdogAction">,
): SettingError | undefined {
  const isUsual = others.watchdogAction === VM_SETTINGS.watchdogAction.defaultText;
  if (isUsual || others.devices.includes("i6300esb")) return undefined;
  return wrong("watchdog-action", "needs a watchdog: the device i6300esb").error;
}
