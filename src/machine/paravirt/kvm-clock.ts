/**
 * kvmclock, the paravirtual clock of Linux and others (Linux kernel documentation, virt/kvm/x86/msr.rst, cpuid.rst
 * and the pvclock ABI): with it a guest knows its TSC's frequency and the time at once, without calibration loops.
 *
 * The guest writes the address of a structure to an MSR, and the structure tells how to turn TSC readings into
 * nanoseconds. Our TSC counts guest time at 1 GHz, so the structure is written once, when the guest asks, and again
 * only if the guest sets its TSC. Missing on purpose: steal time, asynchronous page faults, paravirtual EOI and hypercalls, none of which is
 * advertised.
 */

import { joinU64, NS_PER_S, splitU64 } from "../../base/index.ts";
import type { Clock } from "../../base/index.ts";
import type { Device, DeviceState } from "../../hw/index.ts";
import { StateReader } from "../../hw/index.ts";
import type { GuestRam } from "../../memory/index.ts";

/** The rate of the virtual TSC: one tick per nanosecond of guest time. */
export const TSC_HZ = NS_PER_S;

export interface CpuidLeaf {
  readonly leaf: number;
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
}

const SIGNATURE_LEAF = 0x40000000;
const FEATURES_LEAF = 0x40000001;
const TIMING_LEAF = 0x40000010;
/** Bits of the features leaf. */
const FEATURE = {
  clockSource: 1 << 0,
  /** Port I/O needs no delays: saves thousands of exits to port 0x80. */
  nopIoDelay: 1 << 1,
  clockSource2: 1 << 3,
  /** The clock never steps between processors. */
  clockSourceStable: 1 << 24,
} as const;

/** What CPUID must answer for the hypervisor range, when its leaf 1 sets the hypervisor bit (ECX bit 31). */
export const KVM_CPUID: readonly CpuidLeaf[] = [
  // "KVMKVMKVM\0\0\0"
  { leaf: SIGNATURE_LEAF, eax: TIMING_LEAF, ebx: 0x4b4d564b, ecx: 0x564b4d56, edx: 0x0000004d },
  {
    leaf: FEATURES_LEAF,
    eax: FEATURE.clockSource | FEATURE.nopIoDelay | FEATURE.clockSource2 | FEATURE.clockSourceStable,
    ebx: 0,
    ecx: 0,
    edx: 0,
  },
  // TSC and local APIC bus frequency in kHz; the APIC timer counts TSC ticks.
  { leaf: TIMING_LEAF, eax: TSC_HZ / 1000, ebx: TSC_HZ / 1000, ecx: 0, edx: 0 },
];

/** Old and new numbers of the same two registers. */
const MSR_WALL_CLOCK = [0x11, 0x4b564d00] as const;
const MSR_SYSTEM_TIME = [0x12, 0x4b564d01] as const;
const SYSTEM_TIME_ENABLED = 1n;

/** struct pvclock_vcpu_time_info: nanoseconds = system_time + (((tsc − tsc_timestamp) << shift) · mul) >> 32. */
const TIME_INFO = {
  bytes: 32,
  version: 0,
  tscTimestamp: 8,
  systemTime: 16,
  mul: 24,
  shift: 28,
  flags: 29,
} as const;
/** 2^31 after a shift by one: each tick is one nanosecond. */
const MUL_ONE_HALF = 0x80000000;
const SHIFT_BY_ONE = 1;
const FLAG_TSC_STABLE = 1;
/** struct pvclock_wall_clock. */
const WALL_CLOCK = { bytes: 12, version: 0, seconds: 4, nanoseconds: 8 } as const;

export interface KvmClockParts {
  readonly ram: GuestRam;
  readonly clock: Clock;
  /** Nanoseconds since 1970 (UTC) at this moment. */
  readonly wallClockNs: () => bigint;
  /** The TSC at a guest time; its own clock unless the guest has written the TSC. */
  readonly tscAtNs?: (ns: number) => bigint;
}

/** The MSRs of one vCPU. */
export class KvmClock implements Device {
  readonly name: string;
  readonly #parts: KvmClockParts;
  #wallClock = 0n;
  #systemTime = 0n;
  #refusedAddresses = 0;

  constructor(parts: KvmClockParts, vcpuIndex = 0) {
    this.#parts = parts;
    this.name = `kvm-clock${vcpuIndex}`;
  }

  /** How often a guest asked for a structure outside its RAM: nothing was written. */
  get refusedAddresses(): number {
    return this.#refusedAddresses;
  }

  /** Undefined for MSRs that are not this clock's. */
  readMsr(index: number): bigint | undefined {
    if (index === MSR_WALL_CLOCK[0] || index === MSR_WALL_CLOCK[1]) return this.#wallClock;
    if (index === MSR_SYSTEM_TIME[0] || index === MSR_SYSTEM_TIME[1]) return this.#systemTime;
    return undefined;
  }

  /** False for MSRs that are not this clock's. */
  writeMsr(index: number, value: bigint): boolean {
    if (index === MSR_WALL_CLOCK[0] || index === MSR_WALL_CLOCK[1]) {
      this.#wallClock = value;
      this.#writeWallClock();
      return true;
    }
    if (index === MSR_SYSTEM_TIME[0] || index === MSR_SYSTEM_TIME[1]) {
      this.#systemTime = value;
      this.#writeTimeInfo();
      return true;
    }
    return false;
  }

  /** The guest has set its TSC. */
  tscChanged(): void {
    this.#writeTimeInfo();
  }

  reset(): void {
    this.#wallClock = 0n;
    this.#systemTime = 0n;
  }

  save(): DeviceState {
    return { wallClock: { ...splitU64(this.#wallClock) }, systemTime: { ...splitU64(this.#systemTime) } };
  }

  /** RAM holds the structures already, and the restored clock goes on where the saved one stopped. */
  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    this.#wallClock = readU64(reader.child("wallClock"));
    this.#systemTime = readU64(reader.child("systemTime"));
  }

  #writeTimeInfo(): void {
    if ((this.#systemTime & SYSTEM_TIME_ENABLED) === 0n) return;
    const gpa = this.#structureAt(this.#systemTime & ~SYSTEM_TIME_ENABLED, TIME_INFO.bytes);
    if (gpa === undefined) return;
    const { ram, clock, tscAtNs } = this.#parts;
    const ns = clock.nowNs();
    const version = beginUpdate(ram, gpa + TIME_INFO.version);
    ram.writeU64(gpa + TIME_INFO.tscTimestamp, tscAtNs === undefined ? BigInt(ns) : tscAtNs(ns));
    ram.writeU64(gpa + TIME_INFO.systemTime, BigInt(ns));
    ram.writeU32(gpa + TIME_INFO.mul, MUL_ONE_HALF);
    ram.writeU8(gpa + TIME_INFO.shift, SHIFT_BY_ONE);
    ram.writeU8(gpa + TIME_INFO.flags, FLAG_TSC_STABLE);
    ram.writeU32(gpa + TIME_INFO.version, version);
  }

  /** The wall clock structure holds the time at which guest time was zero. */
  #writeWallClock(): void {
    const gpa = this.#structureAt(this.#wallClock, WALL_CLOCK.bytes);
    if (gpa === undefined) return;
    const { ram, clock, wallClockNs } = this.#parts;
    const bootNs = wallClockNs() - BigInt(clock.nowNs());
    const version = beginUpdate(ram, gpa + WALL_CLOCK.version);
    ram.writeU32(gpa + WALL_CLOCK.seconds, Number((bootNs / BigInt(NS_PER_S)) & 0xffffffffn));
    ram.writeU32(gpa + WALL_CLOCK.nanoseconds, Number(bootNs % BigInt(NS_PER_S)));
    ram.writeU32(gpa + WALL_CLOCK.version, version);
  }

  #structureAt(address: bigint, sizeBytes: number): number | undefined {
    const gpa = address < 1n << 48n ? Number(address) : Number.MAX_SAFE_INTEGER;
    if (this.#parts.ram.contains(gpa, sizeBytes)) return gpa;
    this.#refusedAddresses++;
    return undefined;
  }
}

/** Makes the version odd while the structure is inconsistent, and returns the even one to finish with. */
function beginUpdate(ram: GuestRam, versionGpa: number): number {
  const odd = (ram.readU32(versionGpa) | 1) >>> 0;
  ram.writeU32(versionGpa, odd);
  return (odd + 1) >>> 0;
}

function readU64(reader: StateReader): bigint {
  return joinU64(reader.u32("lo"), reader.u32("hi"));
}
