import assert from "node:assert/strict";
import { test } from "node:test";
import { unwrap } from "../base/index.ts";
import { bootDefinition, bootOrderSetting } from "./boot-settings.ts";
import type { BootSettings } from "./boot-settings.ts";
import type { DriveDefinition } from "./drive-settings.ts";

const NOTHING: BootSettings = {
  kernel: undefined,
  initrd: undefined,
  modules: [],
  commandLine: "",
  order: undefined,
};
const DISK: DriveDefinition = {
  medium: "disk",
  file: "disk.img",
  format: "raw",
  bus: "nvme",
  isReadOnly: false,
  isTemporary: false,
};

function problemOf(settings: BootSettings, drives: readonly DriveDefinition[] = [DISK]): string {
  const definition = bootDefinition(settings, drives);
  assert.ok(!definition.ok);
  return definition.error.message;
}

test("a drive without a kernel is started by the BIOS, in the order of the setting", () => {
  const order = unwrap(bootOrderSetting.parse("cdrom,disk"));
  assert.deepEqual(unwrap(bootDefinition({ ...NOTHING, order }, [DISK])), {
    kind: "bios",
    order: ["cdrom", "disk"],
  });
  assert.deepEqual(unwrap(bootDefinition(NOTHING, [DISK])), {
    kind: "bios",
    order: ["floppy", "disk", "cdrom"],
  });
});

test("a kernel is started whatever drives there are", () => {
  const { kind } = unwrap(bootDefinition({ ...NOTHING, kernel: "vmlinuz" }, [DISK]));
  assert.equal(kind, "kernel");
});

test("what belongs to the other way to start is refused by name", () => {
  assert.match(problemOf({ ...NOTHING, kernel: "k", order: ["disk"] }), /^The setting boot is for drives/);
  assert.match(problemOf({ ...NOTHING, commandLine: "quiet" }), /^The setting append is for a kernel/);
  assert.match(problemOf({ ...NOTHING, initrd: "initrd" }), /^The setting initrd is for a kernel/);
  assert.match(problemOf({ ...NOTHING, modules: ["m"] }), /^The setting module is for a kernel/);
  assert.match(problemOf(NOTHING, []), /^The setting kernel is missing, and there is no drive/);
});

test("an order has each kind of drive at most once, and no other words", () => {
  const refused = ["", "disk,disk", "network", "disk,", "disk cdrom", 7].map(
    (value) => bootOrderSetting.parse(value).ok,
  );
  assert.deepEqual(refused, [false, false, false, false, false, false]);
});
