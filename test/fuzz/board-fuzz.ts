/**
 * Board fuzz: random port, MMIO and MSR accesses of all sizes, mostly to addresses where devices are, with time that
 * passes in odd steps and serial input. Nothing throws, nothing takes long, timers stay few, and a board restored from
 * another one's saved state saves the same.
 */
import assert from "node:assert/strict";
import { KiB, ManualClock, MiB, TimerQueue, unwrap } from "../../src/base/index.ts";
import { RamDma } from "../../src/hw/index.ts";
import type { MachineBus } from "../../src/hw/index.ts";
import { createGuestRam } from "../../src/memory/index.ts";
import { RecordedLink } from "../../src/net/testing.ts";
import { CONNECTORS, NETWORK_CARD_MODELS, SLOT_MEMORY_BYTES } from "../../src/machine/pc/index.ts";
import { createBoard } from "../../src/machine/pc/testing.ts";
import { Random } from "../oracle/index.ts";

const STEPS = 20_000;
const STEP_MAX_MS = 2000;
const TIMERS_MAX = 64;
const ROM = new Uint8Array(64 * KiB).fill(0x90);
/** Right below the ROM, at FFFEE000. */
const FLASH_BYTES = 8 * KiB;
const SIZES = [1, 2, 4] as const;
const PORTS = [0x00, 0x08, 0x20, 0x21, 0x40, 0x43, 0x60, 0x61, 0x64, 0x70, 0x71, 0x80, 0x88, 0x92, 0xa0, 0xa1, 0xb2, 0xc0, 0xd0, 0x170, 0x1ce, 0x1cf, 0x1f0, 0x2e8, 0x2f8, 0x376, 0x378, 0x3e8, 0x3c0, 0x3c4, 0x3ce, 0x3d4, 0x3f0, 0x3f8, 0x402, 0x4d0, 0x510, 0x600, 0x700, 0xcf8, 0xcfc, 0xc000, 0xc020, 0xc028, 0xc030, 0xc040, 0xc050, 0xc060, 0xc080, 0xc090, 0xc0a0, 0xc0c0] as const; // prettier-ignore
const MMIO = [
  0xa0000, 0xb8000, 0xc0000, 0xd4000, 0xeff00, 0xffff0, 0xc1000000, 0xc1004000, 0xc1007000, 0xc1008000,
  0xc100b000, 0xc100c000, 0xc100f000, 0xc1010000, 0xc1014000, 0xc1017000, 0xfec00000, 0xfec00010, 0xfed00000,
  0xfed00100, 0xfee00000, 0xfee00300, 0xfffee000, 0xfffeeff8, 0xfffefff0,
] as const;
/** Base address register 0 of the watchdog, for CONFIG_ADDRESS. */
const WATCHDOG_BAR = 0x8000e810;
/** Where the power-on self-test puts it, as long as nothing has moved it. */
const SMBUS_PORT = 0x700;
/** PCI functions that a board has, as CONFIG_ADDRESS counts them. */
const FUNCTIONS = [0x00, 0x08, 0x09, 0x0b, 0x10, 0x18, 0x20, 0x28, 0xe8] as const;
const MSRS = [0x1b, 0x6e0, 0x11, 0x12, 0x4b564d00, 0x4b564d01, 0x800, 0x40000000] as const;

/** With the machine as a POST leaves it, or as firmware in ROM finds it. */
function build(hasFirmware: boolean) {
  const slotMemoryBytes = SLOT_MEMORY_BYTES + ROM.length + FLASH_BYTES;
  const ram = unwrap(createGuestRam({ sizeBytes: 4 * MiB, reservedPrefixBytes: 0, slotMemoryBytes }));
  const variables = { contents: new Uint8Array(FLASH_BYTES), write: () => undefined };
  const clock = new ManualClock();
  const timers = new TimerQueue();
  const board = createBoard({
    ram,
    dma: new RamDma(ram, () => undefined),
    clock,
    timers,
    pins: {
      interrupt: { set: () => undefined },
      raiseNmi: () => undefined,
      setA20: () => undefined,
      setTaskPriority: () => undefined,
      setMemorySlot: () => undefined,
      memoryWritten: () => undefined,
    },
    events: {
      powerOff: () => undefined,
      reset: () => undefined,
      debugExit: () => undefined,
      firmwareCall: () => undefined,
      serialOutput: () => true,
    },
    wallClockNs: () => 1_800_000_000_000_000_000n + BigInt(Math.floor(clock.nowNs())),
    hasDebugExit: true,
    hasDebugConsole: true,
    serialPortCount: 4,
    hasParallelPort: true,
    ...(hasFirmware ? { firmware: { image: ROM, vgaBios: undefined, variables, bootOrder: ["disk"] } } : {}),
    drives: [],
    virtio: { devices: ["virtio-rng", "virtio-console", "virtio-balloon"], offersPacked: true },
    watchdogAction: "reset",
    networkCards: NETWORK_CARD_MODELS.map((model, index) => ({
      model,
      macAddress: Uint8Array.of(2, 0, 0, 0, 0, 1 + index),
      link: new RecordedLink(),
    })),
    entropy: (byteCount) => new Uint8Array(byteCount),
  });
  board.reset();
  return { board, clock, timers };
}

type Machine = ReturnType<typeof build>;

const value = (random: Random): number =>
  Number(
    random.pick([
      random.next64() & 0xffn,
      random.next64() & 0xffffffffn,
      0n,
      1n,
      0xffffffffn,
      1n << BigInt(random.below(32)),
    ]),
  );

const narrow = (bits: number, size: 1 | 2 | 4): number =>
  size === 4 ? bits : bits & ((1 << (8 * size)) - 1);

function step({ board, clock, timers }: Machine, random: Random): void {
  const { bus } = board;
  const size = random.pick(SIZES);
  const port =
    random.below(20) === 0 ? random.below(0x10000) : (random.pick(PORTS) + random.below(8)) & 0xffff;
  const gpa =
    random.below(20) === 0
      ? value(random)
      : random.pick(MMIO) + random.below(random.pick([4, 0x100])) * 4 + random.below(2) * random.below(4);
  switch (random.below(14)) {
    case 0:
    case 1:
      return void bus.readPort(port, size);
    case 2:
    case 3:
    case 4:
      return bus.writePort(port, size, narrow(value(random), size));
    case 5:
      if (random.below(8) === 0)
        return void board.serialInput(
          Uint8Array.from({ length: random.below(64) }, () => random.below(256)),
          random.pick(CONNECTORS),
        );
      return void bus.readMmio(gpa >>> 0, size);
    case 6:
    case 7:
      return bus.writeMmio(gpa >>> 0, size, narrow(value(random), size));
    case 8:
      return void bus.writeMsr(random.pick(MSRS), random.next64() >> BigInt(random.below(64)));
    case 9: {
      const vector = bus.acknowledgeInterrupt();
      return assert.ok(vector >= 0 && vector <= 255);
    }
    case 10:
      return void bus.readMsr(random.pick(MSRS));
    case 11: {
      const register = random.below(0x40) * 4;
      bus.writePort(0xcf8, 4, (0x8000_0000 | (random.pick(FUNCTIONS) << 8) | register) >>> 0);
      if (random.below(4) === 0) return void bus.readPort(0xcfc, 4);
      return bus.writePort(0xcfc + random.below(4), size, narrow(value(random), size));
    }
    case 12:
      return random.below(2) === 0 ? feedWatchdog(bus, random) : useSmbus(bus, random);
    default:
      clock.advance(random.pick([1, 100, 1000, 1_000_000, 1_000_000_000, 100_000_000_000]));
      timers.runDue(clock.nowNs());
      assert.ok(timers.size <= TIMERS_MAX, `${String(timers.size)} timers`);
  }
}

/** What takes several accesses in their order: the watchdog's unlocked write, or its being enabled. */
function feedWatchdog(bus: MachineBus, random: Random): void {
  bus.writePort(0xcf8, 4, WATCHDOG_BAR);
  const gpa = (bus.readPort(0xcfc, 4) & ~15) >>> 0;
  for (const step of [0x80, 0x86]) bus.writeMmio(gpa + 0xc, 2, step);
  bus.writeMmio(gpa + random.pick([0, 4, 0xc]), 4, random.pick([1, 1000, 0x100, value(random)]));
  bus.writePort(0xcf8, 4, 0x8000e868);
  bus.writePort(0xcfc, 1, random.pick([0, 2, 2, 4, 6, 6, 7]));
}

/** A transaction of the SMBus, mostly with a memory module. */
function useSmbus(bus: MachineBus, random: Random): void {
  bus.writePort(SMBUS_PORT + 4, 1, random.pick([0xa0, 0xa1, random.below(256)]));
  for (const at of [3, 5, 6, 7]) bus.writePort(SMBUS_PORT + at, 1, random.below(64));
  bus.writePort(SMBUS_PORT + 2, 1, 0x40 | random.below(0x20));
}

/** Fuzzes `count` boards of seeds from `seed` on; throws the first failure with its seed. */
export function fuzzBoard(seed: number, count: number): number {
  for (let next = seed; next < seed + count; next++) {
    const random = new Random(next);
    const hasFirmware = next % 2 === 1;
    const machine = build(hasFirmware);
    try {
      for (let i = 0; i < STEPS; i++) {
        const start = performance.now();
        step(machine, random);
        const tookMs = performance.now() - start;
        assert.ok(tookMs < STEP_MAX_MS, `an access took ${tookMs.toFixed(0)} ms`);
      }
      const saved = machine.board.save();
      const other = build(hasFirmware);
      other.clock.advance(machine.clock.nowNs());
      other.board.restore(saved);
      assert.deepEqual(other.board.save(), saved);
    } catch (error) {
      throw new Error(`board, seed ${String(next)}`, { cause: error });
    }
  }
  return count;
}
