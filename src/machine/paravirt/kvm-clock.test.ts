import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock, MiB, unwrap } from "../../base/index.ts";
import { createGuestRam } from "../../memory/index.ts";
import type { GuestRam } from "../../memory/index.ts";
import { KVM_CPUID, KvmClock } from "./index.ts";

const SYSTEM_TIME = 0x4b564d01;
const WALL_CLOCK = 0x4b564d00;

interface Bench {
  readonly ram: GuestRam;
  readonly clock: ManualClock;
  readonly kvmClock: KvmClock;
}

function bench(tscAtNs?: (ns: number) => bigint): Bench {
  const ram = unwrap(createGuestRam({ sizeBytes: 2 * MiB, reservedPrefixBytes: 0 }));
  const clock = new ManualClock(5_000_000_123);
  const wallClockNs = (): bigint => 1_800_000_005_000_000_130n;
  const parts = { ram, clock, wallClockNs, ...(tscAtNs === undefined ? {} : { tscAtNs }) };
  return { ram, clock, kvmClock: new KvmClock(parts) };
}

/** What a guest computes from the structure and its TSC (Linux's __pvclock_read_cycles). */
function guestNs(ram: GuestRam, gpa: number, tsc: bigint): bigint {
  const delta = (tsc - ram.readU64(gpa + 8)) << BigInt(ram.readU8(gpa + 28));
  return ram.readU64(gpa + 16) + ((delta * BigInt(ram.readU32(gpa + 24))) >> 32n);
}

test("a guest computes guest time from the structure and its TSC", () => {
  const { ram, kvmClock } = bench();
  assert.equal(kvmClock.writeMsr(SYSTEM_TIME, 0x3001n), true);
  assert.equal(guestNs(ram, 0x3000, 5_000_000_123n), 5_000_000_123n);
  assert.equal(guestNs(ram, 0x3000, 9_876_543_210_987n), 9_876_543_210_987n);
  assert.equal(ram.readU8(0x3000 + 29), 1);
});

test("a TSC that the guest has set is taken into account", () => {
  const { ram, kvmClock } = bench((ns) => BigInt(ns) + 1000n);
  kvmClock.writeMsr(SYSTEM_TIME, 0x3001n);
  assert.equal(guestNs(ram, 0x3000, 6_000_001_000n), 6_000_000_000n);
});

test("the version is even when the structure is complete, and changes with each update", () => {
  const { ram, kvmClock } = bench();
  ram.writeU32(0x3000, 7);
  kvmClock.writeMsr(SYSTEM_TIME, 0x3001n);
  assert.equal(ram.readU32(0x3000), 8);
  kvmClock.writeMsr(SYSTEM_TIME, 0x3001n);
  assert.equal(ram.readU32(0x3000), 10);
});

test("without the enable bit nothing is written", () => {
  const { ram, kvmClock } = bench();
  kvmClock.writeMsr(SYSTEM_TIME, 0x3000n);
  assert.equal(ram.readU32(0x3000 + 24), 0);
  assert.equal(kvmClock.readMsr(SYSTEM_TIME), 0x3000n);
});

test("the wall clock holds the time at which guest time was zero", () => {
  const { ram, kvmClock } = bench();
  kvmClock.writeMsr(WALL_CLOCK, 0x4000n);
  assert.deepEqual([ram.readU32(0x4004), ram.readU32(0x4008)], [1_800_000_000, 7]);
});

test("an address outside RAM writes nothing and is counted", () => {
  const { ram, kvmClock } = bench();
  kvmClock.writeMsr(SYSTEM_TIME, BigInt(2 * MiB - 16) | 1n);
  kvmClock.writeMsr(WALL_CLOCK, 0xffff_ffff_ffff_f000n);
  assert.equal(kvmClock.refusedAddresses, 2);
  assert.equal(
    ram.bytes.some((byte) => byte !== 0),
    false,
  );
});

test("other MSRs are not the clock's", () => {
  const { kvmClock } = bench();
  assert.equal(kvmClock.readMsr(0x10), undefined);
  assert.equal(kvmClock.writeMsr(0x4b564d02, 1n), false);
});

test("a restored clock has the saved registers", () => {
  const { kvmClock } = bench();
  kvmClock.writeMsr(0x12, 0x3001n);
  kvmClock.writeMsr(0x11, 0x4000n);
  const other = bench().kvmClock;
  other.restore(kvmClock.save());
  assert.deepEqual([other.readMsr(SYSTEM_TIME), other.readMsr(WALL_CLOCK)], [0x3001n, 0x4000n]);
  other.reset();
  assert.equal(other.readMsr(SYSTEM_TIME), 0n);
});

test("CPUID spells KVM's signature and announces the clock", () => {
  const [signature, features] = KVM_CPUID;
  const registers = new DataView(new ArrayBuffer(12));
  [signature?.ebx, signature?.ecx, signature?.edx].forEach((value, index) =>
    registers.setUint32(index * 4, value ?? 0, true),
  );
  assert.equal(new TextDecoder().decode(registers), "KVMKVMKVM\0\0\0");
  assert.equal((features?.eax ?? 0) & 0x0100000b, 0x0100000b);
});
