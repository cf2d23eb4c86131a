import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import * as L from "../layout.ts";
import {
  ACCESS_CODE,
  ACCESS_DATA,
  CODE0,
  CODE3,
  CS,
  DATA0,
  DATA3,
  DPL3,
  DS,
  ES,
  FLAT32,
  FLAT64,
  FS,
  GDT,
  GS,
  SPARE,
  SS,
  SystemFixture,
  TSS,
  descriptor,
  gate,
} from "./system-fixture.ts";

const cpu = await SystemFixture.start();

const OFFSET = L.TEMP;
const SELECTOR = L.TEMP + 8;
const CALL_GATE = 0x8c;
const IF = 0x200;

function far(name: "jmpfar" | "callfar", selector: number, offset: bigint | number, size: number): string {
  cpu.setState64(OFFSET, offset);
  cpu.setState64(SELECTOR, selector);
  return cpu.call(name, OFFSET, SELECTOR, size);
}

function load(segment: number, selector: number): string {
  cpu.setState64(SELECTOR, selector);
  return cpu.call("loadseg", 0, SELECTOR, segment);
}

const next = (): bigint => cpu.state64(L.NEXT_RIP);

beforeEach(() => {
  cpu.reset();
});

describe("segment loads in protected mode", () => {
  beforeEach(() => {
    cpu.enterProtected();
  });

  it("fill the hidden part and set the accessed bit", () => {
    cpu.setDescriptor(SPARE, descriptor(0x1234_5678, 0xabcde, ACCESS_DATA | DPL3, 0xd));
    assert.equal(load(DS, SPARE), "ok");
    assert.equal(cpu.selector(DS), SPARE);
    assert.equal(cpu.base(DS), 0x1234_5678n);
    assert.equal(cpu.limit(DS), 0xabcdefff);
    assert.equal(cpu.attributes(DS), 0xd0f3);
    assert.equal(cpu.ram8(GDT + SPARE + 5), 0xf3);
    assert.equal(cpu.state32(L.MODE) & L.MODE_FLAT, 0);
    assert.equal(load(DS, DATA0), "ok");
    assert.equal(cpu.state32(L.MODE) & L.MODE_FLAT, L.MODE_FLAT);
  });

  it("take null for data segments, which then are unusable", () => {
    assert.equal(load(ES, 3), "ok");
    assert.deepEqual([cpu.selector(ES), cpu.attributes(ES)], [3, 0]);
    cpu.setState64(OFFSET, 0x10);
    assert.equal(cpu.call("seglin", OFFSET, ES, 4), "#13(0)");
    assert.equal(load(SS, 0), "#13(0)");
  });

  it("check table limit, type, privilege and presence", () => {
    cpu.setState32(L.GDTR_LIMIT, SPARE + 6);
    assert.equal(load(DS, SPARE), `#13(${SPARE})`);
    cpu.setState32(L.GDTR_LIMIT, SPARE + 7);
    cpu.setDescriptor(SPARE, descriptor(0, 0xfffff, 0x89, FLAT32));
    assert.equal(load(DS, SPARE), `#13(${SPARE})`);
    cpu.setDescriptor(SPARE, descriptor(0, 0xfffff, 0x98, FLAT32));
    assert.equal(load(DS, SPARE), `#13(${SPARE})`);
    cpu.setDescriptor(SPARE, descriptor(0, 0xfffff, ACCESS_DATA, FLAT32));
    assert.equal(load(DS, SPARE | 1), `#13(${SPARE})`);
    cpu.setDescriptor(SPARE, descriptor(0, 0xfffff, ACCESS_DATA & 0x7f, FLAT32));
    assert.equal(load(DS, SPARE), `#11(${SPARE})`);
    assert.equal(load(SS, SPARE), `#12(${SPARE})`);
    assert.equal(cpu.selector(DS), DATA0);
  });

  it("SS wants a writable segment of the current level", () => {
    assert.equal(load(SS, DATA3), `#13(${DATA3 & ~3})`);
    assert.equal(load(SS, CODE0), `#13(${CODE0})`);
    cpu.setDescriptor(SPARE, descriptor(0, 0xfffff, 0x90, FLAT32));
    assert.equal(load(SS, SPARE), `#13(${SPARE})`);
    assert.equal(load(SS, DATA0), "ok");
    assert.equal(cpu.state32(L.INTERRUPT_SHADOW), L.SHADOW_SS);
  });

  it("find selectors with TI in the LDT", () => {
    assert.equal(load(DS, 4), "#13(4)");
    cpu.setDescriptor(SPARE, descriptor(0x4000, 0xf, 0x82, 0));
    cpu.setState64(SELECTOR, SPARE);
    assert.equal(cpu.call("lldt", 0, SELECTOR), "ok");
    cpu.setRam64(0x4008, descriptor(0x7000, 0xff, ACCESS_DATA, 0));
    assert.equal(load(DS, 0xc), "ok");
    assert.equal(cpu.base(DS), 0x7000n);
    assert.equal(load(DS, 0x14), "#13(20)");
  });

  it("conforming code is readable from every level", () => {
    cpu.enterProtected(3);
    cpu.setDescriptor(SPARE, descriptor(0, 0xfffff, ACCESS_CODE | 4, FLAT32));
    assert.equal(load(DS, SPARE | 3), "ok");
    assert.equal(load(DS, DATA0), `#13(${DATA0})`);
  });

  it("POP moves the stack pointer only if the load succeeds", () => {
    cpu.setRam32(0x8000, DATA3);
    assert.equal(cpu.call("popseg", 0, 0, ES | (4 << 8)), "ok");
    assert.equal(cpu.state64(L.GPR_RSP), 0x8004n);
    cpu.setRam32(0x8004, 0xff8);
    cpu.setState32(L.GDTR_LIMIT, 0xff);
    assert.equal(cpu.call("popseg", 0, 0, ES | (4 << 8)), `#13(${0xff8})`);
    assert.equal(cpu.state64(L.GPR_RSP), 0x8004n);
  });

  it("LDS loads offset and selector together or neither", () => {
    cpu.setRam32(0x5000, 0x1234_5678);
    cpu.setRam16(0x5004, DATA3);
    cpu.setState64(OFFSET, 0x5000);
    cpu.setState64(L.GPR_RBX, 0xffff_ffff_ffffn);
    assert.equal(cpu.call("lxs", L.GPR_RBX, OFFSET, FS | (4 << 8)), "ok");
    assert.deepEqual([cpu.state64(L.GPR_RBX), cpu.selector(FS)], [0x1234_5678n, DATA3]);
    cpu.setRam16(0x5004, 0xff8);
    cpu.setState32(L.GDTR_LIMIT, 0xff);
    cpu.setState64(L.GPR_RBX, 1);
    assert.equal(cpu.call("lxs", L.GPR_RBX, OFFSET, FS | (4 << 8)), `#13(${0xff8})`);
    assert.equal(cpu.state64(L.GPR_RBX), 1n);
  });
});

describe("segmented addresses", () => {
  function linear(offset: number, segment: number, size: number, write = 0): string | bigint {
    cpu.setState64(OFFSET, offset);
    const outcome = cpu.call("seglin", OFFSET, segment, size | (write << 12));
    return outcome === "ok" ? cpu.state64(OFFSET) : outcome;
  }

  it("add the base and wrap at 4 GiB", () => {
    cpu.enterProtected();
    cpu.setSegment(DS, SPARE, 0xc093, 0xf000_0000, 0xffffffff);
    cpu.run("updateMode");
    assert.equal(linear(0x2000_0010, DS, 4), 0x1000_0010n);
  });

  it("stop at the limit, with #SS for the stack segment", () => {
    cpu.enterProtected();
    cpu.setSegment(DS, SPARE, 0x4093, 0x1000, 0xfff);
    cpu.setSegment(SS, SPARE, 0x4093, 0x1000, 0xfff);
    assert.equal(linear(0xffc, DS, 4), 0x1ffcn);
    assert.equal(linear(0xffd, DS, 4), "#13(0)");
    assert.equal(linear(0xffd, SS, 4), "#12(0)");
  });

  it("invert the limit for expand-down segments, below 64 KiB or 4 GiB", () => {
    cpu.enterProtected();
    cpu.setSegment(DS, SPARE, 0x0097, 0, 0xfff);
    assert.equal(linear(0xfff, DS, 1), "#13(0)");
    assert.equal(linear(0x1000, DS, 1), 0x1000n);
    assert.equal(linear(0xffff, DS, 2), "#13(0)");
    cpu.setSegment(DS, SPARE, 0x4097, 0, 0xfff);
    assert.equal(linear(0xffff, DS, 2), 0xffffn);
    assert.equal(linear(0xffff_fffe, DS, 2), 0xffff_fffen);
  });

  it("let nobody write to code or read execute-only code", () => {
    cpu.enterProtected();
    assert.equal(linear(0, CS, 1, 1), "#13(0)");
    assert.equal(linear(0, CS, 1), 0n);
    cpu.setSegment(CS, CODE0, 0xc099, 0, 0xffffffff);
    assert.equal(linear(0, CS, 1), "#13(0)");
    cpu.setSegment(DS, DATA0, 0xc091, 0, 0xffffffff);
    assert.equal(linear(0, DS, 1, 1), "#13(0)");
  });

  it("in real mode know only the limit", () => {
    cpu.setSegment(DS, 0x1234, 0x93, 0x1_2340, 0xffff);
    assert.equal(linear(0xfffe, DS, 2, 1), 0x2_233en);
    assert.equal(linear(0xffff, DS, 2, 1), "#13(0)");
    assert.equal(linear(0, CS, 2, 1), 0xffff_0000n);
  });
});

describe("real-mode segments", () => {
  it("have base selector × 16 and keep their limit", () => {
    cpu.setSegment(DS, 0, 0x4093, 0, 0xffffffff);
    assert.equal(load(DS, 0x1234), "ok");
    assert.deepEqual([cpu.selector(DS), cpu.base(DS), cpu.limit(DS)], [0x1234, 0x1_2340n, 0xffffffff]);
  });

  it("far JMP and CALL go to selector:offset", () => {
    cpu.setSegment(SS, 0, 0x93, 0, 0xffff);
    cpu.setState64(L.GPR_RSP, 0x7000);
    cpu.at(0x100, 5);
    assert.equal(far("callfar", 0x2345, 0x678, 2), "ok");
    assert.deepEqual([cpu.selector(CS), cpu.base(CS), next()], [0x2345, 0x2_3450n, 0x678n]);
    assert.deepEqual([cpu.ram16(0x6ffe), cpu.ram16(0x6ffc)], [0xf000, 0x105]);
    assert.equal(cpu.call("retfar", 0, 0, 2 | (6 << 8)), "ok");
    assert.deepEqual([cpu.selector(CS), next(), cpu.state64(L.GPR_RSP)], [0xf000, 0x105n, 0x7006n]);
    assert.equal(far("jmpfar", 0, 0x1_0000, 4), "#13(0)");
  });

  it("IRET restores flags, IOPL among them", () => {
    cpu.setState64(L.GPR_RSP, 0x7000);
    cpu.setRam16(0x7000, 0x10);
    cpu.setRam16(0x7002, 0x20);
    cpu.setRam16(0x7004, 0x3247);
    assert.equal(cpu.call("iret", 0, 0, 2), "ok");
    assert.deepEqual([next(), cpu.selector(CS), cpu.flags], [0x10n, 0x20, 0x3247]);
  });
});

describe("far transfers in protected mode", () => {
  beforeEach(() => {
    cpu.enterProtected();
    cpu.at(0x40_0000, 7);
  });

  it("JMP loads CS with CPL as RPL", () => {
    cpu.setDescriptor(SPARE, descriptor(0x1000, 0xffff, ACCESS_CODE, 4));
    assert.equal(far("jmpfar", SPARE, 0x123, 4), "ok");
    assert.deepEqual([cpu.selector(CS), cpu.base(CS), next()], [SPARE, 0x1000n, 0x123n]);
    assert.equal(cpu.ram8(GDT + SPARE + 5) & 1, 1);
  });

  it("JMP to a 16-bit segment changes the code size", () => {
    cpu.setDescriptor(SPARE, descriptor(0, 0xffff, ACCESS_CODE, 0));
    assert.equal(far("jmpfar", SPARE, 0xffff_0123, 2), "ok");
    assert.equal(next(), 0x123n);
    assert.equal(cpu.state32(L.MODE) & L.MODE_CODE_SIZE, 0);
  });

  it("JMP checks limit, type, privilege and presence", () => {
    assert.equal(far("jmpfar", 0, 0, 4), "#13(0)");
    assert.equal(far("jmpfar", DATA0, 0, 4), `#13(${DATA0})`);
    assert.equal(far("jmpfar", CODE3, 0, 4), `#13(${CODE3 & ~3})`);
    assert.equal(far("jmpfar", CODE0 | 3, 0, 4), `#13(${CODE0})`);
    cpu.setDescriptor(SPARE, descriptor(0, 0xfff, ACCESS_CODE, 4));
    assert.equal(far("jmpfar", SPARE, 0x1000, 4), "#13(0)");
    cpu.setDescriptor(SPARE, descriptor(0, 0xfff, ACCESS_CODE & 0x7f, 4));
    assert.equal(far("jmpfar", SPARE, 0, 4), `#11(${SPARE})`);
    assert.equal(next(), 0x40_0007n);
  });

  it("CALL and RET within a level", () => {
    assert.equal(far("callfar", CODE0, 0x50_0000, 4), "ok");
    assert.deepEqual(cpu.stack32(0x7ff8, 2), [0x40_0007, CODE0]);
    assert.equal(cpu.call("retfar", 0, 0, 4 | (8 << 8)), "ok");
    assert.deepEqual([next(), cpu.state64(L.GPR_RSP)], [0x40_0007n, 0x8008n]);
  });

  it("a call gate switches stacks and copies parameters; RET returns and drops ring-0 segments", () => {
    cpu.enterProtected(3);
    cpu.at(0x40_0000, 7);
    cpu.setDescriptor(SPARE, gate(CODE0, 0x12_3456, CALL_GATE | DPL3, 2));
    cpu.setRam32(0x8000, 0x1111);
    cpu.setRam32(0x8004, 0x2222);
    assert.equal(far("callfar", SPARE | 3, 0xdead, 4), "ok");
    assert.deepEqual(cpu.stack32(0x9000 - 24, 6), [0x40_0007, CODE3, 0x1111, 0x2222, 0x8000, DATA3]);
    assert.deepEqual(
      [cpu.selector(CS), cpu.selector(SS), cpu.state32(L.CPL), next()],
      [CODE0, DATA0, 0, 0x12_3456n],
    );
    load(DS, DATA0);
    assert.equal(cpu.call("retfar", 0, 0, 4 | (8 << 8)), "ok");
    assert.deepEqual([cpu.selector(CS), cpu.selector(SS), cpu.state32(L.CPL)], [CODE3, DATA3, 3]);
    assert.equal(cpu.state64(L.GPR_RSP), 0x8008n);
    assert.deepEqual([cpu.selector(DS), cpu.selector(ES)], [0, DATA3]);
  });

  it("a gate's privilege, presence and target are checked", () => {
    cpu.enterProtected(3);
    cpu.setDescriptor(SPARE, gate(CODE0, 0, CALL_GATE));
    assert.equal(far("callfar", SPARE | 3, 0, 4), `#13(${SPARE})`);
    cpu.setDescriptor(SPARE, gate(CODE0, 0, 0x0c | DPL3));
    assert.equal(far("callfar", SPARE | 3, 0, 4), `#11(${SPARE})`);
    cpu.setDescriptor(SPARE, gate(DATA0, 0, CALL_GATE | DPL3));
    assert.equal(far("callfar", SPARE | 3, 0, 4), `#13(${DATA0})`);
    cpu.setDescriptor(SPARE, gate(CODE0, 0, CALL_GATE | DPL3));
    assert.equal(far("jmpfar", SPARE | 3, 0, 4), `#13(${CODE0})`);
    cpu.setRam16(TSS + 8, 0);
    assert.equal(far("callfar", SPARE | 3, 0, 4), "#10(0)");
    assert.equal(cpu.state32(L.CPL), 3);
  });

  it("IRET to user mode loads SS:ESP and may change IF and IOPL only with privilege", () => {
    cpu.setRam32(0x8000, 0x50_0000);
    cpu.setRam32(0x8004, CODE3);
    cpu.setRam32(0x8008, 0x3202);
    cpu.setRam32(0x800c, 0x7000);
    cpu.setRam32(0x8010, DATA3);
    assert.equal(cpu.call("iret", 0, 0, 4), "ok");
    assert.deepEqual([cpu.state32(L.CPL), cpu.flags, cpu.state64(L.GPR_RSP)], [3, 0x3202, 0x7000n]);
    cpu.flags = 0x202;
    cpu.setState64(L.GPR_RSP, 0x8000);
    cpu.setRam32(0x8008, 0x3002);
    assert.equal(cpu.call("iret", 0, 0, 4), "ok");
    assert.equal(cpu.flags, 0x202);
  });

  it("IRET never goes to a more privileged level", () => {
    cpu.enterProtected(3);
    cpu.setRam32(0x8004, CODE0);
    assert.equal(cpu.call("iret", 0, 0, 4), `#13(${CODE0})`);
  });

  it("a return to a 16-bit stack moves SP only", () => {
    cpu.setDescriptor(SPARE, descriptor(0, 0xffff, ACCESS_DATA | DPL3, 0));
    cpu.setState64(L.GPR_RSP, 0x1_8000);
    cpu.setRam32(0x1_8000, 0x50_0000);
    cpu.setRam32(0x1_8004, CODE3);
    cpu.setRam32(0x1_8008, 2);
    cpu.setRam32(0x1_800c, 0x5555_7000);
    cpu.setRam32(0x1_8010, SPARE | 3);
    assert.equal(cpu.call("iret", 0, 0, 4), "ok");
    assert.equal(cpu.state64(L.GPR_RSP), 0x1_7000n);
  });
});

describe("far transfers in IA-32e mode", () => {
  beforeEach(() => {
    cpu.enterLong(0);
    cpu.at(0x40_0000, 7);
  });

  it("go to compatibility mode and back", () => {
    cpu.setDescriptor(SPARE, descriptor(0, 0xfffff, ACCESS_CODE, FLAT32));
    assert.equal(far("jmpfar", SPARE, 0x1234, 4), "ok");
    assert.equal(cpu.state32(L.MODE) & L.MODE_CODE_SIZE, 1);
    assert.equal(far("jmpfar", CODE0, 0x1234, 4), "ok");
    assert.equal(cpu.state32(L.MODE) & L.MODE_CODE_SIZE, 2);
  });

  it("refuse segments that are 64-bit and 32-bit at once, and offsets that are not canonical", () => {
    cpu.setDescriptor(SPARE, descriptor(0, 0xfffff, ACCESS_CODE, FLAT64 | 4));
    assert.equal(far("jmpfar", SPARE, 0, 8), `#13(${SPARE})`);
    assert.equal(far("jmpfar", CODE0, 0x0000_8000_0000_0000n, 8), "#13(0)");
  });

  it("a 64-bit call gate pushes quadwords and loads a null SS", () => {
    cpu.enterLong(3);
    cpu.at(0x40_0000, 7);
    cpu.setDescriptor(SPARE, gate(CODE0, 0x12_3456, CALL_GATE | DPL3));
    cpu.setRam64(GDT + SPARE + 8, 0xffff_8000n);
    assert.equal(far("callfar", SPARE | 3, 0, 4), "ok");
    assert.equal(next(), 0xffff_8000_0012_3456n);
    assert.deepEqual(cpu.stack64(0x9000 - 32, 4), [0x40_0007n, BigInt(CODE3), 0x8000n, BigInt(DATA3)]);
    assert.equal(cpu.selector(SS), 0);
    assert.equal(cpu.call("retfar", 0, 0, 8), "ok");
    assert.deepEqual([cpu.selector(SS), cpu.state64(L.GPR_RSP)], [DATA3, 0x8000n]);
  });

  it("task gates and TSSs are no targets", () => {
    cpu.setDescriptor(SPARE, descriptor(0x4000, 0x67, 0x89, 0));
    assert.equal(far("jmpfar", SPARE, 0, 4), `#13(${SPARE})`);
  });
});

describe("looking at descriptors", () => {
  const RESULT = L.GPR_RBX;
  const ZF = 0x40;

  function look(name: string, selector: number): string | bigint {
    cpu.setState64(SELECTOR, selector);
    cpu.setState64(RESULT, 0xff_ffff_ffffn);
    cpu.flags = 0x85;
    const outcome = cpu.call(name, RESULT, SELECTOR, 4);
    if (outcome !== "ok") return outcome;
    assert.equal(cpu.flags & 0x85, 0x85);
    return (cpu.flags & ZF) === 0 ? "hidden" : cpu.state64(RESULT);
  }

  it("LAR gives the attributes, LSL the limit in bytes", () => {
    cpu.enterProtected();
    assert.equal(look("lar", DATA3), 0xcff200n);
    assert.equal(look("lsl", DATA3), 0xffffffffn);
    assert.equal(look("lsl", 0x28), 0x67n);
  });

  it("hide what privilege, type or the table's limit forbid", () => {
    cpu.enterProtected(3);
    assert.equal(look("lar", DATA0), "hidden");
    assert.equal(look("lar", 0), "hidden");
    assert.equal(look("lsl", 0x1000), "hidden");
    cpu.setDescriptor(SPARE, gate(CODE0, 0, CALL_GATE | DPL3));
    assert.equal(look("lar", SPARE), 0xec00n);
    assert.equal(look("lsl", SPARE), "hidden");
    assert.equal(cpu.state32(L.FAULT_VECTOR), L.FAULT_NONE);
  });

  it("VERR and VERW tell readable from writable", () => {
    cpu.enterProtected();
    assert.notEqual(look("verr", CODE0), "hidden");
    assert.equal(look("verw", CODE0), "hidden");
    assert.notEqual(look("verw", DATA0), "hidden");
    cpu.setDescriptor(SPARE, descriptor(0, 1, 0x98, 0));
    assert.equal(look("verr", SPARE), "hidden");
  });

  it("ARPL raises RPL", () => {
    cpu.enterProtected();
    cpu.setState64(RESULT, 0x1230);
    cpu.setState64(SELECTOR, 2);
    assert.equal(cpu.call("arpl", RESULT, SELECTOR), "ok");
    assert.deepEqual([cpu.state64(RESULT), cpu.flags & ZF], [0x1232n, ZF]);
    cpu.call("arpl", RESULT, SELECTOR);
    assert.equal(cpu.flags & ZF, 0);
  });

  it("real mode knows none of them", () => {
    for (const name of ["lar", "lsl", "verr", "verw", "arpl", "lldt", "ltr", "sldt", "str"]) {
      assert.equal(cpu.call(name, RESULT, SELECTOR, 4), "#6");
    }
  });
});

describe("descriptor-table registers", () => {
  it("load and store in the width of the mode", () => {
    cpu.enterProtected();
    cpu.setBytes(0x5000, [0x34, 0x12, 1, 2, 3, 4]);
    cpu.setState64(OFFSET, 0x5000);
    assert.equal(cpu.call("lgdt", 0, OFFSET, 4), "ok");
    assert.deepEqual([cpu.state32(L.GDTR_LIMIT), cpu.state64(L.GDTR_BASE)], [0x1234, 0x04030201n]);
    cpu.call("lidt", 0, OFFSET, 2);
    assert.equal(cpu.state64(L.IDTR_BASE), 0x030201n);
    cpu.setState64(OFFSET, 0x6000);
    assert.equal(cpu.call("sgdt", 0, OFFSET, 4), "ok");
    assert.deepEqual(cpu.bytes(0x6000, 7), [0x34, 0x12, 1, 2, 3, 4, 0]);
  });

  it("LTR marks a 64-bit TSS busy and takes its upper half", () => {
    cpu.enterLong();
    cpu.setDescriptor(SPARE, descriptor(0x1234_5000, 0x67, 0x89, 0));
    cpu.setRam64(GDT + SPARE + 8, 0xffff_8000n);
    cpu.setState64(SELECTOR, SPARE);
    assert.equal(cpu.call("ltr", 0, SELECTOR), "ok");
    assert.equal(cpu.state64(L.TR_BASE), 0xffff_8000_1234_5000n);
    assert.equal(cpu.ram8(GDT + SPARE + 5), 0x8b);
    assert.equal(cpu.call("ltr", 0, SELECTOR), `#13(${SPARE})`);
    cpu.setRam64(GDT + SPARE + 8, 0xff00_ffff_8000n);
    cpu.setRam8(GDT + SPARE + 5, 0x89);
    assert.equal(cpu.call("ltr", 0, SELECTOR), `#13(${SPARE})`);
  });

  it("belong to ring 0", () => {
    cpu.enterLong(3);
    for (const name of ["lgdt", "lidt", "lldt", "ltr"]) assert.equal(cpu.call(name, 0, OFFSET, 8), "#13(0)");
    cpu.setState64(OFFSET, 0x6000);
    assert.equal(cpu.call("sidt", 0, OFFSET, 8), "ok");
    cpu.setState64(L.CR4, 0x820);
    assert.equal(cpu.call("sidt", 0, OFFSET, 8), "#13(0)");
  });
});

describe("SYSCALL and SYSENTER", () => {
  const STAR = (0x18n << 48n) | (BigInt(CODE0) << 32n);
  beforeEach(() => {
    cpu.enterLong(3);
    cpu.setState64(L.MSR_STAR, STAR);
    cpu.setState64(L.MSR_LSTAR, 0xffff_8000_0000_1000n);
    cpu.setState64(L.MSR_FMASK, 0x700);
    cpu.at(0x40_0000, 2);
    cpu.flags = IF | 0x441;
  });

  it("SYSCALL keeps RIP and RFLAGS in RCX and R11 and masks flags", () => {
    assert.equal(cpu.call("syscall"), "ok");
    assert.deepEqual([cpu.state64(L.GPR_RCX), cpu.state64(88)], [0x40_0002n, BigInt(IF | 0x443)]);
    assert.deepEqual(
      [cpu.selector(CS), cpu.selector(SS), cpu.state32(L.CPL), cpu.flags],
      [CODE0, CODE0 + 8, 0, 0x43],
    );
    assert.equal(next(), 0xffff_8000_0000_1000n);
    assert.equal(cpu.state32(L.MODE) & (L.MODE_CODE_SIZE | L.MODE_USER), 2);
  });

  it("SYSRET goes back", () => {
    cpu.call("syscall");
    assert.equal(cpu.call("sysret", 0, 0, 8), "ok");
    assert.deepEqual(
      [cpu.selector(CS), cpu.selector(SS), cpu.state32(L.CPL), cpu.flags],
      [0x2b, 0x23, 3, IF | 0x443],
    );
    assert.equal(next(), 0x40_0002n);
    assert.equal(cpu.attributes(SS), 0xc0f3);
    assert.equal(cpu.attributes(CS), 0xa0fb);
  });

  it("SYSRET to 32-bit code takes ECX", () => {
    cpu.call("syscall");
    cpu.setState64(L.GPR_RCX, 0xffff_ffff_0804_8000n);
    assert.equal(cpu.call("sysret", 0, 0, 4), "ok");
    assert.deepEqual(
      [cpu.selector(CS), next(), cpu.state32(L.MODE) & L.MODE_CODE_SIZE],
      [0x1b, 0x0804_8000n, 1],
    );
  });

  it("SYSRET refuses a non-canonical RCX in ring 0 and everything in ring 3", () => {
    assert.equal(cpu.call("sysret", 0, 0, 8), "#13(0)");
    cpu.call("syscall");
    cpu.setState64(L.GPR_RCX, 0x0000_8000_0000_0000n);
    assert.equal(cpu.call("sysret", 0, 0, 8), "#13(0)");
    assert.equal(cpu.state32(L.CPL), 0);
  });

  it("are undefined without EFER.SCE, and in compatibility mode except on AMD's", () => {
    cpu.setState64(L.EFER, 0xd00);
    assert.equal(cpu.call("syscall"), "#6");
    cpu.setState64(L.EFER, 0xd01);
    cpu.setSegment(CS, 0x1b, 0xc0fb, 0, 0xffffffff);
    cpu.run("updateMode");
    assert.equal(cpu.call("syscall"), "#6");
    cpu.setCpuid([[0, 0, 1, 0x68747541, 0x444d4163, 0x69746e65]]);
    cpu.setState64(L.MSR_CSTAR, 0x2000);
    assert.equal(cpu.call("syscall"), "ok");
    assert.equal(next(), 0x2000n);
  });

  it("SYSENTER and SYSEXIT", () => {
    cpu.setState64(L.MSR_SYSENTER_CS, CODE0);
    cpu.setState64(L.MSR_SYSENTER_ESP, 0x9000);
    cpu.setState64(L.MSR_SYSENTER_EIP, 0x7000);
    assert.equal(cpu.call("sysenter"), "ok");
    assert.deepEqual(
      [cpu.selector(CS), cpu.selector(SS), cpu.state32(L.CPL), next()],
      [CODE0, DATA0, 0, 0x7000n],
    );
    assert.equal(cpu.flags & IF, 0);
    cpu.setState64(L.GPR_RDX, 0x1_0000_1234n);
    cpu.setState64(L.GPR_RCX, 0x8000);
    assert.equal(cpu.call("sysexit", 0, 0, 4), "ok");
    assert.deepEqual([cpu.selector(CS), cpu.selector(SS), next()], [CODE0 + 16 + 3, CODE0 + 24 + 3, 0x1234n]);
    cpu.setState64(L.MSR_SYSENTER_CS, 0);
    assert.equal(cpu.call("sysenter"), "#13(0)");
  });

  it("SWAPGS exchanges the base of GS in ring 0", () => {
    assert.equal(cpu.call("swapgs"), "#13(0)");
    cpu.enterLong(0);
    cpu.setState64(L.MSR_KERNEL_GS_BASE, 0xffff_8000_0000_0000n);
    cpu.setSegment(GS, 0, 0, 0x1234, 0);
    assert.equal(cpu.call("swapgs"), "ok");
    assert.equal(cpu.base(GS), 0xffff_8000_0000_0000n);
    assert.equal(cpu.state64(L.MSR_KERNEL_GS_BASE), 0x1234n);
  });
});
