import assert from "node:assert/strict";
import { test } from "node:test";
import { buildLinuxInitramfs } from "./linux-initramfs.ts";

const BUSYBOX = new TextEncoder().encode("\x7fELF busybox");

test("init says the mark before it starts the shell, and powers off after it", () => {
  const text = new TextDecoder("latin1").decode(buildLinuxInitramfs(BUSYBOX, "typevisor: test is up"));

  const script = text.slice(text.indexOf("#!/bin/busybox sh"));
  const steps = [
    "mount -t devtmpfs",
    "--install -s /bin",
    "echo 'typevisor: test is up'",
    "cttyhack sh",
    "poweroff -f",
  ];
  const positions = steps.map((step) => script.indexOf(step));
  assert(
    positions.every((position) => position > 0),
    `a step is missing: ${positions.join()}`,
  );
  assert.deepEqual(
    positions,
    positions.toSorted((a, b) => a - b),
  );
});

test("the archive holds no links, so none can lead busybox to itself", () => {
  const text = new TextDecoder("latin1").decode(buildLinuxInitramfs(BUSYBOX, "mark"));

  const symlinks = text.match(/070701[0-9A-F]{8}0000A1FF/g) ?? [];
  assert.deepEqual(symlinks, []);
  assert.equal(text.split("bin/busybox\0").length - 1, 1);
});

test("the same busybox and mark give the same bytes", () => {
  assert.deepEqual(buildLinuxInitramfs(BUSYBOX, "mark"), buildLinuxInitramfs(BUSYBOX, "mark"));
});

test("a mark that would end the script's quotes is refused", () => {
  assert.throws(() => buildLinuxInitramfs(BUSYBOX, "it's up"), /cannot stand in a shell script/);
});
