import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { KiB, NS_PER_MS, NS_PER_US, unwrap } from "../base/index.ts";
import { HeldDisk } from "../block/testing.ts";
import type { Drive } from "../machine/index.ts";
import { VirtualMachine } from "./index.ts";
import { SCRIPTED_PORTS, scriptedParts } from "./testing.ts";
import type { GuestProgram, ScriptedParts } from "./testing.ts";

let disk: HeldDisk;
let drive: Drive;

beforeEach(() => {
  disk = new HeldDisk(64 * KiB);
  drive = { bus: "nvme", medium: "disk", device: disk, serialNumber: "D1" };
});

/** A VM whose program asks the board's first drive for things. */
async function machineOf(program: (parts: ScriptedParts) => GuestProgram) {
  const parts: ScriptedParts = scriptedParts((cpu, max) => program(parts)(cpu, max));
  const vm = unwrap(await VirtualMachine.create({ ...parts, drives: [drive] }));
  vm.start();
  return { parts, vm };
}

const drivesOf = (parts: ScriptedParts): readonly Drive[] => parts.board().parts.drives;

function once(action: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) action();
    isDone = true;
  };
}

test("a request ends the slice that made it, and slices are short until the host has answered", async () => {
  const sawRequest: boolean[] = [];
  const { parts, vm } = await machineOf((self) => (cpu, maxInstructions) => {
    cpu.retire(maxInstructions);
    self.scheduling.advance(maxInstructions);
    if (cpu.budgets.length === 200) {
      disk.hold();
      void drivesOf(self)[0]?.device.flush();
      sawRequest.push(cpu.isExitRequested);
    }
    return "slice";
  });
  for (let turn = 0; turn < 100; turn++) await parts.scheduling.run(0);
  const { budgets } = parts.vcpu();
  assert.deepEqual(sawRequest, [true]);
  assert.ok(budgets.length > 210);
  const [before = 0, after = 0] = [budgets[190], budgets[205]];
  assert.ok(before > 900 * NS_PER_US, `a slice before: ${before}`);
  assert.ok(after > 150 * NS_PER_US && after < 250 * NS_PER_US, `a slice while the host is busy: ${after}`);
  disk.release();
  for (let turn = 0; turn < 50; turn++) await parts.scheduling.run(0);
  assert.ok((budgets.at(-1) ?? 0) > 900 * NS_PER_US);
  vm.stop();
});

test("a reset waits for what the guest has asked for before", async () => {
  const ask = once(() => {
    disk.hold();
    void drivesOf(made.parts)[0]?.device.write(0, new Uint8Array(512));
  });
  const made = await machineOf(() => () => {
    ask();
    return "halt";
  });
  await made.parts.scheduling.run(NS_PER_MS);
  const reset = made.vm.reset();
  await made.parts.scheduling.run(NS_PER_MS);
  assert.equal(made.parts.board().resets, 1);
  disk.release();
  await reset;
  assert.equal(made.parts.board().resets, 2);
  made.vm.stop();
});

test("a VM has ended when its last writes are on stable storage and its drives are closed", async () => {
  const { vm } = await machineOf((self) => (cpu) => {
    void drivesOf(self)[0]?.device.write(512, new Uint8Array(512));
    cpu.bus.writePort(SCRIPTED_PORTS.powerOff, 1, 0);
    return "halt";
  });
  assert.deepEqual(await vm.ended, { kind: "powered-off" });
  assert.deepEqual(disk.log, ["write 512+512", "flush", "close"]);
});

test("writes that do not come through at the end are the host's error, and the drive is closed all the same", async () => {
  const { vm } = await machineOf(() => () => "halt");
  disk.failure = "disk-full";
  vm.stop();
  const outcome = await vm.ended;
  assert.equal(outcome.kind, "host-error");
  assert.deepEqual(disk.log, ["flush", "close"]);
});

test("a halted guest's wait for its timer does not keep the event loop from hearing of its disk", async () => {
  const ask = once(() => {
    disk.hold();
    void drivesOf(made.parts)[0]?.device.flush();
  });
  const made = await machineOf(() => () => "halt");
  const { timers } = made.parts.board().parts;
  timers.schedule(10 * NS_PER_MS, ask);
  timers.schedule(20 * NS_PER_MS, () => undefined);
  await made.parts.scheduling.run(5 * NS_PER_MS);
  assert.deepEqual([...made.parts.scheduling.precisions], ["exact"]);
  await made.parts.scheduling.run(10 * NS_PER_MS);
  assert.deepEqual([...made.parts.scheduling.precisions], ["exact", "listening"]);
  made.vm.stop();
});
