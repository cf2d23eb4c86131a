import assert from "node:assert/strict";
import { test } from "node:test";
import { unwrap } from "../base/index.ts";
import { cdromSetting, diskSetting, floppySetting, problemOfDrives } from "./drive-settings.ts";
import { parseRecordText } from "./record-text.ts";

const disks = diskSetting(["nvme", "ide"]);
const cdroms = cdromSetting(["ide"]);

function problemOf(value: unknown): string {
  const parsed = disks.parse(value);
  assert.ok(!parsed.ok);
  return parsed.error.message;
}

test("text has a first part without a name, then names with or without values; a doubled comma is one", () => {
  assert.deepEqual(parseRecordText("a,,b=c.img,bus=ide,readonly,x==,", "file"), {
    file: "a,b=c.img",
    bus: "ide",
    readonly: true,
    x: "=",
    "": true,
  });
});

test("a file is all that is needed, and a program's object means the same as text", () => {
  const plain = {
    medium: "disk",
    file: "a.img",
    format: "raw",
    bus: "nvme",
    isReadOnly: false,
    isTemporary: false,
  };
  assert.deepEqual(unwrap(disks.parse("a.img")), [plain]);
  assert.deepEqual(unwrap(disks.parse(undefined)), []);
  const full = { file: "b.img", format: "raw", bus: "ide", readonly: true, temporary: false };
  assert.deepEqual(
    unwrap(disks.parse(["b.img,readonly,bus=ide,format=raw", full])),
    [0, 1].map(() => ({ ...plain, file: "b.img", bus: "ide", isReadOnly: true })),
  );
  assert.equal(unwrap(disks.parse("c.img,temporary"))[0]?.isTemporary, true);
});

test("a CD-ROM is read-only", () => {
  const [drive] = unwrap(cdroms.parse("d.iso"));
  assert.deepEqual([drive?.medium, drive?.bus, drive?.isReadOnly], ["cdrom", "ide", true]);
  assert.equal(cdroms.parse("d.iso,temporary").ok, false);
});

test("a diskette has neither bus nor format to choose, and there are two drives beside the others", () => {
  const floppies = floppySetting();
  const [drive] = unwrap(floppies.parse("dos.img,temporary"));
  assert.deepEqual([drive?.medium, drive?.bus, drive?.isTemporary], ["floppy", "floppy", true]);
  assert.equal(floppies.parse("dos.img,bus=floppy").ok, false);
  const two = unwrap(floppies.parse(["a.img", "b.img"]));
  const eight = unwrap(disks.parse(Array.from({ length: 8 }, (_, index) => `${index}.img`)));
  assert.equal(problemOfDrives([...eight, ...two]), undefined);
  assert.equal(
    problemOfDrives([...two, ...two])?.message,
    "The setting floppy for a.img has no place: bus=floppy has 2.",
  );
});

test("what is wrong is said with the file and the field", () => {
  assert.equal(problemOf(""), "The setting disk must name a file.");
  assert.equal(problemOf({ bus: "ide" }), "The setting disk must name a file.");
  assert.equal(problemOf(7), "The setting disk must name a file.");
  assert.equal(problemOf("a.img,bus=scsi"), "The setting disk for a.img must have bus=nvme|ide.");
  assert.equal(problemOf("a.img,format=qcow2"), "The setting disk for a.img must have format=raw.");
  assert.equal(
    problemOf("a.img,cache=none"),
    'The setting disk for a.img knows no "cache"; there are file, format, bus, readonly, temporary.',
  );
  assert.match(problemOf("a.img,readonly=yes"), /has readonly and temporary without a value/);
  assert.match(problemOf("a.img,readonly,temporary"), /cannot be readonly and temporary at once/);
});

test("the limits are inclusive, of all drives and of each bus", () => {
  const many = (count: number, bus: string) =>
    disks.parse(Array.from({ length: count }, (_, index) => `${index}.img,bus=${bus}`));
  assert.equal(many(8, "nvme").ok, true);
  assert.equal(many(9, "nvme").ok, false);
  assert.equal(problemOfDrives(unwrap(many(8, "nvme"))), undefined);
  assert.equal(problemOfDrives(unwrap(many(4, "ide"))), undefined);
  assert.equal(
    problemOfDrives(unwrap(many(5, "ide")))?.message,
    "The setting disk for 0.img has no place: bus=ide has 4.",
  );
  assert.equal(
    problemOfDrives([...unwrap(many(8, "nvme")), ...unwrap(cdroms.parse("d.iso"))])?.message,
    "The setting disk and CD-ROMs may be at most 8 together.",
  );
});

test("without a bus that carries it a setting is hidden and refuses everything", () => {
  const none = cdromSetting([]);
  assert.equal(none.isHidden, true);
  assert.equal(none.parse("d.iso").ok, false);
  assert.deepEqual(none.parse(undefined), { ok: true, value: [] });
});
