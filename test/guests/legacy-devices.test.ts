/**
 * The PC's smaller devices as Linux's drivers use them: a second serial port, a printer, the memory modules on the SMBus,
 * the buttons of the case, the watchdog.
 */

import assert from "node:assert/strict";
import { mkdtempDisposable, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import type { VmOptions } from "../../src/apps/embed/index.ts";
import { MiB } from "../../src/base/index.ts";
import { Unavailable } from "../programs/run-tool.ts";
import { guestOptions, LIMIT, linuxShell } from "./guests.ts";
import type { Skippable } from "./guests.ts";
import { kernelWithModules } from "./kernel-modules.ts";

/** In the order in which they are loaded. */
const MODULES = [
  "drivers/parport/parport.ko",
  "drivers/parport/parport_pc.ko",
  "drivers/char/lp.ko",
  "drivers/i2c/i2c-dev.ko",
  "drivers/i2c/busses/i2c-piix4.ko",
  "drivers/acpi/button.ko",
  "drivers/watchdog/watchdog.ko",
] as const;
const WATCHDOG = "drivers/watchdog/i6300esb.ko";

/** The kernel with those modules; undefined, after telling why, where they cannot be had. */
async function modularGuest(t: Skippable, folder: string): Promise<VmOptions | undefined> {
  const options = await guestOptions(t, "linux-amd64");
  if (options === undefined) return undefined;
  try {
    const { kernel, modules } = await kernelWithModules([...MODULES, WATCHDOG]);
    const initrd = join(folder, "initrd");
    await writeFile(initrd, Buffer.concat([await readFile(String(options.initrd)), modules]));
    return { ...options, kernel, initrd, memory: 256 * MiB };
  } catch (thrown) {
    if (!(thrown instanceof Unavailable)) throw thrown;
    t.skip(`the kernel's modules cannot be had: ${thrown.message}`);
    return undefined;
  }
}

const textOf = async (stream: ReadableStream<Uint8Array>): Promise<string> => {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
};

test(
  "Linux talks on its second serial port, prints, reads the memory modules, sees buttons, and starves its watchdog",
  LIMIT,
  async (t) => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "typevisor-legacy-"));
    const options = await modularGuest(t, folder.path);
    if (options === undefined) return;
    const parts = {
      "serial-ports": 2,
      device: ["isa-parallel", "i6300esb"],
      "watchdog-action": "power-off",
    } as const;
    await using shell = await linuxShell({ ...options, ...parts }, "linux-amd64");
    const names = MODULES.map((path) => /[^/]+$/.exec(path)?.[0] ?? path);
    await shell.answer(names.map((name) => `insmod /modules/${name}`).join("; "));

    assert.match(
      await shell.answer("dmesg | grep ttyS1"),
      /ttyS1 at I\/O 0x2f8 \(irq = 3, base_baud = 115200\) is a 16550A/,
    );
    const second = shell.vm.serialPort(2);
    await shell.answer("stty -F /dev/ttyS1 -echo; exec 4<>/dev/ttyS1; echo from the guest >&4");
    await second.write("from the host\n");
    assert.equal(await shell.answer("head -n 1 <&4"), "from the host");

    assert.match(await shell.answer("dmesg | grep lp0"), /lp0: using parport0 \(interrupt-driven\)/);
    await shell.answer("seq 1 1000 >/dev/lp0");

    assert.match(await shell.answer("cat /sys/bus/i2c/devices/i2c-0/name"), /^SMBus PIIX4 adapter at 0700$/);
    assert.equal(await shell.answer("i2cget -y 0 0x50 2"), "0x04");
    assert.equal(await shell.answer("i2cget -y 0 0x50 3 w"), "0x0a0d");
    assert.match(await shell.answer("i2cget -y 0 0x51 2 2>&1"), /i2cget: .*No such device or address/);

    const presses = async (event: string): Promise<string> =>
      (await shell.answer(`sleep 0.1; cat /sys/firmware/acpi/interrupts/${event}`)).trim();
    shell.vm.pressButton("power");
    assert.match(await presses("ff_pwr_btn"), /^1 +EN +enabled/);
    shell.vm.pressButton("sleep");
    assert.match(await presses("gpe09"), /^1 +EN +enabled/);
    assert.match(await shell.answer("cat /proc/bus/input/devices"), /Sleep Button[^]*PNP0C0E/);

    await shell.answer("insmod /modules/i6300esb.ko heartbeat=2");
    const printed = textOf(shell.vm.printer);
    const said = textOf(second.output);
    await shell.vm.write("exec 3>/dev/watchdog\n");
    assert.deepEqual(await shell.vm.ended, { kind: "powered-off" });
    const lines = Array.from({ length: 1000 }, (_, index) => `${index + 1}\n`).join("");
    assert.equal(await printed, lines);
    assert.equal(await said, "from the guest\r\n");
  },
);
