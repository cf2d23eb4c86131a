/** A driver of the e1000 that breaks its rules: descriptors of every kind with wrong addresses, lengths and offsets. */
import assert from "node:assert/strict";
import {
  E1000Driver,
  IO_PORT,
  machine,
  place,
  RCTL,
  REG,
  REGISTERS_GPA,
  RX_RING_GPA,
  TX_BUFFERS_GPA,
} from "../../src/devices/e1000/testing.ts";
import type { RegName } from "../../src/devices/e1000/testing.ts";
import type { Random } from "../oracle/index.ts";
import type { NicSubject } from "./nic-fuzz.ts";

const RING_SIZE = 32;
const SIZES = [1, 2, 4] as const;
const TABLES = [0x4000, 0x5200, 0x5400, 0x5600, 0x5800, 0x9000] as const;
const NAMES = Object.keys(REG).filter((name): name is RegName => name in REG);
const ALL = 0xffff_ffff;

const address = (random: Random, ramBytes: number): number => {
  switch (random.below(10)) {
    case 0:
      return ramBytes - random.below(64);
    case 1:
      return Number(random.next64() & 0xffff_ffff_ffffn);
    case 2:
      return 0;
    default:
      return TX_BUFFERS_GPA + random.below(0x1_0000);
  }
};

const u32 = (random: Random): number =>
  random.pick([0, 1, random.below(256), random.below(0x1_0000), Number(random.next64() & 0xffff_ffffn), ALL]);

export function e1000Subject(): NicSubject {
  const on = machine();
  const { card, ram, timers, link, mmio, ports } = on;
  let driver = new E1000Driver(on, RING_SIZE, RING_SIZE);
  driver.start(RCTL.broadcast | RCTL.unicast | RCTL.multicast);

  const queue = (random: Random): void => {
    const command = random.below(256);
    const isGood = random.below(4) !== 0;
    const gpa = isGood ? TX_BUFFERS_GPA + random.below(0x1_0000) : address(random, ram.sizeBytes);
    const length = isGood
      ? random.pick([14, 60, 500, 1000])
      : random.pick([0, 1514, random.below(0x1_0000), random.below(0x10_0000)]);
    switch (random.below(4)) {
      case 0:
        driver.queue(
          gpa,
          (length & 0xffff) | (random.below(80) << 16) | ((command & ~0x20) << 24),
          u32(random),
        );
        return;
      case 1: {
        const isSegmented = random.below(2) === 0 ? 4 : 0;
        const context = (0x20 | isSegmented | random.below(4)) << 24;
        const good = 14 + 24 * 256 + (34 + 50 * 256) * 2 ** 32;
        const places = random.below(2) === 0 ? good : Number(random.next64() & 0xf_ffff_ffff_ffffn);
        driver.queue(
          places,
          context,
          (random.pick([54, random.below(256)]) << 8) | (random.below(3000) << 16),
        );
        return;
      }
      default: {
        const kind = random.below(20) === 0 ? random.below(16) : 1;
        driver.queue(gpa, length | (kind << 20) | ((command | 0x20) << 24), u32(random));
      }
    }
  };

  const accessRegister = (random: Random): void => {
    const size = random.pick(SIZES);
    const value = size === 4 ? u32(random) : random.below(size === 2 ? 0x1_0000 : 256);
    const table = random.pick(TABLES) + 4 * random.below(256);
    const named = REG[random.pick(NAMES)] + (random.below(10) === 0 ? random.below(4) : 0);
    const offset = random.below(3) === 0 ? table : named;
    switch (random.below(6)) {
      case 0:
        return void mmio.readMmio(REGISTERS_GPA + offset, size);
      case 1:
        ports.writePort(IO_PORT, 4, offset);
        return void (random.below(2) === 0
          ? ports.readPort(IO_PORT + 4, 4)
          : ports.writePort(IO_PORT + 4, 4, value));
      case 2:
        return card.writeConfig(4, 2, random.below(3) === 0 ? random.below(8) : 7);
      default:
        return mmio.writeMmio(REGISTERS_GPA + offset, size, value);
    }
  };

  return {
    card,
    ram,
    timers,
    link,
    pass: (ns) => driver.pass(ns),
    step: (random) => {
      switch (random.below(16)) {
        case 0:
          return accessRegister(random);
        case 1:
          driver = new E1000Driver(on, RING_SIZE, RING_SIZE);
          card.writeConfig(4, 2, 7);
          driver.write("rdh", 0);
          driver.write("tdh", 0);
          driver.write("tdt", 0);
          return driver.start(random.below(2) === 0 ? u32(random) : RCTL.broadcast);
        case 2:
          return ram.writeU8(RX_RING_GPA + random.below(0x2_0000), random.below(256));
        case 3:
          return driver.offer(random.below(RING_SIZE));
        case 4: {
          const frame = TX_BUFFERS_GPA + random.below(0x1_0000);
          return ram.write(frame, Uint8Array.of(8, 0, random.pick([0x45, 0x60, random.below(256)])));
        }
        case 5:
        case 6:
        case 7:
          return driver.kick();
        default:
          return queue(random);
      }
    },
    useWell: (frame) => {
      card.reset();
      place(card);
      ram.fill(RX_RING_GPA, 0x2_0000, 0);
      const good = new E1000Driver(on, RING_SIZE, RING_SIZE);
      good.start();
      good.send(frame);
      return () => {
        const parts = good.received();
        assert.deepEqual(
          parts.map(({ status }) => status & 3),
          parts.map(() => 3),
        );
        return parts.map(({ bytes }) => Uint8Array.from(bytes));
      };
    },
  };
}
