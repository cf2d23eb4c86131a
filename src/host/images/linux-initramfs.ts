/**
 * The initramfs of the ready-made Linux guests: a static busybox, an /init script and the three device nodes that
 * are needed before devtmpfs is mounted (the kernel opens /dev/console for init itself).
 *
 * The applet links are made by `busybox --install -s`, which knows the applets of this very binary and leaves
 * /bin/busybox alone: a link of busybox to itself would make every applet fail with ELOOP.
 */
import { assert } from "../../base/index.ts";
import { buildCpio } from "./cpio.ts";

/**
 * What init does: mount the kernel's file systems, say that user space is up, run a shell on the console and power
 * off when it ends. setsid and cttyhack give the shell its controlling terminal, so that Ctrl-C works in it.
 * The kernel's messages are turned down to warnings before the mark, so that they do not break into the shell.
 */
export function initScript(mark: string): string {
  return `#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox --install -s /bin
export PATH=/bin HOME=/root TERM=linux
cd /root
dmesg -n 4
echo '${mark}'
setsid cttyhack sh
poweroff -f
`;
}

/** The initramfs as an uncompressed cpio archive; the same busybox and mark always give the same bytes. */
export function buildLinuxInitramfs(busybox: Uint8Array, mark: string): Uint8Array<ArrayBuffer> {
  assert(/^[\w :.,-]+$/.test(mark), `the mark "${mark}" cannot stand in a shell script`);
  return buildCpio([
    { kind: "directory", path: "bin" },
    { kind: "directory", path: "dev" },
    { kind: "directory", path: "proc" },
    { kind: "directory", path: "root", mode: 0o700 },
    { kind: "directory", path: "sys" },
    { kind: "directory", path: "tmp", mode: 0o1777 },
    // Numbers from the kernel's Documentation/admin-guide/devices.txt.
    { kind: "character-device", path: "dev/console", major: 5, minor: 1 },
    { kind: "character-device", path: "dev/null", major: 1, minor: 3, mode: 0o666 },
    { kind: "character-device", path: "dev/ttyS0", major: 4, minor: 64 },
    { kind: "file", path: "bin/busybox", mode: 0o755, data: busybox },
    { kind: "file", path: "init", mode: 0o755, data: new TextEncoder().encode(initScript(mark)) },
  ]);
}
