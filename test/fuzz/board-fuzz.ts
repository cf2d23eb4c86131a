/**
 * Board fuzz: random port, MMIO and MSR accesses of all sizes, mostly to addresses where devices are, with time that
 * passes in odd steps and serial input. Nothing throws, nothing takes long, timers stay few, memory comes to rest, and a board
 * restored from another one's saved state saves the same.
 */
import assert from "node:assert/strict";
import type { MachineBus } from "../../src/hw/index.ts";
import { CONNECTORS } from "../../src/machine/pc/index.ts";
import { Random } from "../oracle/index.ts";
import { boardRanges, build, PORT_COUNT } from "./board-machine.ts";
import type { Machine, Range } from "./board-machine.ts";
import { assertBelowLimits, assertComesToRest } from "./memory-use.ts";

const STEPS = 20_000;
const STEP_MAX_MS = 2000;
const TIMERS_MAX = 64;
const SIZES = [1, 2, 4] as const;
/** Of a large range most accesses go to the beginning. */
const NEAR_BYTES = 0x400;
/** Base address register 0 of the watchdog, for CONFIG_ADDRESS. */
const WATCHDOG_BAR = 0x8000e810;
/** Where the power-on self-test puts it, as long as nothing has moved it. */
const SMBUS_PORT = 0x700;
/** PCI functions that a board has, as CONFIG_ADDRESS counts them. */
const FUNCTIONS = [0x00, 0x08, 0x09, 0x0b, 0x10, 0x18, 0x20, 0x28, 0xe8] as const;
const MSRS = [0x1b, 0x6e0, 0x11, 0x12, 0x4b564d00, 0x4b564d01, 0x800, 0x40000000] as const;

/** Those of boards with and without firmware, which have different devices. */
const RANGES = [false, true]
  .flatMap((hasFirmware) => boardRanges(build(hasFirmware)))
  .filter(
    ({ space, base }, index, all) =>
      index === all.findIndex((range) => range.space === space && range.base === base),
  );
const PORTS = RANGES.filter(({ space }) => space === "port");
const MMIO = RANGES.filter(({ space }) => space === "mmio");

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

/** Mostly near the beginning, sometimes anywhere or at the end. */
function addressIn({ base, lengthBytes }: Range, random: Random): number {
  switch (random.below(8)) {
    case 0:
      return base + random.below(lengthBytes);
    case 1:
      return base + lengthBytes - 1 - random.below(Math.min(lengthBytes, 8));
    case 2:
      return base + random.below(Math.min(lengthBytes, NEAR_BYTES));
    default:
      return base + (random.below(Math.min(lengthBytes, random.pick([0x10, NEAR_BYTES]))) & ~3);
  }
}

function access({ board: { bus } }: Machine, random: Random, { space }: Range, address: number): void {
  const size = random.pick(SIZES);
  const isRead = random.below(3) === 0;
  if (space === "port") {
    if (isRead) bus.readPort(address, size);
    else bus.writePort(address, size, narrow(value(random), size));
  } else if (isRead) {
    bus.readMmio(address >>> 0, size);
  } else {
    bus.writeMmio(address >>> 0, size, narrow(value(random), size));
  }
}

function passTime({ clock, timers }: Machine, random: Random): void {
  clock.advance(random.pick([1, 100, 1000, 1_000_000, 1_000_000_000, 100_000_000_000]));
  timers.runDue(clock.nowNs());
  assert.ok(timers.size <= TIMERS_MAX, `${String(timers.size)} timers`);
}

function takeInterrupt({ board: { bus } }: Machine): void {
  const vector = bus.acknowledgeInterrupt();
  assert.ok(vector >= 0 && vector <= 255);
}

function useMsr({ board: { bus } }: Machine, random: Random): void {
  if (random.below(2) === 0) bus.writeMsr(random.pick(MSRS), random.next64() >> BigInt(random.below(64)));
  else bus.readMsr(random.pick(MSRS));
}

const serialInput = ({ board }: Machine, random: Random, connector = random.pick(CONNECTORS)): void =>
  void board.serialInput(
    Uint8Array.from({ length: random.below(64) }, () => random.below(256)),
    connector,
  );

function configure({ board: { bus } }: Machine, random: Random): void {
  const size = random.pick(SIZES);
  const register = random.below(0x40) * 4;
  bus.writePort(0xcf8, 4, (0x8000_0000 | (random.pick(FUNCTIONS) << 8) | register) >>> 0);
  if (random.below(4) === 0) bus.readPort(0xcfc, 4);
  else bus.writePort(0xcfc + random.below(4), size, narrow(value(random), size));
}

function step(machine: Machine, random: Random): void {
  const { bus } = machine.board;
  const isAnywhere = random.below(20) === 0;
  switch (random.below(14)) {
    case 0:
    case 1:
    case 2:
    case 3: {
      const range = random.pick(PORTS);
      const port = isAnywhere ? random.below(PORT_COUNT) : addressIn(range, random);
      return access(machine, random, range, port);
    }
    case 4:
    case 5:
    case 6: {
      const range = random.pick(MMIO);
      return access(machine, random, range, isAnywhere ? value(random) : addressIn(range, random));
    }
    case 7:
      return random.below(8) === 0 ? serialInput(machine, random) : useMsr(machine, random);
    case 8:
      return useMsr(machine, random);
    case 9:
      return takeInterrupt(machine);
    case 10:
    case 11:
      return configure(machine, random);
    case 12:
      return random.below(2) === 0 ? feedWatchdog(bus, random) : useSmbus(bus, random);
    default:
      return passTime(machine, random);
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

/** What a guest does with each device, by its name; those that need more than an access of its registers with that. */
function actions(machine: Machine, random: Random): ReadonlyMap<string, readonly (() => void)[]> {
  const all = new Map<string, (() => void)[]>();
  const add = (device: string, action: () => void): void =>
    void all.set(device, [...(all.get(device) ?? []), action]);
  for (const range of boardRanges(machine))
    add(range.device, () => access(machine, random, range, addressIn(range, random)));
  for (const connector of CONNECTORS) add(connector, () => serialInput(machine, random, connector));
  add("piix4-smbus", () => useSmbus(machine.board.bus, random));
  add("i6300esb", () => feedWatchdog(machine.board.bus, random));
  add("kvmclock", () => useMsr(machine, random));
  return all;
}

/**
 * Shows that no device of a board takes more and more memory of the host, however long a guest goes on with it:
 * `count` operations at a time. Throws what grows, by name; returns how many devices it looked at.
 */
export function fuzzBoardMemory(seed: number, count: number, machine = build(false)): number {
  const random = new Random(seed);
  const subjects = [...actions(machine, random)].map(([name, ofDevice]) => ({
    name,
    goOn: (times: number): void => {
      for (let time = 0; time < times; time++) {
        random.pick(ofDevice)();
        if (time % 8 === 0) takeInterrupt(machine);
        if (time % 16 === 0) passTime(machine, random);
      }
    },
  }));
  assertComesToRest(subjects, count);
  return subjects.length;
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
      assertBelowLimits("the board");
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
