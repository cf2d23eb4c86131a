import assert from "node:assert/strict";
import { test } from "node:test";

import { err, NS_PER_MS, NS_PER_S, ok, unwrap } from "../base/index.ts";
import type { CpuState } from "../hw/index.ts";
import {
  SERIAL_INPUT_MAX_BYTES,
  SERIAL_OUTPUT_SLACK_BYTES,
  SERIAL_OUTPUT_WINDOW_BYTES,
  VirtualMachine,
  WrongStateFault,
} from "./index.ts";
import { POWER_ON, SCRIPTED_PORTS, scriptedParts } from "./testing.ts";
import type { GuestProgram, ScriptedParts } from "./testing.ts";

const halting: GuestProgram = () => "halt";

/** Retires what it may in a tenth of the time an instruction is estimated to take at first. */
function spinning(parts: () => ScriptedParts): GuestProgram {
  return (cpu, maxInstructions) => {
    cpu.retire(maxInstructions);
    parts().scheduling.advance(maxInstructions);
    return "slice";
  };
}

async function machineOf(parts: ScriptedParts): Promise<VirtualMachine> {
  return unwrap(await VirtualMachine.create(parts));
}

const text = (chunks: readonly Uint8Array[]): string => Buffer.concat(chunks).toString();

test("a created VM has its kernel in memory and has run nothing", async () => {
  const parts = scriptedParts(halting);
  const vm = await machineOf(parts);
  assert.equal(vm.state, "ready");
  assert.equal(parts.vcpu().budgets.length, 0);
  assert.equal(parts.vcpu().getState().rip, 0x100000n);
  assert.equal(parts.board().parts.ram.readU32(0x100000), 0x1badb002);
});

test("a file that is no kernel refuses the VM before it exists", async () => {
  const parts = scriptedParts(halting);
  const created = await VirtualMachine.create({
    ...parts,
    readImages: () =>
      Promise.resolve(
        ok({
          kernel: { name: "x", bytes: new Uint8Array(9) },
          protocol: "auto",
          modules: [],
          commandLine: "",
        }),
      ),
  });
  assert.ok(!created.ok);
  assert.match(created.error.message, /x is not a kernel/);
});

test("power-off, debug exit and triple fault end the VM, each in its own way", async () => {
  const asking =
    (port: number, value: number): GuestProgram =>
    (cpu) => {
      cpu.bus.writePort(port, 1, value);
      return "halt";
    };
  const endings = [];
  for (const program of [
    asking(SCRIPTED_PORTS.powerOff, 0),
    asking(SCRIPTED_PORTS.debugExit, 0x21),
    (() => "shutdown") satisfies GuestProgram,
  ]) {
    const vm = await machineOf(scriptedParts(program, { device: ["isa-debug-exit"] }));
    vm.start();
    const outcome = await vm.ended;
    assert.equal(vm.state, "ended");
    endings.push(outcome);
  }
  assert.deepEqual(endings.slice(0, 2), [{ kind: "powered-off" }, { kind: "debug-exit", value: 0x21 }]);
  const [, , crash] = endings;
  assert.ok(crash?.kind === "crashed");
  assert.equal(crash.dump.lastExit, "shutdown");
  assert.equal(crash.dump.code[0], 0x02, "the code at the entry point is in the dump");
});

test("an exception of ours ends the VM with a report, and does not travel on", async () => {
  const vm = await machineOf(
    scriptedParts(() => {
      throw new Error("a bug of ours");
    }),
  );
  vm.start();
  const outcome = await vm.ended;
  assert.ok(outcome.kind === "failed");
  assert.match(outcome.report.reason, /a bug of ours/);
  assert.equal(outcome.report.dump?.cpu.rip, 0x100000n);
});

test("the timeout ends a guest that never does", async () => {
  const parts: ScriptedParts = scriptedParts(
    spinning(() => parts),
    { timeout: 2 },
  );
  const vm = await machineOf(parts);
  vm.start();
  await parts.scheduling.run(3 * NS_PER_S);
  assert.deepEqual(await vm.ended, { kind: "timeout", seconds: 2 });
});

test("a pause stops guest time and guest code; resuming goes on where they stood", async () => {
  const parts = scriptedParts((cpu) => {
    cpu.bus.writePort(SCRIPTED_PORTS.serial, 1, 0x2e);
    const board = parts.board();
    board.parts.timers.schedule(board.parts.clock.nowNs() + NS_PER_MS, () =>
      board.parts.pins.interrupt.set(true),
    );
    return "halt";
  });
  const vm = await machineOf(parts);
  vm.start();
  await parts.scheduling.run(10 * NS_PER_MS);
  const { guestTimeNs } = vm.statistics;
  vm.pause();
  const before = text(parts.outputs);
  await parts.scheduling.run(60 * NS_PER_S);
  assert.equal(vm.state, "paused");
  assert.equal(vm.statistics.guestTimeNs, guestTimeNs);
  assert.equal(text(parts.outputs), before);
  assert.ok(before.length >= 10);
  vm.resume();
  await parts.scheduling.run(10 * NS_PER_MS);
  assert.equal(vm.statistics.guestTimeNs, guestTimeNs + 10 * NS_PER_MS);
  assert.ok(text(parts.outputs).length >= before.length + 10);
  vm.stop();
});

test("a halted guest waits without running until its next timer", async () => {
  const parts = scriptedParts(halting);
  const vm = await machineOf(parts);
  parts.board().parts.timers.schedule(NS_PER_S, () => parts.board().parts.pins.interrupt.set(true));
  vm.start();
  await parts.scheduling.run(NS_PER_S - NS_PER_MS);
  assert.equal(parts.vcpu().budgets.length, 1);
  await parts.scheduling.run(2 * NS_PER_MS);
  assert.equal(parts.vcpu().budgets.length, 2);
  assert.equal(vm.statistics.guestTimeNs, NS_PER_S + NS_PER_MS);
  vm.stop();
});

test("a guest that has worked and waits for long leaves time to tidy up, once each time", async () => {
  const parts = scriptedParts(() => {
    parts.scheduling.advance(300 * NS_PER_MS);
    return "halt";
  });
  const vm = await machineOf(parts);
  const wakeIn = (delayNs: number): void => {
    const { timers, clock, pins } = parts.board().parts;
    timers.schedule(clock.nowNs() + delayNs, () => pins.interrupt.set(true));
  };
  // Each slice takes 300 ms: the second makes more than half a second of work, and waits for long.
  wakeIn(NS_PER_S);
  vm.start();
  await parts.scheduling.run(0);
  assert.equal(parts.tidyUps(), 0);
  await parts.scheduling.run(NS_PER_S);
  assert.equal(parts.tidyUps(), 1);
  await parts.scheduling.run(NS_PER_S);
  assert.equal(parts.tidyUps(), 1);
  // A slice for the timer that is set, and one for its interrupt.
  wakeIn(NS_PER_S);
  await parts.scheduling.run(NS_PER_S);
  assert.equal(parts.tidyUps(), 2);
  vm.stop();
});

test("what was found out about the guest's code is told once, when it waits for long after much work", async () => {
  const parts = scriptedParts(() => {
    parts.scheduling.advance(NS_PER_S);
    const { timers, clock, pins } = parts.board().parts;
    timers.schedule(clock.nowNs() + NS_PER_S, () => pins.interrupt.set(true));
    return "halt";
  });
  const vm = await machineOf(parts);
  parts.vcpu().found = "unfit";
  vm.start();
  for (let i = 0; i < 5; i++) await parts.scheduling.run(NS_PER_S);
  assert.ok(parts.tidyUps() > 1);
  assert.deepEqual(parts.findings, ["unfit"]);
  vm.stop();
});

test("a guest that ends by itself tells what was found out about its code, one that is stopped does not", async () => {
  const found = { hot: Uint32Array.of(1), lukewarm: Uint32Array.of() };
  const ends = scriptedParts((cpu) => {
    cpu.bus.writePort(SCRIPTED_PORTS.powerOff, 1, 0);
    return "halt";
  });
  const stopped = scriptedParts(() => "halt");
  const both = [await machineOf(ends), await machineOf(stopped)];
  for (const parts of [ends, stopped]) parts.vcpu().found = found;
  for (const vm of both) vm.start();
  for (const parts of [ends, stopped]) await parts.scheduling.run(0);
  for (const vm of both) vm.stop();
  assert.deepEqual(ends.findings, [found]);
  assert.deepEqual(stopped.findings, []);
});

test("a short wait leaves no time to tidy up", async () => {
  const parts = scriptedParts(() => {
    parts.scheduling.advance(NS_PER_S);
    const { timers, clock, pins } = parts.board().parts;
    timers.schedule(clock.nowNs() + 50 * NS_PER_MS, () => pins.interrupt.set(true));
    return "halt";
  });
  const vm = await machineOf(parts);
  vm.start();
  for (let i = 0; i < 5; i++) await parts.scheduling.run(NS_PER_S);
  assert.ok(parts.vcpu().budgets.length > 2);
  assert.equal(parts.tidyUps(), 0);
  vm.stop();
});

/** Computes for 160 ms and halts, again and again; in the last slice before that it may lose its core to others. */
function computing(lostNs: number): { parts: ScriptedParts; slices: () => number } {
  let slices = 0;
  const parts = scriptedParts((cpu) => {
    cpu.retire(100_000);
    const isLast = ++slices % 4 === 0;
    parts.scheduling.advance(40 * NS_PER_MS + (isLast ? lostNs : 0));
    return isLast ? "halt" : "slice";
  });
  return { parts, slices: () => slices };
}

test("a guest that computes while others want its core is given long time slices of the host's, until it waits", async () => {
  const { parts, slices } = computing(200 * NS_PER_MS);
  const vm = await machineOf(parts);
  const { timers, clock, pins } = parts.board().parts;
  const wakeIn = (delayNs: number): void => {
    timers.schedule(clock.nowNs() + delayNs, () => pins.interrupt.set(true));
  };
  wakeIn(NS_PER_S);
  vm.start();
  await parts.scheduling.run(0);
  await parts.scheduling.run(NS_PER_S);
  assert.equal(slices(), 8);
  assert.deepEqual(parts.timeSlices, ["long", "usual"]);
  wakeIn(NS_PER_S);
  await parts.scheduling.run(NS_PER_S);
  assert.deepEqual(parts.timeSlices.slice(2, 4), ["long", "usual"]);
  vm.stop();
});

test("in its first second a guest keeps the host's usual time slices, whoever wants its core", async () => {
  const { parts, slices } = computing(200 * NS_PER_MS);
  const vm = await machineOf(parts);
  vm.start();
  await parts.scheduling.run(0);
  assert.equal(slices(), 4);
  assert.deepEqual(parts.timeSlices, []);
  vm.stop();
});

test("a guest that computes on a core of its own keeps the host's usual time slices", async () => {
  const { parts, slices } = computing(0);
  const vm = await machineOf(parts);
  vm.start();
  await parts.scheduling.run(0);
  assert.equal(slices(), 4);
  assert.deepEqual(parts.timeSlices, []);
  vm.stop();
});

test("a guest that never runs for long without waiting keeps the host's usual time slices", async () => {
  const parts = scriptedParts(() => {
    parts.scheduling.advance(90 * NS_PER_MS);
    const { timers, clock, pins } = parts.board().parts;
    timers.schedule(clock.nowNs() + NS_PER_MS, () => pins.interrupt.set(true));
    return "halt";
  });
  const vm = await machineOf(parts);
  vm.start();
  for (let i = 0; i < 5; i++) await parts.scheduling.run(NS_PER_S);
  assert.ok(parts.vcpu().budgets.length > 5);
  assert.deepEqual(parts.timeSlices, []);
  vm.stop();
});

test("whoever starts or resumes a VM is answered before its guest's code runs", async () => {
  const parts = scriptedParts(halting);
  const vm = await machineOf(parts);
  const slices = (): number => parts.vcpu().budgets.length;
  // The promises through which the answer to a command goes; a guest that never gave the thread back would stop them.
  const answer = async (): Promise<void> => {
    for (let i = 0; i < 10; i++) await Promise.resolve();
  };
  vm.start();
  await answer();
  assert.equal(slices(), 0);
  await parts.scheduling.run(0);
  assert.equal(slices(), 1);
  vm.pause();
  await parts.scheduling.run(0);
  vm.resume();
  await answer();
  assert.equal(slices(), 1);
  await parts.scheduling.run(0);
  assert.equal(slices(), 2);
  vm.stop();
});

test("a timer that is set while the guest waits for a later one is met", async () => {
  const parts = scriptedParts(halting);
  const vm = await machineOf(parts);
  const { timers, clock } = parts.board().parts;
  const ranAtNs: number[] = [];
  timers.schedule(NS_PER_S, () => undefined);
  vm.start();
  await parts.scheduling.run(10 * NS_PER_MS);
  // As a serial port does that gets input from the host.
  timers.schedule(20 * NS_PER_MS, () => ranAtNs.push(clock.nowNs()));
  await parts.scheduling.run(50 * NS_PER_MS);
  assert.deepEqual(ranAtNs, [20 * NS_PER_MS]);
  vm.stop();
});

test("slices grow until they take about a millisecond, and the event loop gets its turn", async () => {
  const parts: ScriptedParts = scriptedParts(
    spinning(() => parts),
    { timeout: 1 },
  );
  const vm = await machineOf(parts);
  vm.start();
  for (let i = 0; i < 200; i++) await parts.scheduling.run(0);
  const last = parts.vcpu().budgets.at(-1) ?? 0;
  assert.ok(last > 900_000 && last < 1_100_000, `one nanosecond each: ${last} instructions`);
  assert.ok(parts.scheduling.yields > 20);
  assert.ok(
    parts.scheduling.yields < parts.vcpu().budgets.length / 3,
    "a turn costs more than a slice's end",
  );
  vm.stop();
});

test("a slice during which the host ran others says nothing about the guest, two in a row that it is slow", async () => {
  const [alone, slow, slower] = [100, 110, 111];
  const tenTimes = new Set([alone, slow, slower]);
  const parts: ScriptedParts = scriptedParts((cpu, maxInstructions) => {
    cpu.retire(maxInstructions);
    parts.scheduling.advance(maxInstructions * (tenTimes.has(parts.vcpu().budgets.length) ? 10 : 1));
    return "slice";
  });
  const vm = await machineOf(parts);
  vm.start();
  for (let i = 0; i < 200; i++) await parts.scheduling.run(0);
  vm.stop();
  const { budgets } = parts.vcpu();
  const after = (slice: number): number => Math.round((budgets[slice] ?? NaN) / 100_000);
  assert.deepEqual([after(alone), after(slow), after(slower)], [10, 10, 1]);
});

/**
 * A guest of one nanosecond an instruction with a timer each 4 ms by the clock, which after each 3 ms of work loses its core for
 * `lostNs`; told after half a second of work, per millisecond of it.
 */
async function shared(lostNs: number): Promise<{ ticks: number; yields: number; latestNs: number }> {
  const [turnNs, periodNs, workNs] = [3 * NS_PER_MS, 4 * NS_PER_MS, 500 * NS_PER_MS];
  let [workedNs, ticks, latestNs] = [0, 0, 0];
  const parts: ScriptedParts = scriptedParts((cpu, maxInstructions) => {
    cpu.retire(maxInstructions);
    const switches = Math.floor((workedNs + maxInstructions) / turnNs) - Math.floor(workedNs / turnNs);
    workedNs += maxInstructions;
    parts.scheduling.advance(maxInstructions + switches * lostNs);
    return "slice";
  });
  const vm = await machineOf(parts);
  const { timers, clock } = parts.board().parts;
  const arm = (): void => {
    const deadlineNs = (Math.floor(clock.nowNs() / periodNs) + 1) * periodNs;
    timers.schedule(deadlineNs, () => {
      ticks++;
      latestNs = Math.max(latestNs, clock.nowNs() - deadlineNs);
      arm();
    });
  };
  arm();
  vm.start();
  while (workedNs < workNs) await parts.scheduling.run(0);
  vm.stop();
  const perMs = NS_PER_MS / workedNs;
  return { ticks: ticks * perMs, yields: parts.scheduling.yields * perMs, latestNs };
}

test("a guest that others keep from its core takes timers and turns hardly more often than alone, for the work it does", async () => {
  const alone = await shared(0);
  assert.ok(Math.abs(alone.ticks - 0.25) < 0.01, `${alone.ticks} ticks`);
  assert.ok(alone.latestNs < 0.1 * NS_PER_MS, `${alone.latestNs} ns late`);
  for (const lostNs of [9 * NS_PER_MS, 21 * NS_PER_MS]) {
    const { ticks, yields, latestNs } = await shared(lostNs);
    // One at the start of each turn of 3 ms, and no second one in most.
    assert.ok(ticks > 1 / 3 - 0.02 && ticks < 0.5, `${ticks} ticks`);
    assert.ok(yields < 1.1 * alone.yields, `${yields} yields, alone ${alone.yields}`);
    assert.ok(latestNs < lostNs * 1.2, `${latestNs} ns late`);
  }
});

test("a timer set during a slice for before its end ends the slice", async () => {
  let sawRequest = false;
  const parts = scriptedParts((cpu) => {
    const board = parts.board();
    board.parts.timers.schedule(board.parts.clock.nowNs() + 100, () => undefined);
    sawRequest = cpu.isExitRequested;
    return "slice";
  });
  const vm = await machineOf(parts);
  vm.start();
  await parts.scheduling.run(0);
  assert.equal(sawRequest, true);
  vm.stop();
});

test("serial input wakes a halted guest, and waits while the port is full", async () => {
  const seen: number[] = [];
  const parts = scriptedParts((cpu) => {
    if (cpu.interruptLine) seen.push(cpu.bus.readPort(SCRIPTED_PORTS.serial, 1));
    return cpu.interruptLine ? "slice" : "halt";
  });
  const vm = await machineOf(parts);
  vm.start();
  await parts.scheduling.run(0);
  assert.equal(vm.writeSerial(new TextEncoder().encode("twenty bytes of input")), true);
  assert.equal(parts.inputTaken(), 16);
  for (let i = 0; i < 30; i++) await parts.scheduling.run(NS_PER_MS);
  assert.equal(String.fromCharCode(...seen), "twenty bytes of input");
  assert.equal(parts.inputTaken(), 21);
  vm.stop();
});

test("a button of the case wakes a halted guest, and none does anything to one that has ended", async () => {
  let wakeUps = 0;
  const parts = scriptedParts((cpu) => {
    if (cpu.interruptLine) wakeUps++;
    parts.board().parts.pins.interrupt.set(false);
    return "halt";
  });
  const vm = await machineOf(parts);
  vm.start();
  await parts.scheduling.run(0);
  vm.pressButton("power");
  await parts.scheduling.run(NS_PER_MS);
  vm.stop();
  vm.pressButton("sleep");
  assert.deepEqual([parts.board().buttons, wakeUps], [["power"], 1]);
});

test("input beyond its limit is refused whole", async () => {
  const vm = await machineOf(scriptedParts(halting));
  assert.equal(vm.writeSerial(new Uint8Array(SERIAL_INPUT_MAX_BYTES - 8)), true);
  assert.equal(vm.writeSerial(new Uint8Array(32)), false);
});

test("a consumer that does not confirm output holds the guest's transmitter", async () => {
  const parts = scriptedParts((cpu) => {
    while (!parts.board().wasRefused) cpu.bus.writePort(SCRIPTED_PORTS.serial, 1, 0x78);
    return "halt";
  });
  const vm = await machineOf(parts);
  vm.start();
  await parts.scheduling.run(0);
  assert.equal(text(parts.outputs).length, SERIAL_OUTPUT_WINDOW_BYTES - SERIAL_OUTPUT_SLACK_BYTES);
  assert.equal(parts.board().readyCalls, 0);
  vm.confirmSerial(SERIAL_OUTPUT_WINDOW_BYTES / 2);
  assert.equal(parts.board().readyCalls, 1);
  vm.stop();
});

test("a reset loads the kernel again and keeps a paused VM paused", async () => {
  const parts = scriptedParts(halting);
  const vm = await machineOf(parts);
  vm.start();
  await parts.scheduling.run(0);
  vm.pause();
  parts.board().parts.ram.writeU32(0x100000, 0);
  await vm.reset();
  assert.equal(vm.state, "paused");
  assert.equal(parts.board().parts.ram.readU32(0x100000), 0x1badb002);
  assert.equal(parts.board().resets, 2);
  assert.equal(vm.statistics.resets, 1);
  vm.resume();
  const slices = parts.vcpu().budgets.length;
  await parts.scheduling.run(0);
  assert.ok(parts.vcpu().budgets.length > slices);
  vm.stop();
});

test("a guest resets itself and runs on", async () => {
  const parts = scriptedParts((cpu) => {
    if (cpu.resets < 3) cpu.bus.writePort(SCRIPTED_PORTS.reset, 1, 6);
    return "halt";
  });
  const vm = await machineOf(parts);
  vm.start();
  await parts.scheduling.run(NS_PER_MS);
  assert.equal(vm.statistics.resets, 2);
  assert.equal(vm.state, "running");
  vm.stop();
});

const START: CpuState = { ...POWER_ON, rip: 0x8000n };

test("a reset of the processor alone leaves the board as it is where firmware goes on, and begins anew otherwise", async () => {
  for (const [resumption, resets, inits] of [
    [START, 0, 1],
    [undefined, 1, 0],
  ] as const) {
    let isDone = false;
    const parts = scriptedParts((cpu) => {
      if (!isDone) cpu.bus.writePort(SCRIPTED_PORTS.processorReset, 1, 0xfe);
      isDone = true;
      return "halt";
    });
    const vm = await machineOf(parts);
    parts.board().resumption = resumption;
    const before = parts.board().resets;
    vm.start();
    await parts.scheduling.run(NS_PER_MS);
    assert.equal(vm.state, "running");
    assert.deepEqual(
      [vm.statistics.resets, parts.board().resets - before, parts.vcpu().inits],
      [resets, resets, inits],
    );
    assert.equal(parts.vcpu().getState().rip === START.rip, resumption !== undefined);
    vm.stop();
  }
});

test("a triple fault ends nothing where the guest has said where its firmware goes on", async () => {
  const parts = scriptedParts((cpu) => (cpu.inits === 0 ? "shutdown" : "halt"));
  const vm = await machineOf(parts);
  parts.board().resumption = START;
  vm.start();
  await parts.scheduling.run(NS_PER_MS);
  assert.deepEqual([vm.state, vm.statistics.resets, parts.vcpu().inits], ["running", 0, 1]);
  vm.stop();
});

test("a kernel that cannot be read again ends the VM as the host's error", async () => {
  let reads = 0;
  const parts = scriptedParts(halting);
  const vm = await machineOf({
    ...parts,
    readImages: () => (++reads === 1 ? parts.readImages() : Promise.resolve(err("no-file", "It is gone."))),
  });
  vm.start();
  await vm.reset();
  assert.deepEqual(await vm.ended, {
    kind: "host-error",
    error: { code: "no-file", message: "It is gone." },
  });
});

test("commands that the state does not know are refused with the state's name; stopping twice is allowed", async () => {
  const vm = await machineOf(scriptedParts(halting));
  assert.throws(() => vm.pause(), WrongStateFault);
  assert.throws(() => vm.resume(), /has not been started: it cannot be told to resume/);
  await assert.rejects(vm.reset(), WrongStateFault);
  vm.start();
  assert.throws(() => vm.start(), /is running/);
  vm.stop();
  vm.stop();
  assert.throws(() => vm.pause(), /has ended/);
  assert.deepEqual(await vm.ended, { kind: "stopped" });
});
