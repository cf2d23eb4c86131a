import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { features } from "../../cpu/index.ts";
import * as L from "../layout.ts";
import { MACHINE_CHECK_BANKS, msrs, type MsrConstant, type MsrField } from "../x86/msr-table.ts";
import { SystemFixture } from "./system-fixture.ts";

const cpu = await SystemFixture.start();
const { GPR_RAX: RAX, GPR_RCX: RCX, GPR_RDX: RDX } = L;

const GP = "#13(0)";
const TSC = 0x10;
const TSC_ADJUST = 0x3b;
const EFER = 0xc0000080;

function readMsr(index: number): bigint | string {
  cpu.setState64(RCX, index);
  const outcome = cpu.call("rdmsr");
  return outcome === "ok" ? (cpu.state64(RDX) << 32n) | cpu.state64(RAX) : outcome;
}

function writeMsr(index: number, value: bigint): string {
  cpu.setState64(RCX, index);
  cpu.setState64(RAX, value & 0xffffffffn);
  cpu.setState64(RDX, value >> 32n);
  return cpu.call("wrmsr");
}

/** Leaf, subleaf, EAX, EBX, ECX, EDX: everything that MSRs depend on. */
const EVERYTHING: readonly (readonly number[])[] = [
  [1, 0, 0, 0, 0xffffffff, 0xffffffff],
  [7, 0, 2, 0xffffffff, 0xffffffff, 0xffffffff],
  [7, 2, 0, 0, 0, 0xffffffff],
  [0x80000001, 0, 0, 0, 0xffffffff, 0xffffffff],
];

const isField = (row: (typeof msrs)[number]): row is MsrField => row.kind === "field";
const isConstant = (row: (typeof msrs)[number]): row is MsrConstant => row.kind === "constant";
const fields = msrs.filter(isField);
const constants = msrs.filter(isConstant);
const bits = Array.from({ length: 64 }, (_, i) => 1n << BigInt(i));
/** A value that every check accepts and that sets some writable bits. */
const acceptable = (row: MsrField): bigint =>
  row.writable & (row.check === "canonical" ? 0xffff_9000_0000_5008n : 0x0606_0606_0606_0606n);

beforeEach(() => {
  cpu.reset();
  cpu.setCpuid(EVERYTHING);
  cpu.enterLong();
});

describe("speculation controls", () => {
  const SPEC_CTRL = 0x48;
  const PRED_CMD = 0x49;

  it("keep IBRS, STIBP, SSBD and BHI_DIS_S", () => {
    assert.equal(writeMsr(SPEC_CTRL, 0x407n), "ok");
    assert.equal(readMsr(SPEC_CTRL), 0x407n);
    assert.equal(writeMsr(SPEC_CTRL, 8n), GP);
    assert.equal(readMsr(SPEC_CTRL), 0x407n);
  });

  it("have no SSBD and no BHI_DIS_S where CPUID does not say so", () => {
    cpu.setCpuid([[7, 0, 0, 0, 0, 1 << 26]]);
    assert.equal(writeMsr(SPEC_CTRL, 4n), GP);
    assert.equal(writeMsr(SPEC_CTRL, 0x400n), GP);
    assert.equal(writeMsr(SPEC_CTRL, 3n), "ok");
    assert.equal(readMsr(SPEC_CTRL), 3n);
  });

  it("take the command IBPB and nothing else", () => {
    assert.equal(writeMsr(PRED_CMD, 1n), "ok");
    assert.equal(writeMsr(PRED_CMD, 0n), "ok");
    assert.equal(writeMsr(PRED_CMD, 2n), GP);
    assert.equal(readMsr(PRED_CMD), GP);
  });

  it("are not needed: the processor says that it has none of the weaknesses Linux knows", () => {
    const capabilities = readMsr(0x10a);
    assert.equal(capabilities, 0x4000_0000_0d10_e17bn);
  });
});

describe("the table of MSRs", () => {
  it("names each number once", () => {
    assert.equal(new Set(msrs.map(({ index }) => index)).size, msrs.length);
    assert.equal(new Set(msrs.map(({ name }) => name)).size, msrs.length);
  });

  it("says what each register holds after RESET", () => {
    for (const row of fields) cpu.setState64(row.field, 0x1234n);
    cpu.run("resetCpu");
    for (const row of fields) assert.equal(readMsr(row.index), row.reset, row.name);
    for (const row of constants) assert.equal(readMsr(row.index), row.value, row.name);
    assert.ok(fields.length > 40 && constants.length > 15);
  });

  it("lets writable bits be written and read back", () => {
    for (const row of fields) {
      assert.equal(writeMsr(row.index, acceptable(row)), "ok", row.name);
      assert.equal(readMsr(row.index), acceptable(row) | (row.reset & row.ignored), row.name);
    }
  });

  it("refuses every reserved bit, and changes nothing then", () => {
    let refused = 0;
    for (const row of fields) {
      const before = readMsr(row.index);
      for (const bit of bits.filter((each) => (each & (row.writable | row.ignored)) === 0n)) {
        assert.equal(writeMsr(row.index, bit), GP, `${row.name} ${bit.toString(16)}`);
        refused++;
      }
      assert.equal(readMsr(row.index), before, row.name);
    }
    assert.ok(refused > 500);
  });

  it("guards constants as each row says", () => {
    const other = (row: MsrConstant): string => (row.writes === "no effect" ? "ok" : GP);
    for (const row of constants) {
      assert.equal(writeMsr(row.index, row.value ^ 2n), other(row), row.name);
      assert.equal(writeMsr(row.index, row.value), row.writes === "fault" ? GP : "ok", row.name);
      assert.equal(readMsr(row.index), row.value, row.name);
    }
  });

  it("has registers only where CPUID has their feature", () => {
    cpu.setCpuid([]);
    const gated = msrs.filter(({ needs = [] }) => needs.length > 0);
    for (const row of gated) {
      cpu.hostMsrs.set(row.index, 0n);
      assert.equal(readMsr(row.index), GP, row.name);
      assert.equal(writeMsr(row.index, 0n), GP, row.name);
    }
    assert.ok(gated.some(({ index }) => index === 0x6e0) && gated.length > 10);
  });

  it("leaves the rest to the machine, or to nobody", () => {
    cpu.hostMsrs.set(0x1b, 0xfee00900n);
    assert.equal(readMsr(0x1b), 0xfee00900n);
    assert.equal(writeMsr(0x1b, 0x1_fee00800n), "ok");
    assert.equal(cpu.hostMsrs.get(0x1b), 0x1_fee00800n);
    // Performance counters, VMX, x2APIC, AMD's.
    for (const index of [0xc1, 0x186, 0x38f, 0x480, 0x802, 0xc0010015, 0x1234]) {
      assert.equal(readMsr(index), GP, index.toString(16));
      assert.equal(writeMsr(index, 0n), GP, index.toString(16));
    }
    assert.equal(cpu.call("rdpmc"), GP);
  });

  it("belongs to ring 0", () => {
    cpu.setState32(L.CPL, 3);
    assert.equal(readMsr(0x277), GP);
    assert.equal(writeMsr(0x277, 0n), GP);
  });
});

describe("single MSRs", () => {
  it("bases and entry points must be canonical", () => {
    assert.equal(writeMsr(0xc0000101, 0xffff_8000_1234_0000n), "ok");
    assert.equal(cpu.base(5), 0xffff_8000_1234_0000n);
    for (const index of [0xc0000082, 0xc0000083, 0xc0000100, 0xc0000101, 0xc0000102, 0x175, 0x176]) {
      assert.equal(writeMsr(index, 0x0000_8000_0000_0000n), GP, index.toString(16));
    }
  });

  it("PAT and MTRRs take memory types only", () => {
    assert.equal(writeMsr(0x277, 0x0007_0406_0007_0501n), "ok");
    for (const type of [2n, 3n, 8n, 0x10n]) {
      assert.equal(writeMsr(0x277, type << 56n), GP);
      assert.equal(writeMsr(0x250, type), GP);
      assert.equal(writeMsr(0x2ff, type), GP);
      assert.equal(writeMsr(0x200, type), GP);
    }
    assert.equal(writeMsr(0x26f, 7n), GP, "UC- is the PAT's alone");
    assert.equal(writeMsr(0x20e, 0xc000_0000n | 6n), "ok");
    assert.equal(writeMsr(0x20f, 0xff_c000_0800n), "ok");
    assert.equal(writeMsr(0x20f, 1n << 40n), GP, "beyond MAXPHYADDR");
  });

  it("EFER changes what CPUID advertises; LME only without paging; LMA never", () => {
    assert.equal(writeMsr(EFER, 0xd00n), "ok");
    assert.equal(readMsr(EFER), 0xd00n);
    assert.equal(writeMsr(EFER, 0xc00n), GP);
    assert.equal(writeMsr(EFER, 0x1d00n), GP);
    assert.equal(writeMsr(EFER, 0x900n), "ok");
    assert.equal(readMsr(EFER), 0xd00n);
    cpu.setCpuid([[0x80000001, 0, 0, 0, 0, 1 << 29]]);
    assert.equal(writeMsr(EFER, 0x500n), "ok");
    assert.equal(writeMsr(EFER, 0xd00n), GP, "NXE without NX");
    assert.equal(writeMsr(EFER, 0x501n), GP, "SCE without SYSCALL");
  });

  it("machine-check banks are there, empty", () => {
    assert.equal(readMsr(0x179), 0x100n | BigInt(MACHINE_CHECK_BANKS));
    const last = 0x400 + 4 * (MACHINE_CHECK_BANKS - 1);
    assert.equal(writeMsr(last, 0xffff_ffff_ffff_ffffn), "ok");
    assert.deepEqual([readMsr(last), readMsr(last + 1)], [0xffff_ffff_ffff_ffffn, 0n]);
    assert.equal(writeMsr(last + 1, 1n), GP, "a status can only be cleared");
    assert.equal(readMsr(last + 4), GP);
  });

  it("the microcode-update trigger is written only", () => {
    assert.equal(writeMsr(0x79, 0x1234_5678n), "ok");
    assert.equal(readMsr(0x79), GP);
  });
});

describe("the time-stamp counter", () => {
  it("counts nanoseconds and can be set, and the host hears its distance from guest time", () => {
    cpu.now = 5_000_000_000;
    assert.equal(readMsr(TSC), 5_000_000_000n);
    assert.equal(writeMsr(TSC, 100n), "ok");
    cpu.now += 17;
    assert.equal(cpu.call("rdtsc"), "ok");
    assert.deepEqual([cpu.state64(RAX), cpu.state64(RDX)], [117n, 0n]);
    assert.equal(cpu.tscOffset, 100n - 5_000_000_000n);
  });

  it("TSC_ADJUST sums what writes have added, and adds what is written to it", () => {
    cpu.now = 1000;
    assert.equal(writeMsr(TSC, 5000n), "ok");
    assert.equal(readMsr(TSC_ADJUST), 4000n);
    assert.equal(writeMsr(TSC_ADJUST, 10n), "ok");
    assert.equal(readMsr(TSC), 1010n);
    assert.equal(cpu.tscOffset, 10n);
    assert.equal(writeMsr(TSC, 0n), "ok");
    assert.equal(readMsr(TSC_ADJUST), 0x1_0000_0000_0000_0000n - 1000n);
  });

  it("begins at 0 after RESET, whatever guest time is", () => {
    cpu.now = 7777;
    writeMsr(TSC_ADJUST, 5n);
    cpu.run("resetCpu");
    assert.deepEqual([readMsr(TSC), readMsr(TSC_ADJUST), cpu.tscOffset], [0n, 0n, -7777n]);
  });

  it("CR4.TSD keeps RDTSC to ring 0", () => {
    cpu.setState64(L.CR4, 0x24);
    assert.equal(cpu.call("rdtsc"), "ok");
    cpu.setState32(L.CPL, 3);
    assert.equal(cpu.call("rdtsc"), GP);
    assert.equal(cpu.call("rdtscp"), GP);
  });

  it("RDTSCP tells TSC_AUX, which exists with it", () => {
    assert.equal(writeMsr(0xc0000103, 0x1234n), "ok");
    cpu.call("rdtscp");
    assert.equal(cpu.state64(RCX), 0x1234n);
    const [leaf, , bit] = features.rdtscp.cpuid;
    cpu.setCpuid([[leaf, 0, 0, 0, 0, 1 << bit]]);
    assert.equal(readMsr(0xc0000103), 0x1234n);
    cpu.setCpuid([]);
    assert.equal(readMsr(0xc0000103), GP);
  });
});
