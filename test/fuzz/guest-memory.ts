/**
 * The memory of a random guest: code, descriptor tables, page tables of every kind, and noise, all of it likely to
 * lead somewhere and some of it garbage. SDM 3A 3.4, 4.3–4.5, 6.11, 7.2.
 */
import type { CpuMode, Random } from "../oracle/index.ts";
import { likelyAddress, type Code } from "./instructions.ts";
import * as At from "./guest-layout.ts";

const chance = (random: Random, among: number): boolean => random.below(among) === 0;

/** Fills the code area with instructions from a pool; the guest ends up anywhere in them. */
export function writeCode(ram: Uint8Array, pool: readonly Code[], random: Random): void {
  for (let at = 0; at < At.CODE_END;) {
    const code = random.pick(pool);
    if (at + code.length > At.CODE_END) return;
    ram.set(code, at);
    at += code.length;
  }
}

export function writeTables(view: DataView, random: Random): void {
  for (let i = 1; i < 0x20; i++) view.setBigUint64(At.GDT + i * 8, descriptor(i, random), true);
  for (let i = 1; i < 0x20; i++)
    view.setBigUint64(At.LDT + i * 8, descriptor(random.below(0x20), random), true);
  writeTask(view, At.TSS, random);
  writePaging(view, random);
}

/** The first ones are what a kernel has, so that far transfers succeed at times; the others are anything. */
function descriptor(index: number, random: Random): bigint {
  const usual = [
    0x00cf9b000000ffffn, 0x00cf93000000ffffn, 0x00af9b000000ffffn, 0x00009b000000ffffn, 0x000093000000ffffn,
    0x00cffb000000ffffn, 0x00cff3000000ffffn, 0x00affb000000ffffn, 0x0000890220000067n | (BigInt(At.TSS & 0xffff) << 16n),
  ] as const; // prettier-ignore
  const known = usual[index - 1];
  if (known !== undefined && !chance(random, 20)) return known;
  const base = BigInt(chance(random, 3) ? 0 : likelyAddress(random));
  const limit = BigInt(random.pick([0, 0x67, 0xfff, 0xffff, 0xfffff, random.below(0x100000)]));
  const access = BigInt(
    random.pick([
      0x9b,
      0x93,
      0x97,
      0x89,
      0x8b,
      0x82,
      0x8c,
      0x84,
      0x85,
      0xec,
      0xfb,
      0xf3,
      0x9f,
      0x81,
      random.below(256),
    ]),
  );
  const flags = BigInt(random.below(16));
  return (
    (limit & 0xffffn) |
    ((base & 0xffffffn) << 16n) |
    (access << 40n) |
    ((limit >> 16n) << 48n) |
    (flags << 52n) |
    ((base >> 24n) << 56n)
  );
}

/** Gates in the form of the mode: 4 bytes in real mode, 16 in long mode, else 8. */
export function writeGates(view: DataView, entryBytes: 4 | 8 | 16, random: Random): void {
  for (let vector = 0; vector < 0x100; vector++) {
    const at = At.IDT + vector * entryBytes;
    const offset = random.below(At.CODE_END);
    if (entryBytes === 4) {
      view.setUint32(at, offset, true);
      continue;
    }
    const selector = chance(random, 12) ? random.below(0x100) : entryBytes === 16 ? 0x18 : 0x08;
    const type = chance(random, 12) ? random.below(256) : random.pick([0x8e, 0x8f, 0xee, 0x86, 0x87, 0x85]);
    const usable = entryBytes === 16 && (type & 0x1f) < 0xe ? 0x8e : type;
    view.setUint32(at, (selector << 16) | offset, true);
    view.setUint32(at + 4, (usable << 8) | (chance(random, 10) ? random.below(8) : 0), true);
    if (entryBytes === 16) view.setBigUint64(at + 8, chance(random, 50) ? random.next64() : 0n, true);
  }
}

/** A task state segment: in 64-bit mode stacks, else a whole task to switch to. */
function writeTask(view: DataView, at: number, random: Random): void {
  for (let i = 0; i < 0x68; i += 4) view.setUint32(at + i, At.STACK_TOP - random.below(0x2000), true);
  for (let i = 4; i < 0x68; i += 8) view.setUint32(at + i, chance(random, 2) ? 0 : 0x10, true);
}

/** Present and writable as a rule; with every bit that means something at times. */
const flagsOf = (random: Random): number =>
  chance(random, 12) ? random.below(0x200) : 0x07 | random.pick([0, 0x20, 0x60, 0x100]);

function writePaging(view: DataView, random: Random): void {
  const pages = At.RAM_SIZE_BYTES >> 12;
  for (let i = 0; i < 512; i++) {
    const page = chance(random, 16) ? random.below(pages + 8) : i % pages;
    const entry = (page << 12) | flagsOf(random);
    if (i < 512)
      view.setBigUint64(At.PAGE_TABLE + i * 8, BigInt(entry) | (chance(random, 40) ? 1n << 63n : 0n), true);
    view.setUint32(At.PAGE_TABLE_32 + i * 4, entry, true);
  }
  const set64 = (table: number, index: number, value: number): void => {
    const noise = chance(random, 60) ? random.next64() : 0n;
    view.setBigUint64(table + index * 8, BigInt(value) ^ noise, true);
  };
  for (const index of [0, 1, 2, 256, 511]) set64(At.PML4, index, At.POINTERS | flagsOf(random));
  for (const index of [0, 1, 3, 510, 511]) set64(At.POINTERS, index, At.DIRECTORY | flagsOf(random));
  for (let i = 0; i < 512; i++)
    set64(At.DIRECTORY, i, chance(random, 8) ? 0x80 | flagsOf(random) : At.PAGE_TABLE | flagsOf(random));
  for (let i = 0; i < 4; i++) set64(At.PAE_POINTERS, i, At.DIRECTORY | 1);
  for (let i = 0; i < 1024; i++)
    view.setUint32(
      At.PAGE_DIRECTORY + i * 4,
      (chance(random, 16) ? 0x80 : At.PAGE_TABLE_32) | flagsOf(random),
      true,
    );
}

export const entryBytesOf = (mode: CpuMode, real: boolean): 4 | 8 | 16 =>
  real ? 4 : mode === "long64" ? 16 : 8;
