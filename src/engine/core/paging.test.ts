import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import * as L from "../layout.ts";
import { PAGE_TABLES, RAM_SIZE, SystemFixture } from "./system-fixture.ts";

const cpu = await SystemFixture.start();

const READ = 0;
const WRITE = 1;
const EXECUTE = 2;
const SUPERVISOR = 0;
const USER = 1;
const FAULT = 0xffffffff;

/** Translates and says where to, or which fault is pending. */
function translate(gva: bigint, access: number, user: number): number | string {
  const gpa = cpu.run("translate", gva, access, user);
  return gpa === FAULT ? cpu.pending() : gpa;
}

const P = 1;
const W = 2;
const U = 4;
const A = 0x20;
const D = 0x40;
const PS = 0x80;
const G = 0x100;
const NX = 1n << 63n;

beforeEach(() => {
  cpu.reset();
});

describe("4-level paging", () => {
  const page = 0x40_0000n;
  beforeEach(() => {
    cpu.enterLong();
  });

  it("translates and keeps the offset", () => {
    cpu.mapLong(page, 0x12_3000, P | W | U);
    assert.equal(translate(page + 0xabcn, READ, SUPERVISOR), 0x12_3abc);
  });

  it("sets accessed bits at every level and dirty in the last by a write only", () => {
    cpu.mapLong(page, 0x12_3000, P | W | U);
    translate(page, READ, SUPERVISOR);
    assert.equal(cpu.ram32(cpu.longEntry(page)) & (A | D), A);
    assert.equal(cpu.ram32(PAGE_TABLES) & (A | D), A);
    translate(page, WRITE, SUPERVISOR);
    assert.equal(cpu.ram32(cpu.longEntry(page)) & (A | D), A | D);
    assert.equal(cpu.ram32(PAGE_TABLES + 0x2000 + 2 * 8) & (A | D), A);
  });

  it("reports what is not present with the access in the error code, and CR2's address", () => {
    cpu.mapLong(page, 0x12_3000, 0);
    assert.equal(translate(page + 5n, READ, SUPERVISOR), "#14(0)");
    assert.equal(cpu.state64(L.FAULT_ADDRESS), page + 5n);
    assert.equal(translate(page, WRITE, USER), "#14(6)");
    assert.equal(translate(page, EXECUTE, USER), "#14(20)");
    assert.equal(cpu.ram32(cpu.longEntry(page)) & (A | D), 0);
  });

  it("keeps users out of supervisor pages", () => {
    cpu.mapLong(page, 0x12_3000, P | W);
    assert.equal(translate(page, READ, USER), "#14(5)");
    assert.equal(translate(page, READ, SUPERVISOR), 0x12_3000);
  });

  it("needs the user bit at every level", () => {
    cpu.mapLong(page, 0x12_3000, P | W | U);
    cpu.setRam64(PAGE_TABLES, PAGE_TABLES + 0x1000 + (P | W));
    assert.equal(translate(page, READ, USER), "#14(5)");
  });

  it("lets supervisors write read-only pages only without CR0.WP", () => {
    cpu.mapLong(page, 0x12_3000, P | U);
    assert.equal(translate(page, WRITE, SUPERVISOR), "#14(3)");
    assert.equal(translate(page, WRITE, USER), "#14(7)");
    cpu.setState64(L.CR0, 0x80000011);
    assert.equal(translate(page, WRITE, SUPERVISOR), 0x12_3000);
    assert.equal(translate(page, WRITE, USER), "#14(7)");
  });

  it("forbids execution by NX, and calls NX reserved without EFER.NXE", () => {
    cpu.mapLong(page, 0x12_3000, P | W | U);
    cpu.setRam64(cpu.longEntry(page), BigInt(0x12_3000 + (P | W | U)) | NX);
    assert.equal(translate(page, EXECUTE, USER), "#14(21)");
    assert.equal(translate(page, READ, USER), 0x12_3000);
    cpu.setState64(L.EFER, 0x501);
    assert.equal(translate(page, READ, USER), "#14(13)");
  });

  it("refuses reserved address bits and PS in the top level", () => {
    cpu.mapLong(page, 0x12_3000, P | W | U);
    cpu.setRam64(cpu.longEntry(page), BigInt(0x12_3000 + (P | W | U)) | (1n << 40n));
    assert.equal(translate(page, READ, SUPERVISOR), "#14(9)");
    cpu.setRam64(PAGE_TABLES, PAGE_TABLES + 0x1000 + (P | W | U | PS));
    assert.equal(translate(page, READ, SUPERVISOR), "#14(9)");
  });

  it("maps 2 MiB pages, and refuses bits below their address", () => {
    const entry = PAGE_TABLES + 0x2000 + 2 * 8;
    cpu.setRam64(entry, 0x20_0000 + (P | W | U | PS));
    assert.equal(translate(page + 0x12_3456n, WRITE, USER), 0x32_3456);
    assert.equal(cpu.ram32(entry) & (A | D), A | D);
    cpu.setRam64(entry, 0x20_2000 + (P | W | U | PS));
    assert.equal(translate(page, READ, USER), "#14(13)");
  });

  it("maps 1 GiB pages", () => {
    cpu.setRam64(PAGE_TABLES + 0x1000, P | W | U | PS);
    assert.equal(
      translate(0x12_3456n, READ, USER),
      "#14(13)",
      "without pdpe1gb in CPUID the bit is reserved",
    );
    cpu.setCpuid([[0x80000001, 0, 0, 0, 0, 1 << 26]]);
    assert.equal(translate(0x12_3456n, READ, USER), 0x12_3456);
    cpu.setRam64(PAGE_TABLES + 0x1000, 0x20_0000 | P | W | U | PS);
    assert.equal(translate(0x12_3456n, READ, USER), "#14(13)");
  });

  it("raises #GP(0) for addresses that are not canonical", () => {
    assert.equal(translate(0x0000_8000_0000_0000n, READ, SUPERVISOR), "#13(0)");
    assert.equal(translate(0xffff_8000_0000_1000n, READ, SUPERVISOR), 0x1000);
  });

  it("SMEP keeps supervisors from executing user pages", () => {
    cpu.setState64(L.CR4, 0x10_0020);
    assert.equal(translate(0x5000n, EXECUTE, SUPERVISOR), "#14(17)");
    assert.equal(translate(0x5000n, EXECUTE, USER), 0x5000);
  });

  it("SMEP leaves supervisors their own pages, and the fetch bit of the error code is set without NX", () => {
    cpu.setState64(L.CR4, 0x10_0020);
    cpu.setState64(L.EFER, 0x501);
    cpu.mapLong(page, 0x12_3000, P | W);
    assert.equal(translate(page, EXECUTE, SUPERVISOR), 0x12_3000);
    assert.equal(translate(page, EXECUTE, USER), "#14(21)");
  });

  it("SMAP keeps supervisors from user pages unless AC is set", () => {
    cpu.setState64(L.CR4, 0x20_0020);
    assert.equal(translate(0x5000n, READ, SUPERVISOR), "#14(1)");
    assert.equal(translate(0x5000n, WRITE, SUPERVISOR), "#14(3)");
    assert.equal(translate(0x5000n, READ, USER), 0x5000);
    cpu.flags = 0x4_0002;
    assert.equal(translate(0x5000n, READ, SUPERVISOR), 0x5000);
  });

  it("AC does not open user pages to the processor's own accesses to its tables", () => {
    cpu.setState64(L.CR4, 0x20_0020);
    cpu.flags = 0x4_0002;
    assert.notEqual(cpu.run("slowRead32", 0x1000n), FAULT);
    cpu.setState64(L.TEMP, 0x08);
    assert.equal(cpu.call("verr", 0, L.TEMP), "#14(1)");
  });
});

describe("SMAP's window", () => {
  const page = 0x40_0000n;
  const AC = 0x4_0000;
  beforeEach(() => {
    cpu.enterLong();
    cpu.setState64(L.CR4, 0x20_00a0);
    cpu.mapLong(page, 0x12_3000, P | W | U);
  });

  it("lets user pages into the kernel's TLBs from STAC to CLAC", () => {
    assert.equal(cpu.call("stac"), "ok");
    assert.equal(cpu.run("slowWrite32", page, 7), 0);
    assert.equal(tlbEntry(L.TLB_KERNEL_READ, page), L.RAM_BASE + 0x12_3000);
    assert.equal(tlbEntry(L.TLB_KERNEL_WRITE, page), L.RAM_BASE + 0x12_3000);
    assert.equal(cpu.call("clac"), "ok");
    assert.equal(tlbEntry(L.TLB_KERNEL_READ, page), undefined);
    assert.equal(tlbEntry(L.TLB_KERNEL_WRITE, page), undefined);
    assert.equal(cpu.run("slowRead32", page), FAULT);
    assert.equal(cpu.pending(), "#14(1)");
  });

  it("takes over what the user TLBs know, and no more than they allow", () => {
    cpu.mapLong(page, 0x12_3000, P | U);
    cpu.setState32(L.CPL, 3);
    cpu.run("slowRead32", page);
    cpu.setState32(L.CPL, 0);
    cpu.mapLong(page, 0x12_4000, P | W | U);
    cpu.call("stac");
    assert.equal(cpu.run("slowRead32", page + 4n), L.RAM_BASE + 0x12_3004, "no walk");
    assert.equal(tlbEntry(L.TLB_KERNEL_WRITE, page), undefined);
    assert.equal(cpu.run("slowWrite32", page, 7), 0);
    assert.equal(cpu.ram32(0x12_4000), 7, "a walk");
  });

  it("closes when POPF clears AC, and when SYSCALL's mask does", () => {
    cpu.call("stac");
    cpu.run("slowRead32", page);
    cpu.setRam64(0x8000, 2);
    assert.equal(cpu.call("popf", 0, 0, 8), "ok");
    assert.equal(tlbEntry(L.TLB_KERNEL_READ, page), undefined);
    cpu.call("stac");
    cpu.run("slowRead32", page);
    cpu.setState64(L.MSR_FMASK, AC);
    assert.equal(cpu.call("syscall"), "ok");
    assert.equal(tlbEntry(L.TLB_KERNEL_READ, page), undefined);
  });

  it("holds more pages than its log", () => {
    cpu.call("stac");
    for (let i = 0n; i < 200n; i++) cpu.run("slowRead32", i * 0x1000n);
    assert.notEqual(tlbEntry(L.TLB_KERNEL_READ, 0x6000n), undefined);
    cpu.call("clac");
    for (let i = 0n; i < 200n; i++) assert.equal(tlbEntry(L.TLB_KERNEL_READ, i * 0x1000n), undefined);
  });

  it("leaves the kernel's own pages in the TLB when it closes", () => {
    cpu.mapLong(page, 0x12_3000, P | W);
    cpu.call("stac");
    cpu.run("slowRead32", page);
    cpu.run("slowRead32", 0x5000n);
    cpu.call("clac");
    assert.equal(tlbEntry(L.TLB_KERNEL_READ, page), L.RAM_BASE + 0x12_3000);
  });

  it("CLAC and STAC are invalid outside ring 0", () => {
    cpu.setState32(L.CPL, 3);
    assert.equal(cpu.call("stac"), "#6");
    assert.equal(cpu.call("clac"), "#6");
  });
});

describe("the A20 gate", () => {
  it("closed, clears bit 20 of every physical address; open, of none", () => {
    cpu.enterProtected();
    cpu.setRam32(0x4000, 0x1111);
    cpu.setRam32(0x10_4000, 0x2222);
    const read = (gva: bigint): number => cpu.view.getUint32(cpu.run("slowRead32", gva), true);
    assert.equal(read(0x10_4000n), 0x2222);
    cpu.run("setA20", 0);
    assert.equal(read(0x10_4000n), 0x1111);
    assert.equal(translate(0x30_4123n, EXECUTE, SUPERVISOR), 0x20_4123);
    assert.equal(cpu.run("slowWrite32", 0x10_4000n, 0x3333), 0);
    assert.equal(cpu.ram32(0x4000), 0x3333);
    cpu.run("setA20", 1);
    assert.equal(read(0x10_4000n), 0x2222);
    assert.equal(tlbEntry(L.TLB_KERNEL_READ, 0x10_4000n), L.RAM_BASE + 0x10_4000);
  });

  it("closed, sends page walks and device accesses to the lower megabyte too", () => {
    cpu.enterLong();
    for (let at = 0; at < 0x8000; at += 8) cpu.setRam64(at + 0x2_0000, cpu.ram64(PAGE_TABLES + at));
    cpu.setState64(L.CR3, 0x12_0000);
    cpu.run("setA20", 0);
    assert.equal(translate(0x5000n, READ, SUPERVISOR), "#14(0)", "its tables lie in the upper megabyte");
    cpu.setRam64(0x2_0000, 0x12_1007);
    cpu.setRam64(0x2_1000, 0x12_2007);
    cpu.setRam64(0x2_2000, 0xfec0_0087);
    cpu.run("slowRead32", 0x10_0020n);
    assert.deepEqual(cpu.accesses, [{ what: "read", at: 0xfec0_0020, size: 4 }]);
  });
});

describe("32-bit paging", () => {
  beforeEach(() => {
    cpu.enterProtected();
    cpu.setState64(L.CR3, PAGE_TABLES);
    cpu.setRam32(PAGE_TABLES + 4, PAGE_TABLES + 0x1000 + (P | W | U));
    cpu.setRam32(PAGE_TABLES + 0x1000 + 4, 0x6000 + (P | W | U));
    cpu.setState64(L.CR0, 0x80010011);
  });

  it("walks two levels", () => {
    assert.equal(translate(0x40_1234n, WRITE, USER), 0x6234);
    assert.equal(cpu.ram32(PAGE_TABLES + 4) & (A | D), A);
    assert.equal(cpu.ram32(PAGE_TABLES + 0x1004) & (A | D), A | D);
  });

  it("never sets the fetch bit of the error code without NX and SMEP", () => {
    assert.equal(translate(0x80_0000n, EXECUTE, USER), "#14(4)");
  });

  it("CR4.SMEP sets the fetch bit without NX", () => {
    cpu.setState64(L.CR4, 0x10_0000);
    assert.equal(translate(0x80_0000n, EXECUTE, USER), "#14(20)");
    assert.equal(translate(0x40_1234n, EXECUTE, SUPERVISOR), "#14(17)");
  });

  it("PSE-36 puts bits 13 to 20 of a large entry above bit 31 of the address", () => {
    cpu.setRam32(PAGE_TABLES + 8, 0x40_0000 + (1 << 13) + (P | W | U | PS));
    cpu.setState64(L.CR4, 0x10);
    const hva = cpu.run("slowRead32", 0x80_1234n);
    assert.equal(cpu.view.getUint32(hva, true), 0xffffffff, "nothing lies above 4 GiB");
    assert.deepEqual(cpu.accesses, []);
  });

  it("sets no accessed or dirty bit in the leaf of an access that faults", () => {
    cpu.setRam32(PAGE_TABLES + 0x1000 + 4, 0x6000 + (P | U));
    assert.equal(translate(0x40_1234n, WRITE, USER), "#14(7)");
    assert.equal(cpu.ram32(PAGE_TABLES + 0x1004) & (A | D), 0);
  });

  it("maps 4 MiB pages with CR4.PSE and refuses bit 21", () => {
    cpu.setRam32(PAGE_TABLES + 8, 0x40_0000 + (P | W | U | PS));
    cpu.setState64(L.CR4, 0x10);
    assert.equal(translate(0x80_1234n, READ, USER), 0x40_1234);
    cpu.setRam32(PAGE_TABLES + 8, 0x60_0000 + (P | W | U | PS));
    assert.equal(translate(0x80_1234n, READ, USER), "#14(13)");
  });
});

describe("PAE paging", () => {
  beforeEach(() => {
    cpu.enterProtected();
    cpu.setState64(L.CR3, PAGE_TABLES + 0x20);
    cpu.setRam64(PAGE_TABLES + 0x20, PAGE_TABLES + 0x1000 + P);
    cpu.setRam64(PAGE_TABLES + 0x1000 + 8, PAGE_TABLES + 0x2000 + (P | W | U));
    cpu.setRam64(PAGE_TABLES + 0x2000 + 8, 0x6000 + (P | W | U));
    cpu.setState64(L.CR4, 0x20);
    cpu.setState64(L.CR0, 0x80010011);
    cpu.run("pagingRestored");
  });

  it("walks three levels", () => {
    assert.equal(translate(0x20_1234n, WRITE, USER), 0x6234);
  });

  it("takes no rights from the pointer entry, which says only that a gigabyte is there", () => {
    assert.equal(translate(0x20_1234n, WRITE, USER), 0x6234);
    assert.equal(translate(0x4000_0000n, READ, USER), "#14(4)");
  });

  it("keeps the pointers that the load of CR3 read, whatever memory says since", () => {
    cpu.setRam64(PAGE_TABLES + 0x20, 0);
    assert.equal(translate(0x20_1234n, READ, USER), 0x6234);
    assert.equal(cpu.run("loadPaePointers", BigInt(PAGE_TABLES + 0x20)), 1);
    assert.equal(translate(0x20_1234n, READ, USER), "#14(4)");
  });

  it("keeps them too when the load finds reserved bits in a present one", () => {
    cpu.setRam64(PAGE_TABLES + 0x38, 2);
    assert.equal(cpu.run("loadPaePointers", BigInt(PAGE_TABLES + 0x20)), 1);
    cpu.setRam64(PAGE_TABLES + 0x20, 0);
    cpu.setRam64(PAGE_TABLES + 0x38, 3);
    assert.equal(cpu.run("loadPaePointers", BigInt(PAGE_TABLES + 0x20)), 0);
    assert.equal(translate(0x20_1234n, READ, USER), 0x6234);
  });

  it("calls bits 52–62 reserved", () => {
    cpu.setRam64(PAGE_TABLES + 0x2000 + 8, BigInt(0x6000 + (P | W | U)) | (1n << 52n));
    assert.equal(translate(0x20_1234n, READ, SUPERVISOR), "#14(9)");
  });
});

/** Host address a TLB gives for va, or undefined. */
function tlbEntry(tlb: number, va: bigint): number | undefined {
  const entry = tlb + (Number(va >> 8n) & L.TLB_INDEX_MASK);
  const hit = cpu.state64(entry) === (va & ~0xfffn);
  return hit ? (Number(va & 0xffffffffn) + cpu.state32(entry + 8)) >>> 0 : undefined;
}

describe("the TLBs", () => {
  const page = 0x40_0000n;
  beforeEach(() => {
    cpu.enterLong();
    cpu.setState64(L.CR4, 0xa0);
    cpu.mapLong(page, 0x12_3000, P | W | U);
  });

  it("a read enters the read TLB, and the write TLB only once the page is dirty", () => {
    assert.equal(cpu.run("slowRead32", page + 4n), L.RAM_BASE + 0x12_3004);
    assert.equal(tlbEntry(L.TLB_KERNEL_READ, page), L.RAM_BASE + 0x12_3000);
    assert.equal(tlbEntry(L.TLB_KERNEL_WRITE, page), undefined);
    assert.equal(tlbEntry(L.TLB_USER_READ, page), undefined);
    assert.equal(cpu.run("slowWrite32", page, 0x1234), 0);
    assert.equal(tlbEntry(L.TLB_KERNEL_WRITE, page), L.RAM_BASE + 0x12_3000);
    assert.equal(cpu.ram32(0x12_3000), 0x1234);
  });

  it("at CPL 3 the user TLBs are filled", () => {
    cpu.setState32(L.CPL, 3);
    cpu.run("slowWrite8", page, 1);
    assert.equal(tlbEntry(L.TLB_USER_READ, page), L.RAM_BASE + 0x12_3000);
    assert.equal(tlbEntry(L.TLB_USER_WRITE, page), L.RAM_BASE + 0x12_3000);
    assert.equal(tlbEntry(L.TLB_KERNEL_READ, page), undefined);
  });

  it("a read-only page never enters the write TLB of users", () => {
    cpu.mapLong(page, 0x12_3000, P | U | D | A);
    cpu.setState32(L.CPL, 3);
    cpu.run("slowRead8", page);
    assert.equal(tlbEntry(L.TLB_USER_READ, page), L.RAM_BASE + 0x12_3000);
    assert.equal(tlbEntry(L.TLB_USER_WRITE, page), undefined);
  });

  it("a page of code never enters the write TLB", () => {
    cpu.view.setBigUint64(L.PAGE_CODE_BITMAP + 0x123 * 8, 1n << 63n, true);
    assert.equal(cpu.run("slowWrite32", page, 7), 0);
    assert.equal(tlbEntry(L.TLB_KERNEL_WRITE, page), undefined);
    assert.equal(tlbEntry(L.TLB_KERNEL_READ, page), L.RAM_BASE + 0x12_3000);
    assert.equal(cpu.ram32(0x12_3000), 7);
  });

  it("loading CR3 keeps global pages and drops others", () => {
    cpu.mapLong(0x40_1000n, 0x12_4000, P | W | U | G);
    cpu.run("slowRead8", page);
    cpu.run("slowRead8", 0x40_1000n);
    cpu.run("flushTlbNonGlobal");
    assert.equal(tlbEntry(L.TLB_KERNEL_READ, page), undefined);
    assert.equal(tlbEntry(L.TLB_KERNEL_READ, 0x40_1000n), L.RAM_BASE + 0x12_4000);
    cpu.run("flushTlb");
    assert.equal(tlbEntry(L.TLB_KERNEL_READ, 0x40_1000n), undefined);
  });

  it("still drops all others when more pages were filled than the log holds", () => {
    cpu.mapLong(0x40_1000n, 0x12_4000, P | W | U | G);
    cpu.run("slowRead8", 0x40_1000n);
    for (let i = 0; i < 4200; i++) {
      cpu.run("invalidatePage", page);
      cpu.run("slowRead8", page);
    }
    cpu.run("flushTlbNonGlobal");
    assert.equal(tlbEntry(L.TLB_KERNEL_READ, page), undefined);
    assert.equal(tlbEntry(L.TLB_KERNEL_READ, 0x40_1000n), L.RAM_BASE + 0x12_4000);
  });

  it("INVLPG drops one page, global or not, and nothing else", () => {
    cpu.mapLong(0x40_1000n, 0x12_4000, P | W | U | G);
    cpu.run("slowRead8", page);
    cpu.run("slowRead8", 0x40_1000n);
    cpu.run("invalidatePage", 0x40_1008n);
    assert.equal(tlbEntry(L.TLB_KERNEL_READ, 0x40_1000n), undefined);
    assert.equal(tlbEntry(L.TLB_KERNEL_READ, page), L.RAM_BASE + 0x12_3000);
  });

  it("INVLPG anywhere in a large page drops all of it", () => {
    cpu.setRam64(PAGE_TABLES + 0x2000 + 2 * 8, 0x20_0000 + (P | W | U | PS));
    cpu.run("slowRead8", 0x40_1000n);
    cpu.run("slowRead8", 0x5f_f000n);
    cpu.run("slowRead8", 0x1000n);
    cpu.run("invalidatePage", 0x50_0000n);
    assert.equal(tlbEntry(L.TLB_KERNEL_READ, 0x40_1000n), undefined);
    assert.equal(tlbEntry(L.TLB_KERNEL_READ, 0x5f_f000n), undefined);
    assert.equal(tlbEntry(L.TLB_KERNEL_READ, 0x1000n), L.RAM_BASE + 0x1000);
  });

  it("MMIO never enters", () => {
    cpu.setRam64(cpu.longEntry(page), 0xfee0_0000 + (P | W | U));
    cpu.deviceValue = 0x5a;
    const hva = cpu.run("slowRead32", page + 0x20n);
    assert.equal(cpu.view.getUint32(hva, true), 0x5a);
    assert.deepEqual(cpu.accesses, [{ what: "read", at: 0xfee0_0020, size: 4 }]);
    assert.equal(tlbEntry(L.TLB_KERNEL_READ, page), undefined);
  });
});

describe("pages that share a place in the TLBs", () => {
  const [one, other, third] = [0x40_0000n, 0x140_0000n, 0x240_0000n];
  const pages = [one, other, third] as const;
  const GPA = 0x12_3000;
  const [gpaOfOther, gpaOfThird] = [GPA + 0x1000, GPA + 0x2000];
  const fills = (): bigint => cpu.state64(L.STAT_TLB_FILLS);
  const gpaOf = (page: bigint): number => GPA + 0x1000 * Number(page >> 24n);

  /** In a table of its own, which the fixture has only for the first 8 MiB. */
  function map(page: bigint, gpa: number, bits: number): void {
    const table = PAGE_TABLES + 0x8000 + 0x1000 * Number(page >> 24n);
    cpu.setRam64(PAGE_TABLES + 0x2000 + Number(page >> 21n) * 8, table + (P | W | U));
    cpu.setRam64(table, gpa + bits);
  }
  const read = (page: bigint): void => {
    assert.equal(cpu.run("slowRead32", page + 4n), L.RAM_BASE + gpaOf(page) + 4);
  };
  beforeEach(() => {
    cpu.enterLong();
    cpu.setState64(L.CR4, 0xa0);
    for (const page of pages) map(page, gpaOf(page), P | W | U | A | D);
  });

  it("are walked for once, however often they take turns", () => {
    const before = fills();
    for (let turn = 0; turn < 5; turn++) for (const page of pages) read(page);
    assert.equal(fills() - before, 3n);
    assert.equal(tlbEntry(L.TLB_KERNEL_READ, third), L.RAM_BASE + gpaOfThird);
    assert.equal(tlbEntry(L.TLB_KERNEL_WRITE, third), L.RAM_BASE + gpaOfThird);
    assert.equal(tlbEntry(L.TLB_KERNEL_READ, one), undefined);
  });

  it("come back with the rights that they had", () => {
    map(one, GPA, P | U | A | D);
    cpu.setState32(L.CPL, 3);
    read(one);
    read(other);
    assert.equal(cpu.run("slowWrite32", one, 1), 1);
    assert.equal(cpu.pending(), "#14(7)");
    read(one);
    assert.equal(tlbEntry(L.TLB_USER_READ, one), L.RAM_BASE + 0x12_3000);
    assert.equal(tlbEntry(L.TLB_USER_WRITE, one), undefined);
    assert.equal(cpu.run("slowWrite32", other, 7), 0);
    assert.equal(cpu.ram32(gpaOfOther), 7);
  });

  it("of users are not the supervisor's", () => {
    cpu.setState32(L.CPL, 3);
    read(one);
    read(other);
    cpu.setState32(L.CPL, 0);
    const before = fills();
    read(one);
    assert.equal(fills() - before, 1n);
  });

  for (const [what, drop] of Object.entries({
    "a load of CR3": () => cpu.run("flushTlbNonGlobal"),
    "a flush": () => cpu.run("flushTlb"),
    INVLPG: () => cpu.run("invalidatePage", one),
    "what watches a page": () => cpu.run("dropFromTlbs", one),
  })) {
    it(`are all walked for again after ${what}`, () => {
      read(one);
      read(other);
      map(one, 0x12_6000, P | W | U | A | D);
      drop();
      assert.equal(cpu.run("slowRead32", one), L.RAM_BASE + 0x12_6000);
    });
  }

  it("lead no store to a page that has got code meanwhile", () => {
    read(one);
    read(other);
    cpu.view.setBigUint64(L.PAGE_CODE_BITMAP + 0x123 * 8, 1n << 63n, true);
    cpu.run("takeFromWriteTlbs", 0x12_3000);
    assert.equal(cpu.run("slowWrite32", one, 7), 0);
    assert.equal(tlbEntry(L.TLB_KERNEL_WRITE, one), undefined);
  });

  it("close with SMAP's window", () => {
    cpu.setState64(L.CR4, 0x20_00a0);
    cpu.call("stac");
    read(one);
    read(other);
    cpu.call("clac");
    assert.equal(cpu.run("slowRead32", one), FAULT);
  });

  it("page 0 is as any other", () => {
    read(one);
    read(other);
    assert.equal(cpu.run("slowRead32", 8n), L.RAM_BASE + 8);
  });
});

describe("the TLB of instruction fetches", () => {
  const page = 0x40_0000n;
  const globalPage = 0x40_1000n;
  const fetch = (gva: bigint): number => cpu.run("fetchCodeAs", gva, SUPERVISOR);
  beforeEach(() => {
    cpu.enterLong();
    cpu.setState64(L.CR4, 0xa0);
    cpu.mapLong(page, 0x12_3000, P | W);
    cpu.mapLong(globalPage, 0x12_4000, P | W | G);
  });
  const remap = (): void => {
    cpu.mapLong(page, 0x13_3000, P | W);
    cpu.mapLong(globalPage, 0x13_4000, P | W | G);
  };

  it("keeps what it has found until it is told", () => {
    assert.deepEqual([fetch(page + 1n), fetch(globalPage)], [0x12_3001, 0x12_4000]);
    remap();
    assert.deepEqual([fetch(page + 2n), fetch(globalPage)], [0x12_3002, 0x12_4000]);
  });

  it("loading CR3 drops what is not global, and only that", () => {
    fetch(page);
    fetch(globalPage);
    remap();
    cpu.run("flushTlbNonGlobal");
    assert.deepEqual([fetch(page), fetch(globalPage)], [0x13_3000, 0x12_4000]);
    cpu.run("flushTlb");
    assert.equal(fetch(globalPage), 0x13_4000);
  });

  it("loading CR3 does so too when more was fetched than the log holds", () => {
    fetch(globalPage);
    for (let i = 0; i < 200; i++) {
      cpu.run("invalidatePage", page);
      fetch(page);
    }
    remap();
    cpu.run("flushTlbNonGlobal");
    assert.deepEqual([fetch(page), fetch(globalPage)], [0x13_3000, 0x12_4000]);
    remap();
    cpu.mapLong(page, 0x14_3000, P | W);
    cpu.run("flushTlbNonGlobal");
    assert.equal(fetch(page), 0x14_3000);
  });

  it("knows user and supervisor apart", () => {
    fetch(page);
    assert.equal(cpu.run("fetchCodeAs", page, USER), FAULT);
    assert.equal(cpu.pending(), "#14(21)");
  });
});

describe("the slow paths", () => {
  const first = 0x40_0000n;
  const second = 0x40_1000n;
  beforeEach(() => {
    cpu.enterLong();
    cpu.mapLong(first, 0x12_3000, P | W | U);
    cpu.mapLong(second, 0x30_0000, P | W | U);
  });

  it("compose a value from two pages", () => {
    cpu.setBytes(0x12_3ffd, [1, 2, 3]);
    cpu.setBytes(0x30_0000, [4, 5, 6, 7, 8]);
    const hva = cpu.run("slowRead64", second - 3n);
    assert.equal(cpu.view.getBigUint64(hva, true), 0x0807060504030201n);
  });

  it("split a store over two pages", () => {
    assert.equal(cpu.run("slowWrite64", second - 3n, 0x0807060504030201n), 0);
    assert.deepEqual(cpu.bytes(0x12_3ffd, 3), [1, 2, 3]);
    assert.deepEqual(cpu.bytes(0x30_0000, 5), [4, 5, 6, 7, 8]);
  });

  it("check both pages before the first byte is stored", () => {
    cpu.mapLong(second, 0x30_0000, P | U);
    assert.equal(cpu.run("slowWrite32", second - 2n, 0xffffffff), 1);
    assert.equal(cpu.pending(), "#14(3)");
    assert.equal(cpu.state64(L.FAULT_ADDRESS), second);
    assert.deepEqual(cpu.bytes(0x12_3ffc, 4), [0, 0, 0, 0]);
  });

  it("a store to translated code does not happen at first", () => {
    cpu.view.setBigUint64(L.PAGE_CODE_BITMAP + 0x123 * 8, 1n, true);
    assert.equal(cpu.run("slowWrite32", first + 0x3fn, 0x11223344), 1);
    assert.equal(cpu.pending(), "code changed");
    assert.equal(cpu.ram32(0x12_303f), 0);
    assert.equal(cpu.run("slowWrite32", first + 0x3fn, 0x11223344), 0);
    assert.equal(cpu.ram32(0x12_303f), 0x11223344);
  });

  it("reading to write faults as the write would", () => {
    cpu.mapLong(first, 0x12_3000, P | U);
    assert.equal(cpu.run("slowReadForWrite32", first), FAULT);
    assert.equal(cpu.pending(), "#14(3)");
    cpu.view.setBigUint64(L.PAGE_CODE_BITMAP + 0x300 * 8, 1n, true);
    assert.equal(cpu.run("slowReadForWrite32", second), FAULT);
    assert.equal(cpu.pending(), "code changed");
    assert.equal(cpu.run("slowReadForWrite32", second), L.RAM_BASE + 0x30_0000);
  });

  it("send 8 bytes of MMIO as two words, low half first", () => {
    cpu.setRam64(cpu.longEntry(first), 0xd000_0000 + (P | W | U));
    assert.equal(cpu.run("slowWrite64", first + 8n, 0x1111111122222222n), 0);
    assert.deepEqual(cpu.accesses, [
      { what: "write", at: 0xd000_0008, size: 4, value: 0x22222222 },
      { what: "write", at: 0xd000_000c, size: 4, value: 0x11111111 },
    ]);
  });

  it("read ones above 4 GiB and drop stores there, without asking a device", () => {
    cpu.setRam64(cpu.longEntry(first), 0x1_0000_0000 + (P | W | U));
    const hva = cpu.run("slowRead32", first);
    assert.equal(cpu.view.getUint32(hva, true), 0xffffffff);
    assert.equal(cpu.run("slowWrite32", first, 1), 0);
    assert.deepEqual(cpu.accesses, []);
  });

  it("wrap at 4 GiB in 32-bit mode", () => {
    cpu.reset();
    cpu.enterProtected();
    cpu.setBytes(0, [0x77, 0x66]);
    cpu.deviceValue = 0x11;
    const hva = cpu.run("slowRead32", 0xffff_fffen);
    assert.equal(cpu.view.getUint32(hva, true), 0x66770011);
    assert.deepEqual(cpu.accesses, [{ what: "read", at: 0xffff_fffe, size: 2 }]);
  });

  it("the end of RAM is where devices begin", () => {
    cpu.reset();
    cpu.enterProtected();
    cpu.deviceValue = 0xab;
    cpu.setRam8(RAM_SIZE - 1, 0xcd);
    const hva = cpu.run("slowRead16", BigInt(RAM_SIZE - 1));
    assert.equal(cpu.view.getUint16(hva, true), 0xabcd);
  });
});
