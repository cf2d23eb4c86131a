/** Resource descriptors for _CRS and _PRS (ACPI 6.5 section 6.4), joined into a resource template. */

import { concatBytes } from "../../base/index.ts";
import { buffer } from "./aml.ts";
import type { Term } from "./aml.ts";
import { defineStruct, encodeStruct } from "./struct.ts";

export type Resource = Uint8Array;

/** ResourceTemplate(): the descriptors and an end tag whose checksum of 0 means "not computed". */
export function resourceTemplate(...resources: readonly Resource[]): Term {
  return buffer(concatBytes(...resources, Uint8Array.of(0x79, 0)));
}

/** IO(Decode16): a fixed range of ports. */
export function io(base: number, lengthBytes: number): Resource {
  const low = base & 0xff;
  const high = base >>> 8;
  return Uint8Array.of(0x47, 1, low, high, low, high, 1, lengthBytes);
}

/** IRQNoFlags: one ISA interrupt, edge-triggered, active high. */
export function isaIrq(irq: number): Resource {
  const mask = 1 << irq;
  return Uint8Array.of(0x22, mask & 0xff, mask >>> 8);
}

/** DMA(Compatibility): one ISA DMA channel of bytes, whose user is or is not the bus master. */
export function isaDma(channel: number, isBusMaster = false): Resource {
  return Uint8Array.of(0x2a, 1 << channel, isBusMaster ? 0x04 : 0x00);
}

export function memory32Fixed(gpa: number, lengthBytes: number): Resource {
  const LAYOUT = defineStruct([
    ["tag", "u8"],
    ["length", "u16"],
    ["information", "u8"],
    ["base", "u32"],
    ["size", "u32"],
  ]);
  return encodeStruct(LAYOUT, { tag: 0x86, length: 9, information: 1, base: gpa, size: lengthBytes });
}

/** Interrupt(ResourceConsumer, Level, ActiveHigh, Shared) with a choice of interrupts. */
export function sharedInterrupts(...gsis: readonly number[]): Resource {
  const CONSUMER_LEVEL_HIGH_SHARED = 0x09;
  const bytes = new Uint8Array(5 + 4 * gsis.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 0x89);
  view.setUint16(1, 2 + 4 * gsis.length, true);
  view.setUint8(3, CONSUMER_LEVEL_HIGH_SHARED);
  view.setUint8(4, gsis.length);
  gsis.forEach((gsi, index) => view.setUint32(5 + 4 * index, gsi, true));
  return bytes;
}

/** Where the interrupt number lies in a descriptor of {@link sharedInterrupts} with one choice. */
export const SHARED_INTERRUPT_OFFSET = 5;

const SPACE = { memory: 0, io: 1, bus: 2 } as const;
/** Resource producer, positive decode, minimum and maximum fixed. */
const FIXED_RANGE = 0x0c;
/** Ranges cover both ISA and non-ISA ports; memory is read-write, not cacheable. */
const TYPE_FLAGS = { memory: 0x01, io: 0x03, bus: 0x00 } as const;

const WORD_SPACE = defineStruct([
  ["tag", "u8"],
  ["length", "u16"],
  ["type", "u8"],
  ["flags", "u8"],
  ["typeFlags", "u8"],
  ["granularity", "u16"],
  ["minimum", "u16"],
  ["maximum", "u16"],
  ["translation", "u16"],
  ["size", "u16"],
]);

const DWORD_SPACE = defineStruct([
  ["tag", "u8"],
  ["length", "u16"],
  ["type", "u8"],
  ["flags", "u8"],
  ["typeFlags", "u8"],
  ["granularity", "u32"],
  ["minimum", "u32"],
  ["maximum", "u32"],
  ["translation", "u32"],
  ["size", "u32"],
]);

/** A range that a bridge passes on; `maximum` is inclusive. */
export function wordSpace(space: "io" | "bus", minimum: number, maximum: number): Resource {
  const range = { minimum, maximum, size: maximum - minimum + 1 };
  return encodeStruct(WORD_SPACE, {
    tag: 0x88,
    length: 13,
    type: SPACE[space],
    flags: FIXED_RANGE,
    typeFlags: TYPE_FLAGS[space],
    ...range,
  });
}

export function dwordMemory(minimum: number, maximum: number): Resource {
  const range = { minimum, maximum, size: maximum - minimum + 1 };
  return encodeStruct(DWORD_SPACE, {
    tag: 0x87,
    length: 23,
    type: SPACE.memory,
    flags: FIXED_RANGE,
    typeFlags: TYPE_FLAGS.memory,
    ...range,
  });
}
