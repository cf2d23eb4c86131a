import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import * as L from "../layout.ts";
import {
  ACCESS_CODE,
  CODE0,
  CS,
  DS,
  FLAT64,
  PAGE_TABLES,
  SPARE,
  SystemFixture,
  TSS,
  descriptor,
} from "./system-fixture.ts";

const cpu = await SystemFixture.start();

const OPERAND = L.TEMP;
const { GPR_RAX: RAX, GPR_RBX: RBX, GPR_RCX: RCX, GPR_RDX: RDX } = L;
const IF = 0x200;

function writeCr(number: number, value: bigint | number): string {
  cpu.setState64(OPERAND, value);
  return cpu.call("movtocr", 0, OPERAND, number);
}

function writeMsr(index: number, value: bigint): string {
  cpu.setState64(RCX, index);
  cpu.setState64(RAX, value & 0xffffffffn);
  cpu.setState64(RDX, value >> 32n);
  return cpu.call("wrmsr");
}

beforeEach(() => {
  cpu.reset();
});

describe("reset", () => {
  it("leaves the processor at F000:FFF0 in real mode", () => {
    assert.deepEqual([cpu.selector(CS), cpu.base(CS), cpu.state64(L.RIP)], [0xf000, 0xffff_0000n, 0xfff0n]);
    assert.deepEqual([cpu.state64(L.CR0), cpu.flags], [0x6000_0010n, 2]);
    assert.equal(cpu.state32(L.MODE), L.MODE_REAL | L.MODE_NO_SSE | L.MODE_DIRECT);
    assert.deepEqual([cpu.state64(L.DR + 48), cpu.state64(L.DR + 56)], [0xffff0ff0n, 0x400n]);
  });
});

describe("CR0", () => {
  it("refuses combinations that make no sense", () => {
    assert.equal(writeCr(0, 0x80000010), "#13(0)");
    assert.equal(writeCr(0, 0x20000011), "#13(0)");
    cpu.enterLong();
    assert.equal(writeCr(0, 0x1_80000011n), "#13(0)");
  });

  it("setting PE leaves real mode with the same code segment", () => {
    assert.equal(writeCr(0, 0x11), "ok");
    assert.equal(cpu.state32(L.MODE) & (L.MODE_REAL | L.MODE_CODE_SIZE), 0);
    assert.equal(writeCr(0, 0x10), "ok");
    assert.equal(cpu.state32(L.MODE) & L.MODE_REAL, L.MODE_REAL);
  });

  it("PG with EFER.LME enters IA-32e mode, from compatibility code, and PG off leaves it", () => {
    cpu.enterProtected();
    cpu.setState64(L.EFER, 0x100);
    cpu.setState64(L.CR3, PAGE_TABLES);
    assert.equal(writeCr(0, 0x80000011), "#13(0)");
    cpu.setState64(L.CR4, 0x20);
    assert.equal(writeCr(0, 0x80000011), "ok");
    assert.equal(cpu.state64(L.EFER), 0x500n);
    assert.equal(cpu.state32(L.MODE) & L.MODE_CODE_SIZE, 1);
    assert.equal(writeCr(0, 0x11), "ok");
    assert.equal(cpu.state64(L.EFER), 0x100n);
  });

  it("PG does not go off in 64-bit code", () => {
    cpu.enterLong();
    assert.equal(writeCr(0, 0x11), "#13(0)");
    assert.equal(writeCr(4, 0), "#13(0)");
  });

  it("PG with PAE checks the page-directory pointers", () => {
    cpu.enterProtected();
    cpu.setState64(L.CR4, 0x20);
    cpu.setState64(L.CR3, 0x5000);
    cpu.setRam64(0x5008, 0x6003);
    assert.equal(writeCr(0, 0x80000011), "#13(0)");
    cpu.setRam64(0x5008, 0x6001);
    assert.equal(writeCr(0, 0x80000011), "ok");
    cpu.setRam64(0x7000, 0x6003);
    assert.equal(writeCr(3, 0x7000), "#13(0)");
    assert.equal(cpu.state64(L.CR3), 0x5000n);
  });

  it("TS and EM show in the translation mode; CLTS and LMSW", () => {
    cpu.enterProtected();
    assert.equal(writeCr(0, 0x1d), "ok");
    assert.equal(cpu.state32(L.MODE) & (L.MODE_FPU_TS | L.MODE_FPU_EM), L.MODE_FPU_TS | L.MODE_FPU_EM);
    assert.equal(cpu.call("clts"), "ok");
    assert.equal(cpu.state32(L.MODE) & L.MODE_FPU_TS, 0);
    cpu.setState64(OPERAND, 0xfff2);
    assert.equal(cpu.call("lmsw", 0, OPERAND), "ok");
    assert.equal(cpu.state64(L.CR0), 0x13n);
  });

  it("a change of WP empties the TLB", () => {
    cpu.enterLong();
    cpu.run("slowWrite8", 0x5000n, 1);
    const flushes = cpu.state64(L.STAT_TLB_FLUSHES);
    assert.equal(writeCr(0, 0x80000011), "ok");
    assert.equal(cpu.state64(L.STAT_TLB_FLUSHES), flushes + 1n);
  });
});

describe("CR4 and the others", () => {
  it("CR4 has the basic bits and, of later ones, those that CPUID advertises", () => {
    assert.equal(writeCr(4, 0x2000), "#13(0)");
    assert.equal(writeCr(4, 0x1), "#13(0)");
    assert.equal(writeCr(4, 0x10_0000), "ok");
    assert.equal(writeCr(4, 0x4_0000), "#13(0)");
    // TSD, DE, PSE, PAE, MCE, PGE, PCE, OSFXSR, OSXMMEXCPT.
    assert.equal(writeCr(4, 0x7fc), "ok");
    assert.equal(cpu.state32(L.MODE) & L.MODE_NO_SSE, 0);
    cpu.setCpuid([]);
    for (const bit of [0x4, 0x40, 0x200, 0x400, 0x10_0000]) assert.equal(writeCr(4, bit), "#13(0)");
    assert.equal(writeCr(4, 0x1b8), "ok");
  });

  it("CR3 refuses addresses that cannot exist", () => {
    cpu.enterLong();
    assert.equal(writeCr(3, 1n << 40n), "#13(0)");
    assert.equal(writeCr(3, BigInt(PAGE_TABLES) | 0x18n), "ok");
  });

  it("CR8 is the task priority of the local APIC", () => {
    cpu.enterLong();
    assert.equal(writeCr(8, 5), "ok");
    assert.deepEqual(cpu.accesses, [{ what: "task priority", at: 0, size: 0, value: 5 }]);
    assert.equal(cpu.call("movfromcr", RBX, 0, 8), "ok");
    assert.equal(cpu.state64(RBX), 5n);
    assert.equal(writeCr(8, 16), "#13(0)");
  });

  it("belong to ring 0", () => {
    cpu.enterLong(3);
    assert.equal(writeCr(3, 0), "#13(0)");
    for (const name of [
      "movfromcr",
      "movtodr",
      "movfromdr",
      "clts",
      "lmsw",
      "invlpg",
      "invd",
      "wbinvd",
      "hlt",
    ]) {
      assert.equal(cpu.call(name, RBX, OPERAND, 0), "#13(0)", name);
    }
    for (const name of ["rdmsr", "wrmsr", "cli", "sti"]) assert.equal(cpu.call(name), "#13(0)", name);
  });
});

describe("PCIDs", () => {
  const PCIDE = 1 << 17;
  const NO_FLUSH = 1n << 63n;
  const PCID_IN_CPUID = [
    [1, 0, 0, 0, 1 << 17, 0],
    [7, 0, 0, 1 << 10, 0, 0],
  ];
  /** The page that a test caches, and whether it still is. */
  const PAGE = 0x5000n;
  const cached = (): boolean =>
    cpu.state64(L.TLB_KERNEL_READ + (Number(PAGE >> 8n) & L.TLB_INDEX_MASK)) === PAGE;
  const GLOBAL = 0x6000n;
  const globalCached = (): boolean =>
    cpu.state64(L.TLB_KERNEL_READ + (Number(GLOBAL >> 8n) & L.TLB_INDEX_MASK)) === GLOBAL;
  const fill = (): void => {
    cpu.run("slowRead8", PAGE);
    cpu.run("slowRead8", GLOBAL);
    assert.ok(cached() && globalCached());
  };

  /** INVPCID with its descriptor in memory. */
  function invpcid(type: bigint, context: bigint, address = 0n): string {
    cpu.setRam64(0x7000, context);
    cpu.setRam64(0x7008, address);
    cpu.setState64(OPERAND, type);
    cpu.setState64(OPERAND + 8, 0x7000);
    return cpu.call("invpcid", OPERAND, OPERAND + 8);
  }

  beforeEach(() => {
    cpu.enterLong();
    cpu.setCpuid(PCID_IN_CPUID);
    cpu.mapLong(GLOBAL, 0x6000, 0x107);
    assert.equal(writeCr(4, 0xa0 | PCIDE), "ok");
  });

  it("CR4.PCIDE needs CPUID, IA-32e mode and PCID 0", () => {
    assert.equal(writeCr(4, 0xa0), "ok");
    cpu.setState64(L.CR3, PAGE_TABLES + 1);
    assert.equal(writeCr(4, 0xa0 | PCIDE), "#13(0)");
    cpu.setState64(L.CR3, PAGE_TABLES);
    cpu.setCpuid([]);
    assert.equal(writeCr(4, 0xa0 | PCIDE), "#13(0)");
    cpu.setCpuid(PCID_IN_CPUID);
    cpu.reset();
    cpu.enterProtected();
    cpu.setCpuid(PCID_IN_CPUID);
    assert.equal(writeCr(4, 0x20 | PCIDE), "#13(0)");
  });

  it("paging stays on while they are in use", () => {
    cpu.setSegment(CS, CODE0, 0xc09b, 0, 0xffffffff);
    cpu.run("updateMode");
    assert.equal(writeCr(0, 0x11), "#13(0)");
    assert.equal(writeCr(4, 0xa0), "ok");
    assert.equal(writeCr(0, 0x11), "ok");
  });

  it("bit 63 of what is written to CR3 keeps translations and is not stored; without PCIDE it is reserved", () => {
    fill();
    assert.equal(writeCr(3, BigInt(PAGE_TABLES) | NO_FLUSH), "ok");
    assert.equal(cpu.state64(L.CR3), BigInt(PAGE_TABLES));
    assert.ok(cached());
    assert.equal(writeCr(3, PAGE_TABLES), "ok");
    assert.deepEqual([cached(), globalCached()], [false, true]);
    assert.equal(writeCr(3, BigInt(PAGE_TABLES) | (1n << 62n)), "#13(0)");
    assert.equal(writeCr(4, 0xa0), "ok");
    assert.equal(writeCr(3, BigInt(PAGE_TABLES) | NO_FLUSH), "#13(0)");
  });

  it("no translation of one PCID serves another", () => {
    fill();
    assert.equal(writeCr(3, BigInt(PAGE_TABLES + 1) | NO_FLUSH), "ok");
    assert.deepEqual([cached(), globalCached()], [false, true]);
    assert.equal(cpu.run("translate", PAGE, 0, 0), 0x5000, "the PCID is no part of the table's address");
  });

  it("INVPCID drops an address, a context, everything with and without global pages", () => {
    fill();
    assert.equal(invpcid(0n, 7n, PAGE), "ok");
    assert.ok(cached(), "of another PCID");
    assert.equal(invpcid(0n, 0n, PAGE), "ok");
    assert.deepEqual([cached(), globalCached()], [false, true]);
    fill();
    assert.equal(invpcid(1n, 7n), "ok");
    assert.ok(cached(), "of another PCID");
    assert.equal(invpcid(1n, 0n), "ok");
    assert.deepEqual([cached(), globalCached()], [false, true]);
    fill();
    assert.equal(invpcid(3n, 7n), "ok");
    assert.deepEqual([cached(), globalCached()], [false, true]);
    fill();
    assert.equal(invpcid(2n, 7n), "ok");
    assert.deepEqual([cached(), globalCached()], [false, false]);
  });

  it("INVPCID refuses what it does not know", () => {
    assert.equal(invpcid(4n, 0n), "#13(0)");
    assert.equal(invpcid(1n, 0x1000n), "#13(0)");
    assert.equal(invpcid(0n, 0n, 0x8000_0000_0000n), "#13(0)");
    assert.equal(invpcid(1n, 0n, 0x8000_0000_0000n), "ok", "the address means nothing then");
    assert.equal(writeCr(4, 0xa0), "ok");
    assert.equal(invpcid(1n, 1n), "#13(0)", "without PCIDE there is PCID 0 alone");
    assert.equal(invpcid(2n, 1n), "ok");
    cpu.setState32(L.CPL, 3);
    assert.equal(invpcid(2n, 0n), "#13(0)");
  });
});

describe("debug registers", () => {
  it("keep their fixed bits", () => {
    cpu.enterLong();
    cpu.setState64(OPERAND, 0xffff_ffffn);
    assert.equal(cpu.call("movtodr", 0, OPERAND, 6), "ok");
    assert.equal(cpu.state64(L.DR + 48), 0xffffefffn);
    cpu.setState64(OPERAND, 0);
    cpu.call("movtodr", 0, OPERAND, 7);
    cpu.call("movfromdr", RBX, 0, 7);
    assert.equal(cpu.state64(RBX), 0x400n);
    cpu.setState64(OPERAND, 1n << 32n);
    assert.equal(cpu.call("movtodr", 0, OPERAND, 7), "#13(0)");
  });

  it("DR4 is DR6 unless CR4.DE is set", () => {
    cpu.call("movfromdr", RBX, 0, 4);
    assert.equal(cpu.state64(RBX), 0xffff0ff0n);
    cpu.setState64(L.CR4, 8);
    assert.equal(cpu.call("movfromdr", RBX, 0, 4), "#6");
  });

  it("DR7.GD guards them until #DB is delivered", () => {
    cpu.setState64(L.DR + 56, 0x2400);
    assert.equal(cpu.call("movfromdr", RBX, 0, 0), "#1");
    assert.equal(cpu.state64(L.DR + 48), 0xffff2ff0n);
    assert.equal(cpu.call("movfromdr", RBX, 0, 0), "#1");
    cpu.run("enterDebugHandler");
    assert.equal(cpu.call("movfromdr", RBX, 0, 0), "ok");
  });
});

describe("flags", () => {
  it("STI puts its shadow over the next instruction, unless IF was set", () => {
    assert.equal(cpu.call("sti"), "ok");
    assert.deepEqual([cpu.flags & IF, cpu.state32(L.INTERRUPT_SHADOW)], [IF, 1]);
    cpu.setState32(L.INTERRUPT_SHADOW, 0);
    cpu.call("sti");
    assert.equal(cpu.state32(L.INTERRUPT_SHADOW), 0);
    cpu.call("cli");
    assert.equal(cpu.flags & IF, 0);
  });

  it("IOPL lets user code change IF", () => {
    cpu.enterLong(3);
    cpu.flags = 0x3000;
    assert.equal(cpu.call("sti"), "ok");
    assert.equal(cpu.flags & IF, IF);
  });

  it("PUSHF hides RF and VM; POPF in ring 3 keeps IF and IOPL", () => {
    cpu.enterLong(3);
    cpu.flags = IF | 0xc5;
    assert.equal(cpu.call("pushf", 0, 0, 8), "ok");
    assert.equal(cpu.state64(L.GPR_RSP), 0x7ff8n);
    assert.equal(cpu.ram64(0x7ff8), BigInt(IF | 0xc7));
    cpu.setRam64(0x7ff8, 0x25_3d00n);
    assert.equal(cpu.call("popf", 0, 0, 8), "ok");
    assert.equal(cpu.flags, 0x24_0d00 | IF | 2);
    assert.equal(cpu.state32(L.MODE) & L.MODE_STEP, L.MODE_STEP);
  });

  it("a 16-bit POPF keeps the upper flags", () => {
    cpu.enterProtected(0);
    cpu.flags = 0x24_0002;
    cpu.setRam16(0x8000, 0x3ed7);
    assert.equal(cpu.call("popf", 0, 0, 2), "ok");
    assert.equal(cpu.flags, 0x24_3ed7);
    assert.equal(cpu.state64(L.GPR_RSP), 0x8002n);
  });

  it("PUSHF faults as a stack access", () => {
    cpu.enterLong(0);
    cpu.setState64(L.GPR_RSP, 0x0000_8000_0000_0008n);
    assert.equal(cpu.call("pushf", 0, 0, 8), "#12(0)");
  });

  it("HLT stops the processor", () => {
    assert.equal(cpu.call("hlt"), "ok");
    assert.equal(cpu.state32(L.HALTED), 1);
  });
});

describe("CPUID", () => {
  function cpuid(leaf: number, subleaf = 0): bigint[] {
    cpu.setState64(RAX, leaf);
    cpu.setState64(RCX, subleaf);
    assert.equal(cpu.call("cpuid"), "ok");
    return [RAX, RBX, RCX, RDX].map((register) => cpu.state64(register));
  }

  it("answers from the table, whatever ECX holds for leaves without subleaves", () => {
    assert.deepEqual(cpuid(0, 77), [13n, 0x756e6547n, 0x6c65746en, 0x49656e69n]);
    assert.deepEqual(cpuid(7, 0)[2], 4n);
    assert.deepEqual(cpuid(7, 1), [0n, 0n, 0n, 0n]);
    assert.deepEqual(cpuid(0x4000_0000), [0n, 0n, 0n, 0n]);
  });

  it("shows CR4.OSXSAVE in leaf 1", () => {
    assert.equal((cpuid(1)[2] ?? 0n) & (1n << 27n), 0n);
    cpu.setState64(L.CR4, 1n << 18n);
    assert.equal((cpuid(1)[2] ?? 0n) & (1n << 27n), 1n << 27n);
  });
});

describe("ports", () => {
  it("IN writes as much of RAX as it reads", () => {
    cpu.deviceValue = 0x1234_5678;
    cpu.setState64(RAX, -1n);
    cpu.setState64(RDX, 0xabc);
    assert.equal(cpu.call("in", 0, 0, 1 | (0x64 << 8)), "ok");
    assert.equal(cpu.state64(RAX), 0xffff_ffff_ffff_ff78n);
    assert.equal(cpu.call("in", 0, 0, 4 | 0x1000000), "ok");
    assert.equal(cpu.state64(RAX), 0x1234_5678n);
    assert.deepEqual(cpu.accesses, [
      { what: "in", at: 0x64, size: 1 },
      { what: "in", at: 0xabc, size: 4 },
    ]);
  });

  it("OUT sends as much of RAX as it writes", () => {
    cpu.setState64(RAX, 0xaabb_ccdd);
    cpu.call("out", 0, 0, 2 | (0x80 << 8));
    assert.deepEqual(cpu.accesses, [{ what: "out", at: 0x80, size: 2, value: 0xccdd }]);
  });

  it("without IOPL the TSS's bitmap decides", () => {
    cpu.enterLong(3);
    cpu.setRam16(TSS + 0x66, 0x68);
    assert.equal(cpu.call("in", 0, 0, 1 | (0x40 << 8)), "#13(0)");
    cpu.setState32(L.SEG + L.SEG_TR * L.SEG_STRIDE + L.SEG_LIMIT, 0x67 + 17);
    cpu.setRam8(TSS + 0x68 + 8, 0xe0);
    assert.equal(cpu.call("in", 0, 0, 1 | (0x44 << 8)), "ok");
    assert.equal(cpu.call("in", 0, 0, 1 | (0x45 << 8)), "#13(0)");
    assert.equal(cpu.call("in", 0, 0, 2 | (0x44 << 8)), "#13(0)");
    assert.equal(cpu.call("in", 0, 0, 4 | (0x41 << 8)), "ok");
    assert.equal(cpu.call("in", 0, 0, 1 | (0x80 << 8)), "#13(0)");
    cpu.flags = 0x3000;
    assert.equal(cpu.call("in", 0, 0, 1 | (0x80 << 8)), "ok");
  });
});

describe("the way into 64-bit mode", () => {
  it("is the one that kernels take", () => {
    cpu.enterProtected();
    cpu.enterLong();
    cpu.setState64(L.CR0, 0x11);
    cpu.setState64(L.EFER, 0);
    cpu.setState64(L.CR4, 0);
    cpu.setSegment(CS, CODE0, 0xc09b, 0, 0xffffffff);
    cpu.run("updateMode");
    cpu.at(0x40_0000, 3);
    assert.equal(writeCr(4, 0x20), "ok");
    assert.equal(writeMsr(0xc0000080, 0x100n), "ok");
    assert.equal(writeCr(0, 0x80000011), "ok");
    cpu.setDescriptor(SPARE, descriptor(0, 0xfffff, ACCESS_CODE, FLAT64));
    cpu.setState64(OPERAND, 0x1234);
    cpu.setState64(OPERAND + 8, SPARE);
    assert.equal(cpu.call("jmpfar", OPERAND, OPERAND + 8, 4), "ok");
    assert.equal(cpu.state32(L.MODE) & (L.MODE_CODE_SIZE | L.MODE_FLAT), 2 | L.MODE_FLAT);
    cpu.setState64(OPERAND, 0);
    assert.equal(cpu.call("loadseg", 0, OPERAND, DS), "ok");
    assert.equal(cpu.state32(L.MODE) & L.MODE_FLAT, L.MODE_FLAT);
  });
});
