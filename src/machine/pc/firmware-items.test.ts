import assert from "node:assert/strict";
import { test } from "node:test";
import { MiB, unwrap } from "../../base/index.ts";
import { RamDma } from "../../hw/index.ts";
import { createGuestRam } from "../../memory/index.ts";
import { PC_PLATFORM } from "../acpi/index.ts";
import { FW_CFG_ITEM, FwCfg } from "../fw-cfg/index.ts";
import { addFirmwareItems } from "./firmware-items.ts";
import type { FirmwareKernel } from "./firmware-kernel.ts";

/** What firmware reads. */
function firmware(kernel?: FirmwareKernel) {
  const ram = unwrap(createGuestRam({ sizeBytes: 2 * MiB, reservedPrefixBytes: 0 }));
  const device = new FwCfg(new RamDma(ram, () => undefined));
  const power = { bases: { ioBase: 0, smbusIoBase: 0 } };
  addFirmwareItems(device, {
    ...{ ram, platform: PC_PLATFORM, power, drives: [], slots: new Map() },
    firmware: { image: new Uint8Array(0), vgaBios: undefined, kernel, bootOrder: ["disk"] },
  });
  const read = (selector: number, lengthBytes: number): Uint8Array => {
    device.select(selector);
    return Uint8Array.from({ length: lengthBytes }, () => device.readData());
  };
  const number = (selector: number): number => new DataView(read(selector, 4).buffer).getUint32(0, true);
  const directory = new DataView(read(FW_CFG_ITEM.fileDirectory, 4 + 64 * 16).buffer);
  const file = (name: string): Uint8Array => {
    const names = Array.from({ length: directory.getUint32(0) }, (_, index) =>
      new TextDecoder().decode(new Uint8Array(directory.buffer, 12 + 64 * index, 56)).replace(/\0.*$/s, ""),
    );
    const at = 4 + 64 * names.indexOf(name);
    return read(directory.getUint16(at + 4), directory.getUint32(at));
  };
  return { power, read, number, file };
}

/** The FADT's places of the event block, the timer, and the SMI command port. */
function fadtPorts(tables: Uint8Array): number[] {
  const at = new TextDecoder("latin1").decode(tables).indexOf("FACP");
  const fadt = new DataView(tables.buffer, at);
  return [fadt.getUint32(56, true), fadt.getUint32(76, true), fadt.getUint32(48, true)];
}

test("tables name the ports where firmware has put them by the time when it asks", () => {
  const { power, file } = firmware();
  assert.deepEqual(fadtPorts(file("etc/acpi/tables")), [0x600, 0x608, 0xb2]);
  power.bases = { ioBase: 0xb000, smbusIoBase: 0xb100 };
  assert.deepEqual(fadtPorts(file("etc/acpi/tables")), [0xb000, 0xb008, 0xb2]);
});

test("the boot order is a file", () => {
  assert.equal(new TextDecoder().decode(firmware().file("bootorder")), "HALT\0");
});

test("a bzImage is handed over as set-up code and kernel, with initrd and command line", () => {
  const image = Uint8Array.from({ length: 4096 }, (_, index) => index & 0xff);
  image.set(new TextEncoder().encode("HdrS"), 0x202);
  image[0x1f1] = 2;
  const { number, read } = firmware({ image, initrd: Uint8Array.of(7, 8), commandLine: "quiet" });
  assert.deepEqual(
    [number(FW_CFG_ITEM.setupSize), number(FW_CFG_ITEM.kernelSize)],
    [3 * 512, 4096 - 3 * 512],
  );
  assert.deepEqual(read(FW_CFG_ITEM.setupData, 3 * 512), image.slice(0, 3 * 512));
  assert.deepEqual(read(FW_CFG_ITEM.kernelData, 4096 - 3 * 512), image.slice(3 * 512));
  assert.deepEqual([number(FW_CFG_ITEM.initrdSize), ...read(FW_CFG_ITEM.initrdData, 3)], [2, 7, 8, 0]);
  assert.equal(number(FW_CFG_ITEM.commandLineSize), 6);
  assert.equal(new TextDecoder().decode(read(FW_CFG_ITEM.commandLineData, 6)), "quiet\0");
});

test("another application is all kernel, and without one there is nothing to start", () => {
  const { number } = firmware({ image: new Uint8Array(1000), initrd: undefined, commandLine: "" });
  const sizes = [FW_CFG_ITEM.setupSize, FW_CFG_ITEM.kernelSize, FW_CFG_ITEM.initrdSize];
  assert.deepEqual(sizes.map(number), [0, 1000, 0]);
  assert.deepEqual(sizes.map(firmware().number), [0, 0, 0]);
});
