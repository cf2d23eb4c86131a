import assert from "node:assert/strict";
import { test } from "node:test";
import { KiB, MiB, unwrap } from "../base/index.ts";
import {
  bootDefinition,
  bootOrderSetting,
  firmwareKernelProblem,
  firmwareProblem,
  firmwareVariablesSetting,
  variablesProblem,
  vgaBiosProblem,
} from "./boot-settings.ts";
import type { BootSettings } from "./boot-settings.ts";
import type { DriveDefinition } from "./drive-settings.ts";
import { moduleFile } from "./module-file.ts";

const NOTHING: BootSettings = {
  firmware: undefined,
  variables: undefined,
  vgaBios: undefined,
  kernel: undefined,
  initrd: undefined,
  protocol: "auto",
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
  assert.match(problemOf({ ...NOTHING, protocol: "pvh" }), /^The setting protocol is for a kernel/);
  assert.match(problemOf(NOTHING, []), /^The setting kernel is missing, and there is no drive/);
});

test("a module's file may be followed by words for its string", () => {
  assert.deepEqual(moduleFile("dir/vmlinuz"), { path: "dir/vmlinuz" });
  assert.deepEqual(moduleFile("vmlinuz,args=console=hvc0 a,b"), {
    path: "vmlinuz",
    arguments: "console=hvc0 a,b",
  });
});

test("firmware starts with drives and without", () => {
  const firmware = "bios.bin";
  const order = ["floppy", "disk", "cdrom"];
  for (const drives of [[], [DISK]]) {
    const definition = unwrap(bootDefinition({ ...NOTHING, firmware }, drives));
    assert.deepEqual(definition, {
      kind: "firmware",
      ...{ firmware, variables: undefined, vgaBios: undefined, kernel: undefined, order },
    });
  }
  assert.match(problemOf({ ...NOTHING, firmware, initrd: "i" }), /^The setting initrd is for a kernel/);
  assert.match(problemOf({ ...NOTHING, vgaBios: "v" }), /^The setting vga-bios is for firmware/);
});

test("firmware is given a kernel to start, and nothing that it could not pass on", () => {
  const settings = { ...NOTHING, firmware: "OVMF.fd", kernel: "vmlinuz" };
  const definition = unwrap(bootDefinition({ ...settings, initrd: "initrd", commandLine: "quiet" }, []));
  assert.deepEqual(definition, {
    kind: "firmware",
    ...{ firmware: "OVMF.fd", variables: undefined, vgaBios: undefined },
    kernel: { kernel: "vmlinuz", initrd: "initrd", commandLine: "quiet" },
    order: ["floppy", "disk", "cdrom"],
  });
  assert.match(
    problemOf({ ...settings, modules: ["m"] }),
    /^The setting module is for a kernel that is loaded/,
  );
  assert.match(
    problemOf({ ...settings, protocol: "linux" }),
    /^The setting protocol is for a kernel that is/,
  );
  assert.match(problemOf({ ...settings, order: ["disk"] }), /^The setting boot is for drives/);
});

test("UEFI firmware starts its applications, U-Boot any kernel, others none", () => {
  const application = new TextEncoder().encode("MZ");
  const other = new Uint8Array(2);
  const uefi = new Uint8Array(64);
  uefi.set(new TextEncoder().encode("_FVH"), 40);
  assert.equal(firmwareKernelProblem(uefi, application), undefined);
  assert.match(firmwareKernelProblem(uefi, other) ?? "", /^starts applications of UEFI/);
  const uBoot = new TextEncoder().encode("\0\0U-Boot 2023.01+dfsg\0");
  assert.equal(firmwareKernelProblem(uBoot, other), undefined);
  assert.match(firmwareKernelProblem(new Uint8Array(64), application) ?? "", /^takes no kernel/);
});

test("firmware has a size that a ROM can have", () => {
  const sizes = [64 * KiB, 128 * KiB, 1966080, 16 * MiB];
  assert.deepEqual(
    sizes.map((size) => firmwareProblem(size)),
    [undefined, undefined, undefined, undefined],
  );
  const problem = /^has (0|61440|66048|16781312) bytes; firmware has 64 KiB to 16 MiB, in steps of 4 KiB$/;
  for (const size of [0, 60 * KiB, 64 * KiB + 512, 16 * MiB + 4 * KiB])
    assert.match(firmwareProblem(size) ?? "", problem);
});

test("firmware's variables are in a file of their own, which is written unless it is temporary", () => {
  const parse = (value: unknown) => firmwareVariablesSetting.parse(value);
  assert.deepEqual(unwrap(parse("VARS,,1.fd")), { file: "VARS,1.fd", isTemporary: false });
  assert.deepEqual(unwrap(parse("VARS.fd,temporary")), { file: "VARS.fd", isTemporary: true });
  assert.deepEqual(unwrap(parse({ file: "VARS.fd", temporary: true })), {
    file: "VARS.fd",
    isTemporary: true,
  });
  const refused = ["", ",temporary", "VARS.fd,readonly", "VARS.fd,temporary=1", 7].map(
    (value) => parse(value).ok,
  );
  assert.deepEqual(refused, [false, false, false, false, false]);
  const variables = { file: "VARS.fd", isTemporary: false };
  assert.match(problemOf({ ...NOTHING, variables }), /^The setting firmware-vars is for firmware/);
});

test("variables have whole blocks, and room below their firmware", () => {
  assert.equal(variablesProblem(528 * KiB, 3568 * KiB), undefined);
  assert.equal(variablesProblem(8 * MiB, 8 * MiB), undefined);
  const problem =
    /^has \d+ bytes; a store of variables has whole blocks of 4 KiB, and at most 16 MiB together/;
  for (const size of [0, 4 * KiB + 512, 8 * MiB + 4 * KiB])
    assert.match(variablesProblem(size, 8 * MiB) ?? "", problem);
});

test("a VGA BIOS is an option ROM", () => {
  const rom = new Uint8Array(1024);
  rom.set([0x55, 0xaa, 2]);
  assert.equal(vgaBiosProblem(rom), undefined);
  const large = new Uint8Array(64 * KiB + 512);
  large.set(rom);
  const wrongOnes = [rom.subarray(0, 512), rom.with(0, 0), rom.with(2, 0), large, new Uint8Array(0)];
  const said = new Set(wrongOnes.map((image) => vgaBiosProblem(image)));
  assert.deepEqual([...said], ["is no option ROM of at most 64 KiB"]);
});

test("an order has each kind of drive at most once, and no other words", () => {
  const refused = ["", "disk,disk", "network", "disk,", "disk cdrom", 7].map(
    (value) => bootOrderSetting.parse(value).ok,
  );
  assert.deepEqual(refused, [false, false, false, false, false, false]);
});
