import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryDisk } from "../../block/index.ts";
import { AtapiDrive } from "../../devices/ide/drives.ts";
import type { Drive } from "./drive.ts";
import { cdromUnits, ideDrives } from "./ide-drives.ts";

const drive = (medium: Drive["medium"], bus: Drive["bus"] = "ide"): Drive => ({
  bus,
  medium,
  device: new MemoryDisk(new Uint8Array(4096)),
  serialNumber: "1",
});
const kinds = (...drives: readonly Drive[]): string =>
  ideDrives(drives)
    .map((place) => (place === undefined ? "-" : place instanceof AtapiDrive ? "c" : "d"))
    .join("");

test("disks take places from the first on, CD-ROM drives from the secondary channel on", () => {
  assert.equal(kinds(), "----");
  assert.equal(kinds(drive("disk")), "d---");
  assert.equal(kinds(drive("cdrom")), "--c-");
  assert.equal(kinds(drive("disk"), drive("cdrom"), drive("disk")), "ddc-");
  assert.equal(kinds(drive("cdrom"), drive("disk"), drive("disk"), drive("disk")), "dddc");
  assert.equal(kinds(...Array.from({ length: 4 }, () => drive("cdrom"))), "cccc");
  assert.equal(kinds(drive("disk", "nvme"), drive("disk", "virtio"), drive("cdrom")), "--c-");
});

test("units come in the order in which their drives were given, whatever their places", () => {
  const disc = (sectors: number): Drive => ({
    ...drive("cdrom"),
    device: new MemoryDisk(new Uint8Array(2048 * sectors)),
  });
  const units = cdromUnits(ideDrives([disc(1), disc(2), drive("disk"), disc(3)]));
  assert.deepEqual(
    units.map((unit) => unit.disc?.sectors),
    [1, 2, 3],
  );
});

test("discs are changed drive by drive", () => {
  const [first, second, none] = cdromUnits(ideDrives([drive("disk"), drive("cdrom"), drive("cdrom")]));
  assert.equal(second?.eject(), true);
  assert.deepEqual([first?.isTrayOpen, second.isTrayOpen, none], [false, true, undefined]);
  second.insert(new MemoryDisk(new Uint8Array(2048)));
  assert.deepEqual([second.isTrayOpen, second.disc?.sectors], [false, 1]);
});
