/**
 * The ready-made guests: from which Debian packages each is made, how it boots, and the text that shows it runs.
 * Marks, memory sizes and command lines were proven with QEMU's emulated PC ("pc" machine) on the Debian 12
 * packages; the command lines ask for no more than the minimal PC (PIC, PIT, 16550, RTC, i8042, VGA text).
 *
 * Missing on purpose: guests that need a disk, a CD or a firmware image.
 */
import { err, MiB, ok } from "../../base/index.ts";
import type { ImageResult } from "./image-error.ts";
import { closestNames } from "./closest-names.ts";
import type { DebianArchitecture } from "./packages-index.ts";

/** A package by its own name, or a meta package whose dependency with the given prefix is the one to unpack. */
export type DebianPackage = {
  readonly name: string;
  readonly architecture: DebianArchitecture;
} & ({ readonly kind: "plain" } | { readonly kind: "meta"; readonly realNamePrefix: string });

/** One file to take out of a package. */
export interface PackagedFile {
  readonly package: DebianPackage;
  /** Matched against paths without a leading "./"; the first match is taken. */
  readonly path: RegExp;
  readonly compression: "none" | "gzip";
}

/** Where the guest's mark appears: on the first serial port, or in the VGA text buffer at 0xb8000. */
export interface GuestMark {
  readonly where: "serial" | "vga-text";
  readonly text: string;
}

export type GuestBoot = "bzimage" | "multiboot";

export interface CatalogueEntry {
  readonly name: string;
  readonly title: string;
  readonly boot: GuestBoot;
  readonly kernel: PackagedFile;
  /** Of a Linux guest: the static busybox around which its initramfs is built. */
  readonly busybox: PackagedFile | undefined;
  readonly commandLine: string;
  /** Enough for the guest to reach its mark and be of use; not the least it starts with. */
  readonly memorySizeBytes: number;
  readonly mark: GuestMark;
  /** What a user or a test should know; one or more sentences. */
  readonly notes: string;
}

function busyboxStatic(architecture: DebianArchitecture): PackagedFile {
  return {
    package: { kind: "plain", name: "busybox-static", architecture },
    path: /^bin\/busybox$/,
    compression: "none",
  };
}

// reboot-on-panic (panic=-1) turns a dead kernel into a reset that the machine can report.
const LINUX_COMMAND_LINE = "console=ttyS0 noapic nolapic panic=-1";

export const GUEST_CATALOGUE = [
  {
    name: "linux-amd64",
    title: "Debian Linux, 64-bit cloud kernel, busybox shell",
    boot: "bzimage",
    kernel: {
      package: {
        kind: "meta",
        name: "linux-image-cloud-amd64",
        architecture: "amd64",
        realNamePrefix: "linux-image-",
      },
      path: /^boot\/vmlinuz-/,
      compression: "none",
    },
    busybox: busyboxStatic("amd64"),
    commandLine: LINUX_COMMAND_LINE,
    memorySizeBytes: 256 * MiB,
    mark: { where: "serial", text: "typevisor: linux-amd64 is up" },
    notes: "A shell on the first serial port; leaving it powers off. The kernel payload is LZ4.",
  },
  {
    name: "linux-i386",
    title: "Debian Linux, 32-bit 686 kernel, busybox shell",
    boot: "bzimage",
    kernel: {
      package: {
        kind: "meta",
        name: "linux-image-686",
        architecture: "i386",
        realNamePrefix: "linux-image-",
      },
      path: /^boot\/vmlinuz-/,
      compression: "none",
    },
    busybox: busyboxStatic("i386"),
    commandLine: LINUX_COMMAND_LINE,
    memorySizeBytes: 256 * MiB,
    mark: { where: "serial", text: "typevisor: linux-i386 is up" },
    notes: "A shell on the first serial port; leaving it powers off.",
  },
  {
    name: "gnumach",
    title: "GNU Mach 1.8 microkernel, 32-bit, kernel debugger",
    boot: "multiboot",
    kernel: {
      package: { kind: "plain", name: "gnumach-image-1.8-486-dbg", architecture: "i386" },
      path: /^boot\/gnumach-[^/]*\.gz$/,
      compression: "gzip",
    },
    busybox: undefined,
    commandLine: "console=com0",
    memorySizeBytes: 64 * MiB,
    mark: { where: "serial", text: "db>" },
    notes: "It has no servers to start, says so, and ends in its kernel debugger on the first serial port.",
  },
  {
    name: "memtest86plus",
    title: "Memtest86+, testing its own memory for ever",
    boot: "bzimage",
    kernel: {
      package: { kind: "plain", name: "memtest86+", architecture: "amd64" },
      path: /^boot\/memtest86\+x64\.bin$/,
      compression: "none",
    },
    busybox: undefined,
    commandLine: "",
    memorySizeBytes: 32 * MiB,
    mark: { where: "vga-text", text: "Status: Testing" },
    notes: "64-bit. The counters of passes and errors are on the text screen; errors must stay 0.",
  },
  {
    name: "grub-invaders",
    title: "GRUB Invaders, a game on the text screen",
    boot: "multiboot",
    kernel: {
      package: { kind: "plain", name: "grub-invaders", architecture: "amd64" },
      path: /^boot\/invaders\.exec$/,
      compression: "none",
    },
    busybox: undefined,
    commandLine: "",
    memorySizeBytes: 16 * MiB,
    mark: { where: "vga-text", text: "-*-" },
    notes: "32-bit. The mark is an alien; cursor keys or Ctrl and Alt play.",
  },
] as const satisfies readonly CatalogueEntry[];

export type GuestName = (typeof GUEST_CATALOGUE)[number]["name"];

/** The entry of that name, or an error with the closest names. */
export function findGuest(name: string): ImageResult<CatalogueEntry> {
  const entry: CatalogueEntry | undefined = GUEST_CATALOGUE.find((candidate) => candidate.name === name);
  if (entry !== undefined) return ok(entry);
  const names = GUEST_CATALOGUE.map((candidate) => candidate.name);
  const close = closestNames(name, names);
  const hint = close.length > 0 ? `did you mean ${close.join(" or ")}?` : `there are ${names.join(", ")}`;
  return err("unknown-guest", `there is no guest named "${name}"; ${hint}`);
}

/** The packages of a guest, in the order in which they are fetched. */
export function packagedFiles(entry: CatalogueEntry): readonly PackagedFile[] {
  return entry.busybox === undefined ? [entry.kernel] : [entry.kernel, entry.busybox];
}
