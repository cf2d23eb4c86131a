import assert from "node:assert/strict";
import { test } from "node:test";

import { ManualClock, MiB, NS_PER_MS, NS_PER_S, TimerQueue, unwrap } from "../../base/index.ts";
import { MemoryDisk } from "../../block/index.ts";
import { RamDma, RecordedLine } from "../../hw/index.ts";
import type { AccessSize } from "../../hw/index.ts";
import { textLines } from "../../devices/vga/index.ts";
import { createGuestRam } from "../../memory/index.ts";
import { SLOT_MEMORY_BYTES } from "./index.ts";
import type { Drive, VirtioDeviceName, WatchdogAction } from "./index.ts";
import { createBoard } from "./testing.ts";

const RAM_BYTES = 32 * MiB;
const LAPIC_SVR = 0xfee000f0;
const LAPIC_EOI = 0xfee000b0;
const LAPIC_LVT_LINT0 = 0xfee00350;
const IO_APIC_SELECT = 0xfec00000;
const IO_APIC_WINDOW = 0xfec00010;
const APIC_BASE_MSR = 0x1b;

interface PcOptions {
  readonly hasDebugExit?: boolean;
  readonly isReset?: boolean;
  readonly drives?: readonly Drive[];
  readonly devices?: readonly VirtioDeviceName[];
  readonly watchdogAction?: WatchdogAction;
  readonly serialPortCount?: number;
  readonly hasParallelPort?: boolean;
}

function pc(options: PcOptions = {}) {
  const { hasDebugExit = false, isReset = true, drives = [], devices = ["virtio-rng"] } = options;
  const ram = unwrap(
    createGuestRam({ sizeBytes: RAM_BYTES, reservedPrefixBytes: 0, slotMemoryBytes: SLOT_MEMORY_BYTES }),
  );
  const clock = new ManualClock();
  const timers = new TimerQueue();
  const interrupt = new RecordedLine();
  const log: string[] = [];
  const serial: number[] = [];
  const board = createBoard({
    ram,
    dma: new RamDma(ram, (gpa, lengthBytes) => log.push(`written ${gpa}+${lengthBytes}`)),
    clock,
    timers,
    pins: {
      interrupt,
      raiseNmi: () => log.push("nmi"),
      setA20: (enabled) => log.push(`a20 ${enabled}`),
      setTaskPriority: (priorityClass) => log.push(`cr8 ${priorityClass}`),
      setMemorySlot: (gpa, lengthBytes, { kind }) =>
        log.push(`slot ${gpa.toString(16)}+${lengthBytes} ${kind}`),
      memoryWritten: (offset, lengthBytes) => log.push(`memory ${offset}+${lengthBytes}`),
    },
    events: {
      powerOff: () => log.push("power off"),
      reset: () => log.push("reset"),
      processorReset: () => log.push("processor reset"),
      debugExit: (value) => log.push(`debug exit ${value}`),
      firmwareCall: () => log.push("firmware call"),
      serialOutput(byte, connector) {
        if (connector === "com1") return serial.push(byte) > 0;
        return log.push(`${connector} ${byte}`) > 0;
      },
    },
    wallClockNs: () => BigInt(Date.UTC(2026, 10, 22, 12)) * 1_000_000n + BigInt(clock.nowNs()),
    hasDebugExit,
    drives,
    virtio: { devices, offersPacked: false },
    entropy: (byteCount) => new Uint8Array(byteCount).fill(0x5a),
    ...(options.watchdogAction === undefined ? {} : { watchdogAction: options.watchdogAction }),
    serialPortCount: options.serialPortCount ?? 1,
    hasParallelPort: options.hasParallelPort ?? false,
  });
  if (isReset) board.reset();
  log.length = 0;
  const { bus } = board;
  const out = (port: number, value: number, size: AccessSize = 1): void => bus.writePort(port, size, value);
  return {
    board,
    bus,
    ram,
    clock,
    timers,
    interrupt,
    log,
    serial,
    out,
    in: (port: number, size: AccessSize = 1) => bus.readPort(port, size),
    /** Vectors 20h and 28h, only `irqs` unmasked. */
    initializePics(...irqs: number[]) {
      const mask = irqs.reduce((bits, irq) => bits & ~(1 << irq), 0xffff);
      const isSecondUsed = mask >> 8 !== 0xff;
      for (const value of [0x20, 0x04, 0x01]) {
        if (value === 0x20) out(0x20, 0x11);
        out(0x21, value);
      }
      for (const value of [0x28, 0x02, 0x01]) {
        if (value === 0x28) out(0xa0, 0x11);
        out(0xa1, value);
      }
      out(0x21, mask & (isSecondUsed ? 0xfb : 0xff));
      out(0xa1, mask >> 8);
    },
    /** The 8254's counter 0 at 1000 Hz. */
    startTicks() {
      out(0x43, 0x34);
      out(0x40, 0xa9);
      out(0x40, 0x04);
    },
    /** Entry `input` of the I/O APIC: edge, fixed, to APIC 0. */
    route(input: number, vector: number) {
      bus.writeMmio(IO_APIC_SELECT, 4, 0x10 + 2 * input);
      bus.writeMmio(IO_APIC_WINDOW, 4, vector);
    },
    pass(ns: number) {
      const endNs = clock.nowNs() + ns;
      for (let due = timers.nextDeadlineNs(); due !== undefined && due <= endNs;) {
        clock.advanceTo(Math.max(due, clock.nowNs()));
        timers.runDue(clock.nowNs());
        due = timers.nextDeadlineNs();
      }
      clock.advanceTo(endNs);
    },
  };
}

test("the pins are not touched before the first reset, and A20 is open after it", () => {
  const built = pc({ isReset: false });
  assert.equal(built.log.length, 0);
  built.board.reset();
  assert.equal(
    built.log.find((line) => line.startsWith("a20")),
    "a20 true",
  );
  assert.equal(built.interrupt.level, false);
});

test("the timer's interrupt comes through the 8259s as ExtINT in virtual wire mode", () => {
  const m = pc();
  m.initializePics(0);
  m.startTicks();
  m.bus.acknowledgeInterrupt();
  m.out(0x20, 0x20);
  assert.equal(m.interrupt.level, false);
  m.pass(1.01 * NS_PER_MS);
  assert.equal(m.interrupt.level, true);
  assert.equal(m.bus.acknowledgeInterrupt(), 0x20);
  assert.equal(m.interrupt.level, false);
  m.out(0x20, 0x20);
  m.pass(NS_PER_MS);
  assert.equal(m.bus.acknowledgeInterrupt(), 0x20);
});

test("with LINT0 masked the 8259s are silent, with the APIC disabled they are heard directly", () => {
  const m = pc();
  m.initializePics(4);
  m.bus.writeMmio(LAPIC_LVT_LINT0, 4, 0x10700);
  m.out(0x3fc, 0x08);
  m.out(0x3f9, 0x02);
  assert.equal(m.interrupt.level, false);
  assert.equal(m.bus.readMsr(APIC_BASE_MSR), 0xfee00900n);
  assert.equal(m.bus.writeMsr(APIC_BASE_MSR, 0xfee00000n), true);
  assert.equal(m.interrupt.level, true);
  assert.equal(m.bus.acknowledgeInterrupt(), 0x24);
});

test("the timer reaches input 2 of the I/O APIC, other ISA lines the input of their number", () => {
  const m = pc();
  m.bus.writeMmio(LAPIC_SVR, 4, 0x1ff);
  m.route(2, 0x30);
  m.route(1, 0x31);
  m.startTicks();
  m.pass(2 * NS_PER_MS);
  assert.equal(m.bus.acknowledgeInterrupt(), 0x30);
  m.bus.writeMmio(LAPIC_EOI, 4, 0);
  m.board.keyboard.key("KeyA", true);
  m.route(2, 0x10000);
  m.pass(NS_PER_MS);
  assert.equal(m.bus.acknowledgeInterrupt(), 0x31);
  assert.equal(m.in(0x60), 0x1e);
});

test("the HPET takes the timer's place in legacy replacement mode", () => {
  const m = pc();
  m.initializePics(0);
  m.startTicks();
  m.bus.acknowledgeInterrupt();
  m.out(0x20, 0x20);
  m.bus.writeMmio(0xfed00010, 4, 0x3);
  m.pass(5 * NS_PER_MS);
  assert.equal(m.interrupt.level, false);
  m.bus.writeMmio(0xfed00108, 4, 1_000_000);
  m.bus.writeMmio(0xfed0010c, 4, 0);
  m.bus.writeMmio(0xfed00100, 4, 0x4);
  m.pass(5 * NS_PER_MS + 1);
  assert.equal(m.bus.acknowledgeInterrupt(), 0x20);
});

test("the DMA controllers are there, and channel 4 cascades them as firmware leaves it", () => {
  const m = pc();
  assert.deepEqual(
    [0x0f, 0x81, 0x80, 0xdf].map((port) => m.board.ports.ownerOf(port)),
    ["dma1", "dma-pages", "postCode", "dma2"],
  );
  assert.deepEqual([m.in(0x0f), m.in(0xde)], [0x0f, 0x0e]);
  // A software request of channel 1 fills memory from the idle bus.
  for (const [port, value] of [
    [0x0b, 0x85],
    [0x83, 0x01],
    [0x03, 0x0f],
    [0x03, 0x00],
    [0x09, 0x05],
  ] as const) {
    m.out(port, value);
  }
  assert.deepEqual(new Set(m.ram.slice(0x10000, 16)), new Set([0xff]));
  assert.deepEqual(m.log, ["written 65536+16"]);
});

function diskette(sizeKib: number): Drive {
  const bytes = new Uint8Array(sizeKib * 1024).map((_, at) => (at >> 9) & 0xff);
  return { bus: "floppy", medium: "floppy", device: new MemoryDisk(bytes), serialNumber: "1" };
}

test("a diskette is read by DMA channel 2 and IRQ 6, through every part in between", async () => {
  const m = pc({ drives: [diskette(1440), diskette(360)] });
  m.initializePics(6);
  const cmos = (index: number): number => {
    m.out(0x70, index);
    return m.in(0x71);
  };
  assert.deepEqual([cmos(0x10), cmos(0x14)], [0x41, 0x47]);
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 8; turn++) {
      m.pass(NS_PER_MS);
      await Promise.resolve();
    }
  };
  const interrupt = (): number => {
    const vector = m.bus.acknowledgeInterrupt();
    m.out(0x20, 0x20);
    return vector;
  };
  const give = (...bytes: readonly number[]): void => {
    for (const byte of bytes) m.out(0x3f5, byte);
  };
  m.out(0x3f2, 0x1c);
  await settle();
  assert.equal(interrupt(), 0x26);
  // Its cause is sensed, or there is no other edge.
  give(0x08);
  m.in(0x3f5);
  m.in(0x3f5);
  m.out(0x3f7, 0);
  for (const [port, value] of [
    [0x0a, 0x06],
    [0x0c, 0x00],
    [0x0b, 0x46],
    [0x81, 0x12],
    [0x04, 0x00],
    [0x04, 0x30],
    [0x05, 0xff],
    [0x05, 0x03],
    [0x0a, 0x02],
  ] as const) {
    m.out(port, value);
  }
  // Both sectors at the end of side 0, from drive 0.
  give(0xe6, 0, 0, 0, 17, 2, 18, 27, 0xff);
  await settle();
  assert.equal(interrupt(), 0x26);
  assert.deepEqual(
    Array.from({ length: 7 }, () => m.in(0x3f5)),
    [0, 0, 0, 0, 1, 1, 2],
  );
  assert.deepEqual(new Set(m.ram.slice(0x123000, 512)), new Set([16]));
  assert.deepEqual(new Set(m.ram.slice(0x123200, 512)), new Set([17]));
  assert.equal(m.in(0x08) & 0x04, 0x04);
  assert.deepEqual(m.log, ["written 1191936+512", "written 1192448+512"]);
});

test("CMOS names a drive of 2.88M by the number that firmware knows", () => {
  const m = pc({ drives: [diskette(2880)] });
  m.out(0x70, 0x10);
  assert.equal(m.in(0x71), 0x50);
});

test("without a diskette drive there is no controller", () => {
  const m = pc();
  assert.equal(m.board.floppyController, undefined);
  assert.equal(m.in(0x3f4), 0xff);
});

test("a board with a diskette under way goes on in another one", async () => {
  const drives = (): Drive[] => [diskette(1440)];
  const m = pc({ drives: drives() });
  m.out(0x3f2, 0x1c);
  m.pass(NS_PER_MS);
  for (const byte of [0xe6, 0, 0, 0, 1, 2, 18, 27, 0xff]) m.out(0x3f5, byte);
  const saved = m.board.save();
  const other = pc({ isReset: false, drives: drives() });
  other.clock.advanceTo(m.clock.nowNs());
  other.board.restore(saved);
  assert.deepEqual(other.board.save(), saved);
  assert.equal(other.in(0x3f4), 0x10);
});

test("the first serial port sends to the host and interrupts on input", () => {
  const m = pc();
  m.initializePics(4);
  for (const byte of new TextEncoder().encode("ok\n")) m.out(0x3f8, byte);
  assert.deepEqual(m.serial, [0x6f, 0x6b, 0x0a]);
  m.out(0x3fc, 0x0b);
  m.out(0x3f9, 0x01);
  assert.equal(m.board.serialInput(Uint8Array.of(0x78)), 1);
  assert.equal(m.interrupt.level, true);
  assert.equal(m.bus.acknowledgeInterrupt(), 0x24);
  assert.equal(m.in(0x3f8), 0x78);
});

test("the real-time clock interrupts through the second 8259", () => {
  const m = pc();
  m.initializePics(8);
  m.out(0x70, 0x0b);
  m.out(0x71, 0x12);
  m.pass(NS_PER_S);
  assert.equal(m.bus.acknowledgeInterrupt(), 0x28);
  m.out(0x70, 0x04);
  assert.equal(m.in(0x71), 0x12);
});

test("a reset of everything is asked for once", () => {
  const m = pc();
  m.out(0xcf9, 0x02);
  m.out(0xcf9, 0x06);
  assert.deepEqual(m.log, ["reset"]);
});

test("what resets the processor alone asks for that once", () => {
  const m = pc();
  m.out(0xcf9, 0x00);
  m.out(0xcf9, 0x04);
  assert.deepEqual(m.log, ["processor reset"]);
  m.out(0x64, 0xfe);
  assert.deepEqual(m.log, ["processor reset", "processor reset"]);
  m.out(0x92, 0x01);
  assert.equal(m.log.filter((entry) => entry === "processor reset").length, 3);
});

test("CR8 reaches the local APIC, and its task-priority register CR8", () => {
  const m = pc();
  m.bus.writeMmio(0xfee00080, 4, 0x70);
  assert.equal(m.log.at(-1), "cr8 7");
  m.bus.taskPriorityChanged(3);
  assert.equal(m.bus.readMmio(0xfee00080, 4), 0x30);
});

test("a TSC that the guest has set moves its deadline and the paravirtual clock", () => {
  const m = pc();
  const TIME = 0x5000;
  m.bus.writeMsr(0x4b564d01, BigInt(TIME) | 1n);
  m.clock.advance(1000);
  m.bus.tscOffsetChanged(1_000_000n);
  const timestamp = m.ram.readU32(TIME + 8);
  assert.equal(timestamp - m.ram.readU32(TIME + 16), 1_000_000);
  m.bus.writeMmio(0xfee00320, 4, 0x0004_0041);
  m.bus.writeMsr(0x6e0, BigInt(timestamp) + 500n);
  m.timers.runDue(m.clock.nowNs() + 499);
  assert.equal(m.interrupt.level, false);
  m.timers.runDue(m.clock.nowNs() + 500);
  assert.equal(m.interrupt.level, true);
});

test("A20 is open while the keyboard controller or port 92h opens it", () => {
  const m = pc();
  m.out(0x92, 0x02);
  m.out(0x64, 0xdd);
  assert.equal(m.log.at(-1), "a20 true");
  m.out(0x92, 0x00);
  assert.equal(m.log.at(-1), "a20 false");
  m.out(0x64, 0xdf);
  assert.equal(m.log.at(-1), "a20 true");
});

test("the soft-off state that the tables name powers the machine off", () => {
  const m = pc();
  const { ioBase } = m.board.platform.pm;
  assert.equal(m.board.ports.ownerOf(ioBase + 4), "piix4-pm");
  m.out(ioBase + 4, 1 << 13, 2);
  assert.deepEqual(m.log, ["power off"]);
});

test("the power button raises the SCI when the guest wants it", () => {
  const m = pc();
  m.initializePics(9);
  const { ioBase } = m.board.platform.pm;
  m.out(ioBase + 2, 1 << 8, 2);
  m.out(0xb2, 0xf1);
  m.board.pressButton("power");
  assert.equal(m.interrupt.level, true);
  assert.equal(m.bus.acknowledgeInterrupt(), 0x29);
});

test("the sleep button raises the SCI when the guest wants it", () => {
  const m = pc();
  m.initializePics(9);
  m.out(m.board.platform.pm.ioBase + 0x0e, 1 << 9, 2);
  m.out(0xb2, 0xf1);
  m.board.pressButton("sleep");
  assert.equal(m.bus.acknowledgeInterrupt(), 0x29);
});

test("isa-debug-exit is there only when asked for", () => {
  const without = pc();
  without.out(0xf4, 0x10);
  assert.deepEqual(without.log, []);
  const m = pc({ hasDebugExit: true });
  m.out(0xf4, 0x10, 4);
  assert.deepEqual(m.log, ["debug exit 16"]);
});

test("Linux's calibration reads the timer through port 61h", () => {
  const m = pc();
  m.out(0x61, (m.in(0x61) & ~0x02) | 0x01);
  m.out(0x43, 0xb0);
  m.out(0x42, 0x9b);
  m.out(0x42, 0x2e);
  const startNs = m.clock.nowNs();
  while ((m.in(0x61) & 0x20) === 0) m.clock.advance(1000);
  assert.ok(Math.abs(m.clock.nowNs() - startNs - 10 * NS_PER_MS) < 5000);
});

test("the speaker's square wave shows at port 61h while its gate is open, and its data bit is only kept", () => {
  const m = pc();
  m.out(0x43, 0xb6);
  m.out(0x42, 1193 & 0xff);
  m.out(0x42, 1193 >> 8);
  const changesIn10Ms = (): number => {
    const levels = Array.from({ length: 1000 }, () => {
      m.clock.advance(10_000);
      return m.in(0x61) & 0x20;
    });
    return levels.filter((level, index) => index > 0 && level !== levels[index - 1]).length;
  };
  m.out(0x61, 0x03);
  assert.equal(changesIn10Ms(), 20);
  assert.equal(m.in(0x61) & 0x0f, 0x03);
  m.out(0x61, 0x02);
  assert.equal(changesIn10Ms(), 0);
  assert.equal(m.in(0x61) & 0x20, 0x20);
});

test("SMRAM stays closed: the video memory is seen, whatever is written to its register, which a lock keeps", () => {
  const m = pc();
  const writeSmram = (value: number): number => {
    m.out(0xcf8, 0x8000_0070, 4);
    m.out(0xcfe, value);
    return m.in(0xcfe);
  };
  m.bus.writeMmio(0xb8000, 2, 0x0741);
  assert.equal(writeSmram(0x4a), 0x4a);
  assert.equal(m.bus.readMmio(0xb8000, 2), 0x0741);
  assert.equal(writeSmram(0x5a), 0x1a);
  assert.equal(writeSmram(0x4a), 0x1a);
  m.board.reset();
  assert.equal(writeSmram(0x02), 0x02);
});

test("port 61h's refresh bit toggles each 15 µs", () => {
  const m = pc();
  let toggles = 0;
  let before = m.in(0x61) & 0x10;
  for (let us = 0; us < 1000; us++) {
    m.clock.advance(1000);
    const now = m.in(0x61) & 0x10;
    if (now !== before) toggles++;
    before = now;
  }
  assert.equal(toggles, 66);
});

test("firmware's data is there: root pointer, CMOS sizes, a blank screen", () => {
  const m = pc();
  const rsdpGpa = m.board.rsdpGpa ?? 0;
  assert.equal(new TextDecoder().decode(m.ram.slice(rsdpGpa, 8).slice()), "RSD PTR ");
  const cmos = (index: number): number => {
    m.out(0x70, index);
    return m.in(0x71);
  };
  assert.equal(cmos(0x34) | (cmos(0x35) << 8), 16 * 16);
  assert.equal(cmos(0x17) | (cmos(0x18) << 8), 31 * 1024);
  const screen = m.board.textScreen();
  assert.ok(screen !== undefined);
  assert.deepEqual([screen.columns, screen.rows, screen.cells.length], [80, 25, 4000]);
  assert.deepEqual(new Set(textLines(screen)), new Set([""]));
});

test("PCI shows the chipset, and the power management block where the tables say", () => {
  const m = pc();
  const config = (slot: number, pciFunction: number, register: number): number => {
    m.out(0xcf8, 0x8000_0000 + (slot << 11) + (pciFunction << 8) + register, 4);
    return m.in(0xcfc, 4);
  };
  assert.equal(config(0, 0, 0), 0x1237_8086);
  assert.equal(config(1, 0, 0), 0x7000_8086);
  assert.equal(config(1, 3, 0), 0x7113_8086);
  assert.equal(config(2, 0, 0), 0x1111_1234);
  assert.equal(config(3, 0, 0), 0xffff_ffff);
  assert.equal(config(1, 3, 0x40) & 0xffc0, m.board.platform.pm.ioBase);
});

test("firmware leaves a font, so that text is seen, and the frame buffer behind the display's first range", () => {
  const m = pc();
  m.ram.writeU16(0xb8000, 0x0741);
  m.board.reset();
  const windows = m.log.filter((line) => line.startsWith("slot a0000"));
  assert.equal(windows.at(-1), "slot a0000+131072 none", "RAM is where it was, at its full speed");
  m.ram.writeU16(0xb8000, 0x0741);
  const frame = m.board.frame();
  assert.deepEqual([frame?.width, frame?.height], [720, 400]);
  const isLit = (pixel: number): boolean => frame?.pixels[4 * pixel] === 0xaa;
  assert.deepEqual(
    [2, 3, 4, 5].map((x) => isLit(2 * 720 + x)),
    [false, true, true, false],
  );
  m.out(0xcf8, 0x8000_1010, 4);
  const gpa = (m.in(0xcfc, 4) & ~15) >>> 0;
  m.bus.writeMmio(gpa + 0xff_fffc, 4, 0x12345678);
  assert.deepEqual([...m.ram.slotMemory.subarray(-4)], [0x78, 0x56, 0x34, 0x12]);
});

test("what is not there reads as all ones and is counted", () => {
  const m = pc();
  assert.equal(m.in(0x2f8), 0xff);
  assert.equal(m.in(0x3bc), 0xff);
  assert.equal(m.bus.readMmio(0xe000_0000, 4), 0xffff_ffff);
  assert.equal(m.board.ports.unclaimedReads, 2);
  assert.equal(m.board.mmio.unclaimedReads, 1);
  assert.equal(m.bus.readMsr(0xc000_0080), undefined);
  assert.equal(m.bus.writeMsr(0xc000_0080, 0n), false);
});

test("four serial ports share two interrupts, and each has its own connector", () => {
  const m = pc({ serialPortCount: 4 });
  m.initializePics(3, 4);
  const bases = [0x3f8, 0x2f8, 0x3e8, 0x2e8];
  bases.forEach((base, index) => m.out(base, 0x61 + index));
  assert.deepEqual([m.serial, m.log], [[0x61], ["com2 98", "com3 99", "com4 100"]]);
  m.out(0x2e8 + 4, 0x0b);
  m.out(0x2e8 + 1, 0x01);
  assert.equal(m.board.serialInput(Uint8Array.of(0x78), "com4"), 1);
  m.pass(NS_PER_MS);
  assert.equal(m.bus.acknowledgeInterrupt(), 0x23);
  m.out(0x20, 0x20);
  assert.equal(m.in(0x2e8), 0x78);
  m.out(0x3e8 + 4, 0x0b);
  m.out(0x3e8 + 1, 0x01);
  m.board.serialInput(Uint8Array.of(0x79), "com3");
  m.pass(NS_PER_MS);
  assert.equal(m.bus.acknowledgeInterrupt(), 0x24);
});

test("CMOS memory has the types of the IDE disks, as their own parameters, within the checksum", () => {
  const disk = (bus: Drive["bus"], sizeBytes: number): Drive => ({
    ...{ bus, medium: "disk", serialNumber: "1" },
    device: new MemoryDisk(new Uint8Array(sizeBytes)),
  });
  const m = pc({ drives: [disk("nvme", MiB), disk("ide", 32 * MiB)] });
  const cmos = (index: number): number => {
    m.out(0x70, index);
    return m.in(0x71);
  };
  const bytes = [0x12, 0x19, 0x1a].map(cmos);
  assert.deepEqual(bytes, [0xf0, 47, 0]);
  const parameters = Array.from({ length: 9 }, (_, index) => cmos(0x1b + index));
  assert.deepEqual(parameters, [65, 0, 16, 0xff, 0xff, 0xc8, 65, 0, 63]);
  const sum = Array.from({ length: 0x1e }, (_, index) => cmos(0x10 + index)).reduce((a, b) => a + b);
  assert.equal((cmos(0x2e) << 8) | cmos(0x2f), sum);
});

test("a printer prints and interrupts by IRQ 7; without one nothing answers", () => {
  const m = pc({ hasParallelPort: true });
  m.initializePics(7);
  m.out(0x378, 0x41);
  for (const control of [0x1c, 0x1d, 0x1c]) m.out(0x37a, control);
  assert.deepEqual(m.log, ["lpt1 65"]);
  assert.equal(m.bus.acknowledgeInterrupt(), 0x27);
  assert.equal(pc().in(0x379), 0xff);
});

test("a saved board goes on in another one", () => {
  const m = pc();
  m.initializePics(0, 4, 8);
  m.startTicks();
  m.out(0x3fc, 0x0b);
  m.out(0x3f9, 0x03);
  m.board.serialInput(Uint8Array.of(0x61, 0x62));
  m.pass(3.5 * NS_PER_MS);
  const saved = m.board.save();
  const other = pc({ isReset: false });
  other.clock.advanceTo(m.clock.nowNs());
  other.board.restore(saved);
  assert.deepEqual(other.board.save(), saved);
  assert.equal(other.interrupt.level, m.interrupt.level);
  assert.equal(other.bus.acknowledgeInterrupt(), m.bus.acknowledgeInterrupt());
  other.out(0x20, 0x20);
  assert.equal(other.bus.acknowledgeInterrupt(), 0x24);
  assert.equal(other.in(0x3f8), 0x61);
});

test("a snapshot without a device is refused in one sentence", () => {
  const m = pc();
  const others = Object.entries(m.board.save()).filter(([name]) => name !== "pit");
  assert.throws(() => m.board.restore(Object.fromEntries(others)), /field board\.pit should be present/);
});

test("reset brings every device back to its power-on state", () => {
  const fresh = pc();
  const used = pc();
  used.initializePics(0, 1, 4);
  used.startTicks();
  used.out(0x3fb, 0x83);
  used.out(0x3f8, 0x01);
  used.out(0x64, 0xad);
  used.out(0x3d4, 0x0a20, 2);
  used.out(0x61, 0x01);
  used.out(0x80, 0x42);
  used.bus.writeMmio(LAPIC_SVR, 4, 0x1ff);
  used.route(2, 0x30);
  used.bus.writeMmio(0xfed00010, 4, 1);
  used.board.reset();
  assert.deepEqual(used.board.save(), fresh.board.save());
  assert.equal(used.interrupt.level, false);
});

test("disks on the virtio bus come first from device 4 on, other virtio devices behind them", () => {
  const disk = (): Drive => ({
    bus: "virtio",
    medium: "disk",
    device: new MemoryDisk(new Uint8Array(512)),
    serialNumber: "D",
  });
  const m = pc({ drives: [disk(), disk()] });
  const ids = [3, 4, 5, 6, 7].map((device) => {
    m.bus.writePort(0xcf8, 4, 0x80000000 + 0x800 * device);
    return m.bus.readPort(0xcfc, 4).toString(16);
  });
  assert.deepEqual(ids, ["ffffffff", "10011af4", "10011af4", "10051af4", "ffffffff"]);
});

test("a virtio device's pin reaches the interrupt that firmware has told of, its messages the local APIC", () => {
  const m = pc();
  const at = (register: number): number => 0x80000000 + 0x800 * 4 + register;
  const readConfig = (register: number): number => {
    m.bus.writePort(0xcf8, 4, at(register));
    return m.bus.readPort(0xcfc, 4);
  };
  const writeConfig = (register: number, value: number): void => {
    m.bus.writePort(0xcf8, 4, at(register));
    m.bus.writePort(0xcfc, 4, value);
  };
  const irq = readConfig(0x3c) & 0xff;
  assert.equal(irq, 11);
  const io = readConfig(0x10) & ~3;
  writeConfig(4, 7);
  // The legacy interface: a queue of 64 at 64 KiB with one buffer of 4 bytes.
  const ask = (count: number): void => {
    m.ram.writeU64(0x10000, 0x20000n);
    m.ram.writeU32(0x10008, 4);
    m.ram.writeU16(0x1000c, 2);
    m.ram.writeU16(0x10000 + 16 * 64 + 2, count);
    m.bus.writePort(io + 16, 2, 0);
  };
  m.bus.writePort(io + 8, 4, 0x10);
  ask(1);
  assert.equal(m.ram.readU32(0x20000), 0x5a5a5a5a);
  assert.deepEqual([m.bus.readPort(io + 19, 1), m.bus.readPort(io + 19, 1)], [1, 0]);
  // MSI-X is the first capability, its table BAR 1.
  const table = (readConfig(0x14) & ~15) >>> 0;
  [0xfee00000, 0, 0x41, 0].forEach((word, index) => m.bus.writeMmio(table + 4 * index, 4, word));
  writeConfig(0x40, 0x80000000);
  m.bus.writePort(io + 22, 2, 0);
  m.bus.writeMmio(LAPIC_SVR, 4, 0x1ff);
  ask(2);
  assert.equal(m.interrupt.level, true);
  assert.equal(m.bus.acknowledgeInterrupt(), 0x41);
});

test("each NVMe disk is a controller in a slot of its own, placed, routed and driven by its pin", () => {
  const drive = (serialNumber: string): Drive => ({
    bus: "nvme",
    medium: "disk",
    device: new MemoryDisk(new Uint8Array(4096)),
    serialNumber,
  });
  const m = pc({ drives: [drive("A"), drive("B")] });
  const config = (slot: number, register: number): number => {
    m.out(0xcf8, 0x8000_0000 + (slot << 11) + register, 4);
    return m.in(0xcfc, 4);
  };
  assert.deepEqual(
    [4, 5, 6, 7].map((slot) => config(slot, 0)),
    [0x54561234, 0x54561234, 0x10051af4, 0xffffffff],
  );
  const bars = [4, 5].map((slot) => config(slot, 0x10));
  assert.deepEqual(
    bars.map((gpa) => m.bus.readMmio(gpa + 8, 4)),
    [0x10400, 0x10400],
  );
  assert.equal(config(4, 0x3c) & 0xffff, 0x010b);
  assert.equal(config(5, 0x3c) & 0xffff, 0x010a);
});

test("the terminal's input goes to the serial port until a driver uses the virtio console; the output of both is one", () => {
  const m = pc({ devices: ["virtio-console"] });
  m.bus.writePort(0xcf8, 4, 0x80000000 + 0x800 * 4 + 0x10);
  const io = m.bus.readPort(0xcfc, 4) & ~3;
  assert.equal(m.board.serialInput(Uint8Array.of(0x41)), 1);
  assert.equal(m.bus.readPort(0x3f8, 1), 0x41);
  // The legacy interface: a buffer of 4 bytes in the queue for input, one of 2 in that for output.
  for (const [queue, page, gpa, lengthBytes, flags] of [
    [0, 0x10, 0x30000, 4, 2],
    [1, 0x20, 0x40000, 2, 0],
  ] as const) {
    m.ram.writeU64(page * 4096, BigInt(gpa));
    m.ram.writeU32(page * 4096 + 8, lengthBytes);
    m.ram.writeU16(page * 4096 + 12, flags);
    m.ram.writeU16(page * 4096 + 16 * 64 + 2, 1);
    m.bus.writePort(io + 14, 2, queue);
    m.bus.writePort(io + 8, 4, page);
  }
  assert.equal(m.board.serialInput(Uint8Array.of(1, 2, 3, 4, 5)), 4);
  assert.equal(m.ram.readU32(0x30000), 0x04030201);
  m.ram.write(0x40000, Uint8Array.of(0x68, 0x69));
  m.bus.writePort(io + 16, 2, 1);
  m.out(0x3f8, 0x21);
  assert.deepEqual(m.serial, [0x68, 0x69, 0x21]);
});

test("the SMBus is where the power-on self-test puts it, with a module for each power of two of the memory", () => {
  const m = pc();
  m.out(0x704, 0x50 << 1);
  m.out(0x702, 0x40);
  m.pass(NS_PER_MS);
  assert.equal(m.in(0x700), 0x02);
  m.out(0x700, 0x02);
  m.out(0x704, 0x51 << 1);
  m.out(0x702, 0x40);
  m.pass(NS_PER_MS);
  assert.equal(m.in(0x700), 0x04);
});

/** A guest enables its watchdog with the shortest stages, and then does nothing. */
function starve(m: ReturnType<typeof pc>): void {
  const SLOT = 29;
  const readBar = (): number => {
    m.out(0xcf8, 0x8000_0000 | (SLOT << 11) | 0x10, 4);
    return m.in(0xcfc, 4);
  };
  const base = (readBar() & ~0xf) >>> 0;
  for (const preload of [0, 4]) {
    m.bus.writeMmio(base + 0xc, 2, 0x80);
    m.bus.writeMmio(base + 0xc, 2, 0x86);
    m.bus.writeMmio(base + preload, 4, 1);
  }
  m.out(0xcf8, 0x8000_0000 | (SLOT << 11) | 0x68, 4);
  m.out(0xcfc, 0x02);
  m.pass(10 * NS_PER_MS);
}

test("a watchdog that is not fed resets the machine, switches it off or does nothing, as its user wants", () => {
  const logs = (["reset", "power-off", "none"] as const).map((watchdogAction) => {
    const m = pc({ watchdogAction });
    starve(m);
    return m.log;
  });
  assert.deepEqual(logs, [["reset"], ["power off"], []]);
});
