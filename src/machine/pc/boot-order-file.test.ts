import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryDisk } from "../../block/index.ts";
import { bootOrderFile } from "./boot-order-file.ts";
import type { Drive, DriveBus } from "./drive.ts";

const drive = (medium: Drive["medium"], bus: DriveBus): Drive => ({
  ...{ medium, bus },
  device: new MemoryDisk(new Uint8Array(512)),
  serialNumber: "1",
});
const DRIVES = [
  drive("disk", "virtio"),
  drive("disk", "nvme"),
  drive("disk", "ide"),
  drive("disk", "nvme"),
  drive("cdrom", "ide"),
  drive("floppy", "floppy"),
];
const SLOTS = new Map([
  ["nvme0", 4],
  ["nvme1", 5],
  ["virtio-blk0", 10],
]);
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

test("drives are named by their places, kind by kind in the order that is asked for", () => {
  assert.equal(
    text(bootOrderFile(DRIVES, ["cdrom", "disk", "floppy"], SLOTS)),
    [
      "/pci@i0cf8/ide@1,1/drive@1/disk@0",
      "/pci@i0cf8/scsi@a/disk@0,0",
      "/pci@i0cf8/pci8086,5845@4/namespace@1,0",
      "/pci@i0cf8/ide@1,1/drive@0/disk@0",
      "/pci@i0cf8/pci8086,5845@5/namespace@1,0",
      "/pci@i0cf8/isa@1/fdc@03f0/floppy@0\0",
    ].join("\n"),
  );
});

test("where a kind is left out, firmware looks no further", () => {
  assert.equal(text(bootOrderFile(DRIVES, ["floppy"], SLOTS)), "/pci@i0cf8/isa@1/fdc@03f0/floppy@0\nHALT\0");
  assert.equal(text(bootOrderFile([], ["floppy", "disk", "cdrom"], new Map())), "\0");
});
