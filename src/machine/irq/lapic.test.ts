import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { ManualClock, TimerQueue } from "../../base/index.ts";
import { IoApic } from "./ioapic.ts";
import { LocalApic } from "./lapic.ts";
import type { LocalApicCpu } from "./lapic.ts";
import { ApicBus } from "./lapic-bus.ts";

/** What a vCPU sees of its interrupt controller. */
class ProbeCpu implements LocalApicCpu {
  line = false;
  nmis = 0;
  cr8 = 0;
  inits = 0;
  startUps: number[] = [];
  setInterruptLine(level: boolean): void {
    this.line = level;
  }
  raiseNmi(): void {
    this.nmis++;
  }
  setTaskPriority(priorityClass: number): void {
    this.cr8 = priorityClass;
  }
  initialize(): void {
    this.inits++;
  }
  startUp(vector: number): void {
    this.startUps.push(vector);
  }
}

const R = {
  id: 0x20,
  version: 0x30,
  tpr: 0x80,
  ppr: 0xa0,
  eoi: 0xb0,
  ldr: 0xd0,
  dfr: 0xe0,
  svr: 0xf0,
  isr: 0x100,
  tmr: 0x180,
  irr: 0x200,
  esr: 0x280,
  icrLow: 0x300,
  icrHigh: 0x310,
  timer: 0x320,
  lint0: 0x350,
  lint1: 0x360,
  error: 0x370,
  initialCount: 0x380,
  currentCount: 0x390,
  divide: 0x3e0,
} as const;
const PIC_VECTOR = 0x08;

let clock: ManualClock;
let timers: TimerQueue;
let bus: ApicBus;
let cpus: ProbeCpu[];
let apics: LocalApic[];
let cpu: ProbeCpu;
let apic: LocalApic;
let ioApic: IoApic;

beforeEach(() => {
  clock = new ManualClock(1000);
  timers = new TimerQueue();
  bus = new ApicBus();
  cpus = [new ProbeCpu(), new ProbeCpu()];
  apics = cpus.map(
    (each, apicId) =>
      new LocalApic({ apicId, clock, timers, bus, cpu: each, acknowledgeExternal: () => PIC_VECTOR }),
  );
  ioApic = new IoApic(bus, 2);
  const [firstCpu] = cpus;
  const [firstApic] = apics;
  assert.ok(firstCpu && firstApic);
  cpu = firstCpu;
  apic = firstApic;
  for (const each of apics) each.writeMmio(R.svr, 4, 0x1ff);
});

function advanceTo(ns: number): void {
  for (;;) {
    const next = timers.nextDeadlineNs();
    if (next === undefined || next > ns) break;
    clock.advanceTo(next);
    timers.runDue(next);
  }
  clock.advanceTo(ns);
}

function selfIpi(vector: number): void {
  apic.writeMmio(R.icrLow, 4, 0x40000 | vector);
}

test("CR8 and the task-priority register are one, and both decide what is delivered", () => {
  apic.writeMmio(R.svr, 4, 0x1ff);
  apic.writeMmio(R.tpr, 4, 0x5a);
  assert.deepEqual([apic.taskPriorityClass, cpu.cr8], [5, 5]);
  apic.receive({ destination: 0, isLogical: false, deliveryMode: 0, vector: 0x5f, isLevel: false });
  assert.equal(cpu.line, false);
  apic.taskPriorityClass = 4;
  assert.equal(apic.readMmio(R.tpr, 4), 0x40);
  assert.equal(cpu.line, true);
  apic.writeMmio(R.tpr, 4, 0x50);
  assert.deepEqual([cpu.cr8, cpu.line], [5, false]);
  apic.reset();
  assert.equal(cpu.cr8, 0);
});

test("the highest vector is taken first, and lower ones wait for its end", () => {
  selfIpi(0x31);
  selfIpi(0x55);
  assert.equal(apic.acknowledgeInterrupt(), 0x55);
  assert.equal(cpu.line, false);
  assert.equal(apic.readMmio(R.ppr, 4), 0x50);
  assert.equal(apic.readMmio(R.isr + 0x20, 4), 1 << 0x15);
  selfIpi(0x61);
  assert.equal(cpu.line, true);
  assert.equal(apic.acknowledgeInterrupt(), 0x61);
  apic.writeMmio(R.eoi, 4, 0);
  assert.equal(apic.readMmio(R.ppr, 4), 0x50);
  assert.equal(cpu.line, false);
  apic.writeMmio(R.eoi, 4, 0);
  assert.equal(cpu.line, true);
  assert.equal(apic.acknowledgeInterrupt(), 0x31);
});

test("the task priority holds back its class and the ones below, through either door", () => {
  apic.writeMmio(R.tpr, 4, 0x50);
  selfIpi(0x5f);
  assert.equal(cpu.line, false);
  apic.taskPriorityClass = 4;
  assert.equal(cpu.line, true);
  assert.equal(apic.readMmio(R.tpr, 4), 0x40);
});

test("a request that is masked before it is taken gives the spurious vector without going in service", () => {
  selfIpi(0x31);
  apic.writeMmio(R.tpr, 4, 0xff);
  assert.equal(apic.acknowledgeInterrupt(), 0xff);
  assert.equal(apic.readMmio(R.isr + 0x10, 4), 0);
  assert.equal(apic.readMmio(R.irr + 0x10, 4), 1 << 0x11);
});

test("while disabled by software no fixed interrupt is taken and every local entry is masked", () => {
  apic.writeMmio(R.lint0, 4, 0x700);
  apic.writeMmio(R.svr, 4, 0xff);
  assert.equal(apic.readMmio(R.lint0, 4), 0x10700);
  apic.writeMmio(R.lint0, 4, 0x700);
  assert.equal(apic.readMmio(R.lint0, 4), 0x10700);
  selfIpi(0x31);
  assert.equal(cpu.line, false);
});

test("the version register announces an integrated APIC with six local entries", () => {
  assert.equal(apic.readMmio(R.version, 4), 0x00050014);
  apic.writeMmio(R.version, 4, 0);
  assert.equal(apic.readMmio(R.version, 4), 0x00050014);
});

test("in virtual wire mode the 8259s reach the processor and give the vector", () => {
  apic.reset();
  apic.lint0.set(true);
  assert.equal(cpu.line, false);
  apic.enterVirtualWireMode();
  assert.equal(cpu.line, true);
  assert.equal(apic.acknowledgeInterrupt(), PIC_VECTOR);
  apic.lint0.set(false);
  assert.equal(cpu.line, false);
});

test("while the APIC is disabled by its MSR the 8259s are connected directly and its registers are gone", () => {
  assert.equal(apic.readMsr(0x1b), 0xfee00900n);
  apic.writeMmio(R.tpr, 4, 0xff);
  assert.equal(apic.writeMsr(0x1b, 0xfee00100n), true);
  apic.lint0.set(true);
  assert.equal(cpu.line, true);
  assert.equal(apic.acknowledgeInterrupt(), PIC_VECTOR);
  assert.equal(apic.readMmio(R.version, 4), 0xffffffff);
  apic.writeMsr(0x1b, 0xfee00900n);
  assert.deepEqual([cpu.line, apic.readMmio(R.tpr, 4)], [false, 0]);
});

test("another address, x2APIC mode and reserved bits are refused", () => {
  for (const value of [0xfed00900n, 0xfee00d00n, 0xfee00901n, 0x1_fee0_0900n]) {
    assert.equal(apic.writeMsr(0x1b, value), false, value.toString(16));
  }
  assert.equal(apic.writeMsr(0x1c, 0n), false);
});

test("LINT1 as NMI raises one for each rising edge", () => {
  apic.writeMmio(R.lint1, 4, 0x400);
  apic.lint1.set(true);
  apic.lint1.set(true);
  apic.lint1.set(false);
  apic.lint1.set(true);
  assert.equal(cpu.nmis, 2);
});

test("the one-shot timer counts the divided bus clock and interrupts once", () => {
  apic.writeMmio(R.divide, 4, 0x3);
  apic.writeMmio(R.timer, 4, 0x40);
  apic.writeMmio(R.initialCount, 4, 100);
  advanceTo(1000 + 16 * 40);
  assert.equal(apic.readMmio(R.currentCount, 4), 60);
  advanceTo(1000 + 16 * 100);
  assert.equal(apic.acknowledgeInterrupt(), 0x40);
  assert.equal(apic.readMmio(R.currentCount, 4), 0);
  assert.equal(timers.nextDeadlineNs(), undefined);
});

test("every divide configuration has its rate", () => {
  const rates = [0, 1, 2, 3, 8, 9, 10, 11].map((configuration) => {
    apic.writeMmio(R.divide, 4, configuration);
    apic.writeMmio(R.initialCount, 4, 1000);
    return ((timers.nextDeadlineNs() ?? 0) - clock.nowNs()) / 1000;
  });
  assert.deepEqual(rates, [2, 4, 8, 16, 32, 64, 128, 1]);
});

test("a change of the divisor keeps what is left of the count", () => {
  apic.writeMmio(R.divide, 4, 0xb);
  apic.writeMmio(R.initialCount, 4, 1000);
  advanceTo(1400);
  apic.writeMmio(R.divide, 4, 0x0);
  assert.equal(apic.readMmio(R.currentCount, 4), 600);
  assert.equal(timers.nextDeadlineNs(), 1400 + 1200);
});

test("the periodic timer interrupts again and again, and missed periods become one", () => {
  apic.writeMmio(R.divide, 4, 0xb);
  apic.writeMmio(R.timer, 4, 0x20040);
  apic.writeMmio(R.initialCount, 4, 500);
  for (let period = 0; period < 3; period++) {
    advanceTo(clock.nowNs() + 500);
    assert.equal(apic.acknowledgeInterrupt(), 0x40);
    apic.writeMmio(R.eoi, 4, 0);
  }
  clock.advance(1750);
  timers.runDue(clock.nowNs());
  assert.equal(apic.acknowledgeInterrupt(), 0x40);
  assert.equal(timers.runDue(clock.nowNs()), 0);
  assert.equal(apic.readMmio(R.currentCount, 4), 250);
});

test("a masked timer counts without interrupting", () => {
  apic.writeMmio(R.timer, 4, 0x10040);
  apic.writeMmio(R.initialCount, 4, 100);
  advanceTo(1300);
  assert.deepEqual([cpu.line, apic.readMmio(R.currentCount, 4)], [false, 0]);
});

test("the TSC-deadline timer fires at its deadline, at once when that has passed, and disarms", () => {
  apic.writeMmio(R.timer, 4, 0x40040);
  apic.writeMsr(0x6e0, 5000n);
  assert.equal(apic.readMsr(0x6e0), 5000n);
  advanceTo(4999);
  assert.equal(cpu.line, false);
  advanceTo(5000);
  assert.equal(apic.acknowledgeInterrupt(), 0x40);
  assert.equal(apic.readMsr(0x6e0), 0n);
  apic.writeMmio(R.eoi, 4, 0);
  apic.writeMsr(0x6e0, 1n);
  timers.runDue(clock.nowNs());
  assert.equal(apic.acknowledgeInterrupt(), 0x40);
});

test("a TSC deadline is nothing in the other modes, and writing zero disarms", () => {
  apic.writeMsr(0x6e0, 5000n);
  assert.equal(apic.readMsr(0x6e0), 0n);
  apic.writeMmio(R.timer, 4, 0x40040);
  apic.writeMsr(0x6e0, 5000n);
  apic.writeMsr(0x6e0, 0n);
  assert.equal(timers.nextDeadlineNs(), undefined);
  apic.writeMsr(0x6e0, 5000n);
  apic.writeMmio(R.timer, 4, 0x40);
  assert.equal(timers.nextDeadlineNs(), undefined);
});

test("interprocessor interrupts reach a physical destination, all, or all others", () => {
  apic.writeMmio(R.icrHigh, 4, 1 << 24);
  apic.writeMmio(R.icrLow, 4, 0x31);
  assert.deepEqual(
    cpus.map((each) => each.line),
    [false, true],
  );
  apics[1]?.acknowledgeInterrupt();
  apics[1]?.writeMmio(R.eoi, 4, 0);
  apic.writeMmio(R.icrLow, 4, 0xc0032);
  assert.deepEqual(
    cpus.map((each) => each.line),
    [false, true],
  );
  apic.writeMmio(R.icrLow, 4, 0x80033);
  assert.deepEqual(
    cpus.map((each) => each.line),
    [true, true],
  );
});

test("logical destinations match by mask in the flat and by cluster in the cluster model", () => {
  apics.forEach((each, index) => each.writeMmio(R.ldr, 4, (1 << index) << 24));
  apic.writeMmio(R.icrHigh, 4, 0x02000000);
  apic.writeMmio(R.icrLow, 4, 0x831);
  assert.deepEqual(
    cpus.map((each) => each.line),
    [false, true],
  );
  apics.forEach((each, index) => {
    each.writeMmio(R.dfr, 4, 0x0fffffff);
    each.writeMmio(R.ldr, 4, (((index + 1) << 4) | 1) << 24);
  });
  apic.writeMmio(R.icrHigh, 4, 0x11000000);
  apic.writeMmio(R.icrLow, 4, 0x832);
  assert.equal(cpus[0]?.line, true);
});

test("INIT and STARTUP reach the other processor, and INIT's de-assertion nobody", () => {
  apic.writeMmio(R.icrHigh, 4, 1 << 24);
  apic.writeMmio(R.icrLow, 4, 0xc500);
  apic.writeMmio(R.icrLow, 4, 0x8500);
  apic.writeMmio(R.icrLow, 4, 0x069a);
  assert.deepEqual([cpus[1]?.inits, cpus[1]?.startUps], [1, [0x9a]]);
});

test("lowest priority goes to the processor that does the least important work", () => {
  apic.writeMmio(R.tpr, 4, 0x20);
  apics[1]?.writeMmio(R.tpr, 4, 0x10);
  bus.deliver({ destination: 0xff, isLogical: false, deliveryMode: 1, vector: 0x41, isLevel: false });
  assert.deepEqual(
    cpus.map((each) => each.line),
    [false, true],
  );
});

test("illegal vectors and registers are recorded, shown after a write, and raise the error interrupt", () => {
  apic.writeMmio(R.error, 4, 0xfe);
  selfIpi(0x05);
  assert.equal(apic.acknowledgeInterrupt(), 0xfe);
  apic.writeMmio(R.eoi, 4, 0);
  bus.deliver({ destination: 0, isLogical: false, deliveryMode: 0, vector: 3, isLevel: false });
  assert.equal(apic.readMmio(0x400, 4), 0);
  assert.equal(apic.readMmio(R.esr, 4), 0);
  apic.writeMmio(R.esr, 4, 0);
  assert.equal(apic.readMmio(R.esr, 4), 0xe0);
  apic.writeMmio(R.esr, 4, 0);
  assert.equal(apic.readMmio(R.esr, 4), 0);
});

test("an MSI reaches the APIC that its address names", () => {
  assert.equal(bus.deliverMsi(0xfee01000, 0x4051), true);
  assert.deepEqual(
    cpus.map((each) => each.line),
    [false, true],
  );
  assert.equal(apics[1]?.acknowledgeInterrupt(), 0x51);
});

test("a restored local APIC interrupts as the saved one would have", () => {
  apic.writeMmio(R.divide, 4, 0xb);
  apic.writeMmio(R.timer, 4, 0x20040);
  apic.writeMmio(R.initialCount, 4, 500);
  selfIpi(0x31);
  advanceTo(1100);
  const state = apic.save();
  apic.reset();
  assert.deepEqual([cpu.line, timers.nextDeadlineNs()], [false, undefined]);
  apic.restore(state);
  assert.deepEqual([cpu.line, timers.nextDeadlineNs(), apic.readMmio(R.currentCount, 4)], [true, 1500, 400]);
});

// I/O APIC

function writeEntry(input: number, low: number, destination = 0): void {
  ioApic.writeMmio(0x00, 4, 0x11 + 2 * input);
  ioApic.writeMmio(0x10, 4, destination << 24);
  ioApic.writeMmio(0x00, 4, 0x10 + 2 * input);
  ioApic.writeMmio(0x10, 4, low);
}

function readEntry(input: number): number {
  ioApic.writeMmio(0x00, 4, 0x10 + 2 * input);
  return ioApic.readMmio(0x10, 4);
}

const LEVEL = 1 << 15;
const MASKED = 1 << 16;
const REMOTE_IRR = 1 << 14;

test("the I/O APIC has 24 inputs, version 11h and its id", () => {
  ioApic.writeMmio(0x00, 4, 1);
  assert.equal(ioApic.readMmio(0x10, 4), 0x00170011);
  ioApic.writeMmio(0x00, 4, 0);
  assert.equal(ioApic.readMmio(0x10, 4), 0x02000000);
  assert.deepEqual([readEntry(0), readEntry(23)], [MASKED, MASKED]);
});

test("an edge interrupts its destination once, and is lost while masked", () => {
  writeEntry(4, 0x34, 1);
  ioApic.inputs[4]?.set(true);
  assert.deepEqual(
    cpus.map((each) => each.line),
    [false, true],
  );
  assert.equal(apics[1]?.acknowledgeInterrupt(), 0x34);
  apics[1]?.writeMmio(R.eoi, 4, 0);
  assert.equal(cpus[1]?.line, false);
  writeEntry(4, MASKED | 0x34, 1);
  ioApic.inputs[4]?.set(false);
  ioApic.inputs[4]?.set(true);
  writeEntry(4, 0x34, 1);
  assert.equal(cpus[1]?.line, false);
});

test("a level interrupts again after its end for as long as it is asserted", () => {
  writeEntry(10, LEVEL | 0x3a);
  ioApic.inputs[10]?.set(true);
  assert.equal(readEntry(10), LEVEL | REMOTE_IRR | 0x3a);
  assert.equal(apic.acknowledgeInterrupt(), 0x3a);
  assert.equal(apic.readMmio(R.tmr + 0x10, 4), 1 << 0x1a);
  assert.equal(cpu.line, false);
  apic.writeMmio(R.eoi, 4, 0);
  assert.equal(apic.acknowledgeInterrupt(), 0x3a);
  ioApic.inputs[10]?.set(false);
  apic.writeMmio(R.eoi, 4, 0);
  assert.deepEqual([cpu.line, readEntry(10)], [false, LEVEL | 0x3a]);
});

test("a level that was asserted while masked interrupts when unmasked", () => {
  writeEntry(10, MASKED | LEVEL | 0x3a);
  ioApic.inputs[10]?.set(true);
  assert.equal(cpu.line, false);
  writeEntry(10, LEVEL | 0x3a);
  assert.equal(cpu.line, true);
});

test("a level that no local APIC accepts is not left waiting for an end", () => {
  apic.writeMmio(R.svr, 4, 0xff);
  writeEntry(10, LEVEL | 0x3a);
  ioApic.inputs[10]?.set(true);
  assert.equal(readEntry(10) & REMOTE_IRR, 0);
});

test("switching an entry to edge and back clears its remote IRR", () => {
  writeEntry(10, LEVEL | 0x3a);
  ioApic.inputs[10]?.set(true);
  ioApic.inputs[10]?.set(false);
  writeEntry(10, MASKED | 0x3a);
  assert.equal(readEntry(10), MASKED | 0x3a);
});

test("read-only bits of an entry cannot be written", () => {
  writeEntry(10, 0xffffffff);
  assert.equal(readEntry(10), 0x0001afff);
});

test("a restored I/O APIC remembers entries and levels", () => {
  writeEntry(10, MASKED | LEVEL | 0x3a);
  ioApic.inputs[10]?.set(true);
  const other = new IoApic(bus, 2);
  other.restore(ioApic.save());
  other.writeMmio(0x00, 4, 0x10 + 2 * 10);
  other.writeMmio(0x10, 4, LEVEL | 0x3a);
  assert.equal(cpu.line, true);
});
