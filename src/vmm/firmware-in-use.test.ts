import assert from "node:assert/strict";
import { test } from "node:test";
import { KiB, unwrap } from "../base/index.ts";
import { HeldDisk } from "../block/testing.ts";
import { SCRIPTED_PORTS, scriptedParts } from "./testing.ts";
import { VirtualMachine } from "./virtual-machine.ts";

const IMAGE = new Uint8Array(64 * KiB);
const BLOCK = 4 * KiB;
const WRITE = `write 0+${BLOCK}`;

/** A VM whose guest sets a variable in its first life, and resets or powers off. */
async function vmWithVariables(port: number) {
  const disk = new HeldDisk(2 * BLOCK);
  disk.disk.bytes[1] = 0x77;
  const found: (number | undefined)[] = [];
  const parts = scriptedParts(
    (cpu) => {
      const variables = parts.board().parts.firmware?.variables;
      found.push(variables?.contents[1]);
      variables?.write(0, Uint8Array.of(cpu.resets));
      if (cpu.resets === 1) cpu.bus.writePort(port, 1, 6);
      return "halt";
    },
    { kernel: undefined, firmware: "OVMF_CODE.fd", "firmware-vars": "VARS.fd" },
  );
  const vm = unwrap(
    await VirtualMachine.create({
      ...parts,
      readImages: () => Promise.resolve({ ok: true, value: undefined }),
      firmware: { image: IMAGE, vgaBios: undefined, variables: disk },
    }),
  );
  return { vm, disk, found, parts };
}

test("what firmware has changed is on the disk before the machine begins anew", async () => {
  const { vm, disk, found, parts } = await vmWithVariables(SCRIPTED_PORTS.reset);
  disk.hold();
  vm.start();
  await parts.scheduling.run(1);
  assert.deepEqual([found, parts.vcpu().resets], [[0x77], 1]);
  assert.equal(disk.log.at(-1), WRITE);
  disk.release();
  await parts.scheduling.run(1);
  assert.deepEqual([parts.vcpu().resets, disk.log.slice(0, 3)], [2, [`read 0+${2 * BLOCK}`, WRITE, "flush"]]);
  vm.stop();
  await vm.ended;
  assert.deepEqual(disk.log.slice(-3), [WRITE, "flush", "close"]);
  assert.equal(disk.disk.bytes[0], 2);
});

test("a VM whose variables could not be written ends with the host's error", async () => {
  const { vm, disk } = await vmWithVariables(SCRIPTED_PORTS.powerOff);
  disk.failure = "disk-full";
  vm.start();
  const outcome = await vm.ended;
  assert.equal(outcome.kind, "host-error");
  assert.equal(disk.log.at(-1), "close");
});

test("variables that cannot be read keep the VM from being created", async () => {
  const parts = scriptedParts(() => "halt", { kernel: undefined, firmware: "f", "firmware-vars": "v" });
  const disk = new HeldDisk(BLOCK);
  disk.failure = "disk-io";
  const firmware = { image: IMAGE, vgaBios: undefined, variables: disk };
  const vm = await VirtualMachine.create({ ...parts, firmware });
  assert.equal(vm.ok, false);
});
