import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import * as L from "../layout.ts";
import {
  ACCESS_CODE,
  CODE0,
  CODE3,
  CS,
  DATA0,
  DATA3,
  DPL3,
  DS,
  ES,
  FLAT32,
  FS,
  GS,
  IDT,
  PAGE_TABLES,
  SPARE,
  SS,
  SystemFixture,
  TSS,
  TSS_SELECTOR,
  descriptor,
  gate,
} from "./system-fixture.ts";

const cpu = await SystemFixture.start();

const EXCEPTION = 0;
const INTERRUPT = 1;
const INT_N = 2;

const INTERRUPT_GATE = 0x8e;
const TRAP_GATE = 0x8f;
const IF = 0x200;
const TF = 0x100;
const RF = 0x10000;
const VM = 0x20000;
const NT = 0x4000;

function setGate(vector: number, value: bigint): void {
  cpu.setRam64(IDT + vector * 8, value);
}

function setGate64(vector: number, selector: number, offset: bigint, access: number, ist = 0): void {
  cpu.setRam64(IDT + vector * 16, gate(selector, Number(offset & 0xffffffffn), access, ist));
  cpu.setRam64(IDT + vector * 16 + 8, offset >> 32n);
}

function deliver(vector: number, error: number | undefined, kind: number): string {
  return cpu.run("deliver", vector, error === undefined ? 0 : 1, error ?? 0, kind) === 0
    ? "ok"
    : cpu.pending();
}

/** Makes an exception pending and has it delivered. */
function deliverFault(vector: number, error?: number): string {
  cpu.setState32(L.FAULT_VECTOR, vector);
  cpu.setState32(L.FAULT_HAS_ERROR, error === undefined ? 0 : 1);
  cpu.setState32(L.FAULT_ERROR, error ?? 0);
  return cpu.run("deliverPendingFault") === 0 ? "ok" : cpu.pending();
}

beforeEach(() => {
  cpu.reset();
});

describe("real mode", () => {
  beforeEach(() => {
    cpu.setState32(L.IDTR_LIMIT, 0x3ff);
    cpu.setRam32(0x10 * 4, 0x1234_5678);
    cpu.setSegment(SS, 0x2000, 0x93, 0x2_0000, 0xffff);
    cpu.setSegment(CS, 0x0abc, 0x93, 0xabc0, 0xffff);
    cpu.setState64(L.GPR_RSP, 0x100);
    cpu.flags = IF | TF | 0x41;
    cpu.at(0x10, 2);
  });

  it("pushes FLAGS, CS and IP and enters through the vector table", () => {
    assert.equal(deliver(0x10, undefined, INT_N), "ok");
    assert.equal(cpu.state64(L.GPR_RSP), 0xfan);
    assert.deepEqual(
      [cpu.ram16(0x2_00fa), cpu.ram16(0x2_00fc), cpu.ram16(0x2_00fe)],
      [0x12, 0xabc, IF | TF | 0x43],
    );
    assert.equal(cpu.selector(CS), 0x1234);
    assert.equal(cpu.base(CS), 0x1_2340n);
    assert.equal(cpu.state64(L.RIP), 0x5678n);
    assert.equal(cpu.state64(L.NEXT_RIP), 0x5678n);
    assert.equal(cpu.flags, 0x43);
  });

  it("pushes no error codes and, for faults, the address of the instruction", () => {
    assert.equal(deliver(0x10, 5, EXCEPTION), "ok");
    assert.equal(cpu.state64(L.GPR_RSP), 0xfan);
    assert.equal(cpu.ram16(0x2_00fa), 0x10);
  });

  it("wraps SP within its segment", () => {
    cpu.setState64(L.GPR_RSP, 0xffff_0002);
    assert.equal(deliver(0x10, undefined, INTERRUPT), "ok");
    assert.equal(cpu.state64(L.GPR_RSP), 0xffff_fffcn);
    assert.equal(cpu.ram16(0x2_0000), IF | TF | 0x43);
    assert.equal(cpu.ram16(0x2_fffe), 0xabc);
  });

  it("shuts down when the vector table is too short for a double fault", () => {
    cpu.setState32(L.IDTR_LIMIT, 0);
    assert.equal(deliverFault(6), "shutdown");
  });
});

describe("protected mode", () => {
  beforeEach(() => {
    cpu.enterProtected(3);
    cpu.flags = IF | 0x41;
    cpu.at(0x40_0000, 2);
    setGate(0x30, gate(CODE0, 0x12_3456, INTERRUPT_GATE | DPL3));
    setGate(13, gate(CODE0, 0x13_0000, INTERRUPT_GATE));
    setGate(14, gate(CODE0, 0x14_0000, TRAP_GATE));
    setGate(8, gate(CODE0, 0x8_0000, INTERRUPT_GATE));
  });

  it("switches to the ring-0 stack of the TSS and saves SS:ESP, EFLAGS, CS:EIP", () => {
    assert.equal(deliver(0x30, undefined, INT_N), "ok");
    assert.equal(cpu.state64(L.GPR_RSP), 0x8fecn);
    assert.deepEqual(cpu.stack32(0x8fec, 5), [0x40_0002, CODE3, IF | 0x43, 0x8000, DATA3]);
    assert.deepEqual([cpu.selector(CS), cpu.selector(SS), cpu.state32(L.CPL)], [CODE0, DATA0, 0]);
    assert.equal(cpu.state64(L.RIP), 0x12_3456n);
    assert.equal(cpu.flags & IF, 0);
    assert.equal(cpu.state32(L.MODE) & L.MODE_USER, 0);
  });

  it("pushes the error code and RF for a fault, and a trap gate leaves IF", () => {
    assert.equal(deliverFault(14, 6), "ok");
    assert.deepEqual(cpu.stack32(0x8fe8, 4), [6, 0x40_0000, CODE3, IF | RF | 0x43]);
    assert.equal(cpu.flags & IF, IF);
    assert.equal(cpu.state32(L.FAULT_VECTOR), L.FAULT_NONE);
  });

  it("puts the address of a page fault into CR2", () => {
    cpu.setState64(L.FAULT_ADDRESS, 0xdead_b000n);
    assert.equal(deliverFault(14, 6), "ok");
    assert.equal(cpu.state64(L.CR2), 0xdead_b000n);
  });

  it("stays on the stack when the privilege level stays", () => {
    cpu.enterProtected(0);
    assert.equal(deliver(0x30, undefined, INTERRUPT), "ok");
    assert.equal(cpu.state64(L.GPR_RSP), 0x7ff4n);
    assert.deepEqual(cpu.stack32(0x7ff4, 3), [0x40_0000, CODE0, IF | 0x43]);
  });

  it("a 16-bit gate pushes words", () => {
    setGate(0x31, gate(CODE0, 0x4321, 0x86 | DPL3));
    cpu.enterProtected(0);
    assert.equal(deliver(0x31, undefined, INTERRUPT), "ok");
    assert.equal(cpu.state64(L.GPR_RSP), 0x7ffan);
    assert.deepEqual([cpu.ram16(0x7ffa), cpu.ram16(0x7ffc), cpu.ram16(0x7ffe)], [0, CODE0, IF | 0x43]);
    assert.equal(cpu.state64(L.RIP), 0x4321n);
  });

  it("INT n needs the gate's DPL, exceptions do not", () => {
    assert.equal(deliver(13, undefined, INT_N), `#13(${13 * 8 + 2})`);
    assert.equal(cpu.state64(L.RIP), 0x40_0000n);
    assert.equal(deliver(13, 0, EXCEPTION), "ok");
  });

  it("reports a bad gate with IDT and EXT bits", () => {
    assert.equal(deliver(0x33, undefined, INTERRUPT), `#13(${0x33 * 8 + 3})`);
    setGate(0x33, gate(CODE0, 0, 0x0e | DPL3));
    assert.equal(deliver(0x33, undefined, INTERRUPT), `#11(${0x33 * 8 + 3})`);
    assert.equal(deliver(0x33, undefined, INT_N), `#11(${0x33 * 8 + 2})`);
    cpu.setState32(L.IDTR_LIMIT, 0x33 * 8 + 6);
    assert.equal(deliver(0x33, undefined, INT_N), `#13(${0x33 * 8 + 2})`);
  });

  it("checks the gate's code segment", () => {
    setGate(0x34, gate(0, 0, INTERRUPT_GATE));
    assert.equal(deliver(0x34, undefined, INTERRUPT), "#13(1)");
    setGate(0x34, gate(DATA0, 0, INTERRUPT_GATE));
    assert.equal(deliver(0x34, undefined, INTERRUPT), `#13(${DATA0 + 1})`);
    setGate(0x34, gate(SPARE, 0, INTERRUPT_GATE));
    cpu.setDescriptor(SPARE, descriptor(0, 0xfffff, ACCESS_CODE & 0x7f, FLAT32));
    assert.equal(deliver(0x34, undefined, INTERRUPT), `#11(${SPARE + 1})`);
    cpu.setDescriptor(SPARE, descriptor(0, 0xfff, ACCESS_CODE, 4));
    setGate(0x34, gate(SPARE, 0x1000, INTERRUPT_GATE));
    assert.equal(deliver(0x34, undefined, INTERRUPT), "#13(1)");
  });

  it("checks the stack that the TSS names", () => {
    cpu.setRam16(TSS + 8, DATA3);
    assert.equal(deliver(0x30, undefined, INT_N), `#10(${DATA3 & ~3})`);
    cpu.setRam16(TSS + 8, CODE0);
    assert.equal(deliver(0x30, undefined, INT_N), `#10(${CODE0})`);
    cpu.setDescriptor(SPARE, descriptor(0, 0xfffff, 0x12, FLAT32));
    cpu.setRam16(TSS + 8, SPARE);
    assert.equal(deliver(0x30, undefined, INTERRUPT), `#12(${SPARE + 1})`);
    cpu.setState32(L.SEG + L.SEG_TR * L.SEG_STRIDE + L.SEG_LIMIT, 8);
    assert.equal(deliver(0x30, undefined, INT_N), `#10(${TSS_SELECTOR})`);
    assert.equal(cpu.state64(L.GPR_RSP), 0x8000n);
  });

  it("raises #SS with the selector when the inner stack is too small", () => {
    cpu.setDescriptor(SPARE, descriptor(0, 0xfff, 0x92, 4));
    cpu.setRam16(TSS + 8, SPARE);
    cpu.setRam32(TSS + 4, 0x8);
    assert.equal(deliver(0x30, undefined, INT_N), `#12(${SPARE})`);
  });

  it("a conforming handler runs at the interrupted level", () => {
    cpu.setDescriptor(SPARE, descriptor(0, 0xfffff, ACCESS_CODE | 4, FLAT32));
    setGate(0x34, gate(SPARE, 0x100, INTERRUPT_GATE));
    assert.equal(deliver(0x34, undefined, INTERRUPT), "ok");
    assert.deepEqual([cpu.selector(CS), cpu.state32(L.CPL), cpu.selector(SS)], [SPARE | 3, 3, DATA3]);
  });

  it("sets accessed bits of the code and stack segments", () => {
    deliver(0x30, undefined, INT_N);
    assert.equal(cpu.ram8(0x1000 + CODE0 + 5) & 1, 1);
    assert.equal(cpu.ram8(0x1000 + DATA0 + 5) & 1, 1);
  });

  it("clears TF, NT and the interrupt shadow and wakes the processor", () => {
    cpu.flags = IF | TF | NT;
    cpu.setState32(L.HALTED, 1);
    cpu.setState32(L.INTERRUPT_SHADOW, 1);
    assert.equal(cpu.run("deliverInterrupt", 0x30), 0);
    assert.equal(cpu.flags & (TF | NT | IF), 0);
    assert.equal(cpu.state32(L.MODE) & L.MODE_STEP, 0);
    assert.deepEqual([cpu.state32(L.HALTED), cpu.state32(L.INTERRUPT_SHADOW)], [0, 0]);
  });

  it("an NMI blocks further ones until IRET", () => {
    setGate(2, gate(CODE0, 0x2_0000, INTERRUPT_GATE));
    cpu.setState32(L.NMI_PENDING, 1);
    assert.equal(cpu.run("deliverNmi"), 0);
    assert.deepEqual([cpu.state32(L.NMI_PENDING), cpu.state32(L.NMI_BLOCKED)], [0, 1]);
    assert.equal(cpu.call("iret", 0, 0, 4), "ok");
    assert.equal(cpu.state32(L.NMI_BLOCKED), 0);
    assert.deepEqual([cpu.selector(CS), cpu.state64(L.NEXT_RIP)], [CODE3, 0x40_0000n]);
  });

  it("a stack that covers translated code drops the code and goes on", () => {
    cpu.view.setBigUint64(L.PAGE_CODE_BITMAP + 8 * 8, 1n << 63n, true);
    assert.equal(deliver(0x30, undefined, INT_N), "ok");
    assert.equal(cpu.view.getBigUint64(L.PAGE_CODE_BITMAP + 8 * 8, true), 0n);
    assert.equal(cpu.ram32(0x8ffc), DATA3);
  });
});

describe("several faults", () => {
  beforeEach(() => {
    cpu.enterProtected(3);
    cpu.at(0x40_0000, 2);
    setGate(13, gate(CODE0, 0x13_0000, INTERRUPT_GATE));
    setGate(8, gate(CODE0, 0x8_0000, INTERRUPT_GATE));
  });

  it("a contributory fault after a benign one is delivered itself", () => {
    assert.equal(deliverFault(6), "ok");
    assert.equal(cpu.state64(L.RIP), 0x13_0000n);
    assert.equal(cpu.ram32(0x8fe8), 6 * 8 + 3);
  });

  it("two contributory ones make a double fault with error code 0", () => {
    assert.equal(deliverFault(11, 0x50), "ok");
    assert.equal(cpu.state64(L.RIP), 0x8_0000n);
    assert.equal(cpu.ram32(0x8fe8), 0);
  });

  it("a page fault and a contributory one too", () => {
    assert.equal(deliverFault(14, 2), "ok");
    assert.equal(cpu.state64(L.RIP), 0x8_0000n);
  });

  it("a fault while delivering a double fault is shutdown", () => {
    setGate(13, 0n);
    setGate(8, 0n);
    assert.equal(deliverFault(11, 0x50), "shutdown");
  });

  it("a page fault on the IDT while delivering a page fault is a double fault", () => {
    cpu.setState64(L.CR3, PAGE_TABLES);
    cpu.setRam32(PAGE_TABLES, PAGE_TABLES + 0x1000 + 7);
    for (let i = 0; i < 16; i++) cpu.setRam32(PAGE_TABLES + 0x1000 + i * 4, i * 0x1000 + 7);
    cpu.setState64(L.IDTR_BASE, 0x80_0000);
    cpu.setState64(L.CR0, 0x80010011);
    cpu.run("flushTlb");
    cpu.setState64(L.FAULT_ADDRESS, 0x1234_5000n);
    assert.equal(deliverFault(14, 2), "shutdown");
    assert.equal(cpu.state64(L.CR2), BigInt(0x80_0000 + 8 * 8));
  });
});

describe("virtual-8086 mode", () => {
  beforeEach(() => {
    cpu.enterProtected(3);
    for (const segment of [ES, CS, SS, DS, FS, GS]) {
      cpu.setSegment(segment, 0x1000 + segment, 0xf3, 0x1_0000 + segment * 16, 0xffff);
    }
    cpu.flags = VM | IF | 0x3000;
    cpu.setState64(L.GPR_RSP, 0xfff0);
    cpu.at(0x200, 2);
    setGate(0x21, gate(CODE0, 0x12_3456, INTERRUPT_GATE | DPL3));
  });

  it("pushes all segment registers on the ring-0 stack and empties them", () => {
    assert.equal(deliver(0x21, undefined, INT_N), "ok");
    const frame = [0x202, 0x1001, VM | IF | 0x3002, 0xfff0, 0x1002, 0x1000, 0x1003, 0x1004, 0x1005];
    assert.deepEqual(cpu.stack32(0x9000 - 36, 9), frame);
    assert.deepEqual(
      [ES, DS, FS, GS].map((segment) => cpu.selector(segment)),
      [0, 0, 0, 0],
    );
    assert.equal(cpu.flags & VM, 0);
    assert.equal(cpu.state32(L.MODE) & L.MODE_REAL, 0);
  });

  it("IRET goes back", () => {
    deliver(0x21, undefined, INT_N);
    assert.equal(cpu.call("iret", 0, 0, 4), "ok");
    assert.equal(cpu.flags, VM | IF | 0x3002);
    assert.equal(cpu.state32(L.CPL), 3);
    const segments = [ES, CS, SS, DS, FS, GS];
    assert.deepEqual(
      segments.map((segment) => cpu.selector(segment)),
      segments.map((segment) => 0x1000 + segment),
    );
    assert.equal(cpu.base(DS), 0x1_0030n);
    assert.equal(cpu.state64(L.GPR_RSP), 0xfff0n);
    assert.equal(cpu.state64(L.NEXT_RIP), 0x202n);
    assert.equal(cpu.state32(L.MODE) & (L.MODE_REAL | L.MODE_USER), L.MODE_REAL | L.MODE_USER);
  });

  it("needs a handler at level 0", () => {
    setGate(0x21, gate(CODE3, 0, INTERRUPT_GATE | DPL3));
    assert.equal(deliver(0x21, undefined, INT_N), `#13(${CODE3 & ~3})`);
  });

  it("INT n needs IOPL 3", () => {
    cpu.flags = VM | IF;
    assert.equal(cpu.call("int", 0, 0, 0x21), "#13(0)");
    assert.equal(cpu.call("pushf", 0, 0, 2), "#13(0)");
    assert.equal(cpu.call("popf", 0, 0, 2), "#13(0)");
    assert.equal(cpu.call("iret", 0, 0, 2), "#13(0)");
    assert.equal(cpu.call("cli"), "#13(0)");
  });
});

describe("64-bit mode", () => {
  const handler = 0xffff_8000_0012_3456n;
  beforeEach(() => {
    cpu.enterLong(3);
    cpu.flags = IF | 0x41;
    cpu.at(0x40_0000, 2);
    cpu.setState64(L.GPR_RSP, 0x7ffd);
    setGate64(0x30, CODE0, handler, INTERRUPT_GATE | DPL3);
    setGate64(13, CODE0, handler, INTERRUPT_GATE);
    setGate64(8, CODE0, handler + 8n, INTERRUPT_GATE);
  });

  it("pushes five quadwords on the stack of RSP0 and loads a null SS", () => {
    assert.equal(deliver(0x30, undefined, INT_N), "ok");
    assert.equal(cpu.state64(L.GPR_RSP), 0x8fd8n);
    assert.deepEqual(cpu.stack64(0x8fd8, 5), [
      0x40_0002n,
      BigInt(CODE3),
      BigInt(IF | 0x43),
      0x7ffdn,
      BigInt(DATA3),
    ]);
    assert.deepEqual([cpu.selector(CS), cpu.selector(SS), cpu.state32(L.CPL)], [CODE0, 0, 0]);
    assert.equal(cpu.state64(L.RIP), handler);
    assert.equal(cpu.state32(L.MODE) & (L.MODE_CODE_SIZE | L.MODE_USER), 2);
  });

  it("aligns the stack to 16 bytes when the level stays, and keeps SS", () => {
    cpu.enterLong(0);
    cpu.setState64(L.GPR_RSP, 0x7ffd);
    assert.equal(deliver(13, 0x10, EXCEPTION), "ok");
    assert.equal(cpu.state64(L.GPR_RSP), 0x7ff0n - 48n);
    assert.equal(cpu.ram64(0x7ff0 - 48), 0x10n);
    assert.equal(cpu.ram64(0x7ff0 - 16), 0x7ffdn);
    assert.equal(cpu.selector(SS), DATA0);
  });

  it("takes the interrupt stack that the gate names, whatever the level", () => {
    cpu.enterLong(0);
    setGate64(0x31, CODE0, handler, INTERRUPT_GATE, 3);
    cpu.setRam64(TSS + 0x24 + 16, 0xa008n);
    assert.equal(deliver(0x31, undefined, INTERRUPT), "ok");
    assert.equal(cpu.state64(L.GPR_RSP), 0xa000n - 40n);
  });

  it("returns by IRET to user mode with SS and RSP from the frame", () => {
    deliver(0x30, undefined, INT_N);
    assert.equal(cpu.call("iret", 0, 0, 8), "ok");
    assert.deepEqual([cpu.selector(CS), cpu.selector(SS), cpu.state32(L.CPL)], [CODE3, DATA3, 3]);
    assert.equal(cpu.state64(L.GPR_RSP), 0x7ffdn);
    assert.equal(cpu.state64(L.NEXT_RIP), 0x40_0002n);
    assert.equal(cpu.flags, IF | 0x43);
  });

  it("IRET at level 0 takes SS and RSP too, and SS may be null", () => {
    cpu.enterLong(0);
    deliver(13, undefined, INTERRUPT);
    cpu.setRam64(Number(cpu.state64(L.GPR_RSP)) + 24, 0x7ff5n);
    cpu.setRam64(Number(cpu.state64(L.GPR_RSP)) + 32, 0n);
    assert.equal(cpu.call("iret", 0, 0, 8), "ok");
    assert.equal(cpu.state64(L.GPR_RSP), 0x7ff5n);
    assert.equal(cpu.selector(SS), 0);
  });

  it("IRET to user mode wants a stack segment", () => {
    deliver(0x30, undefined, INT_N);
    cpu.setRam64(0x8fd8 + 32, 0n);
    assert.equal(cpu.call("iret", 0, 0, 8), "#13(0)");
    assert.equal(cpu.state32(L.CPL), 0);
    assert.equal(cpu.state64(L.GPR_RSP), 0x8fd8n);
  });

  it("IRET refuses NT and non-canonical targets", () => {
    deliver(0x30, undefined, INT_N);
    cpu.setRam64(0x8fd8, 0x0000_8000_0000_0000n);
    assert.equal(cpu.call("iret", 0, 0, 8), "#13(0)");
    cpu.flags = NT;
    assert.equal(cpu.call("iret", 0, 0, 8), "#13(0)");
  });

  it("accepts only 64-bit handlers and canonical stacks", () => {
    cpu.setDescriptor(SPARE, descriptor(0, 0xfffff, ACCESS_CODE, FLAT32));
    setGate64(0x32, SPARE, handler, INTERRUPT_GATE);
    assert.equal(deliver(0x32, undefined, INTERRUPT), `#13(${SPARE + 1})`);
    setGate64(0x32, CODE0, 0x0000_8000_0000_0000n, INTERRUPT_GATE);
    assert.equal(deliver(0x32, undefined, INTERRUPT), "#13(1)");
    cpu.setRam64(TSS + 4, 0x0000_8000_0000_0000n);
    assert.equal(deliver(0x30, undefined, INT_N), "#12(0)");
    assert.equal(deliver(13, 0, EXCEPTION), "#12(1)");
  });

  it("INT n needs the gate's DPL", () => {
    assert.equal(deliver(13, undefined, INT_N), `#13(${13 * 8 + 2})`);
  });

  it("interrupts compatibility mode, and IRET returns to it", () => {
    cpu.setDescriptor(SPARE, descriptor(0, 0xfffff, ACCESS_CODE | DPL3, FLAT32));
    cpu.setSegment(CS, SPARE | 3, 0xc0fb, 0, 0xffffffff);
    cpu.run("updateMode");
    assert.equal(cpu.state32(L.MODE) & L.MODE_CODE_SIZE, 1);
    assert.equal(deliver(0x30, undefined, INT_N), "ok");
    assert.equal(cpu.state32(L.MODE) & L.MODE_CODE_SIZE, 2);
    assert.equal(cpu.call("iret", 0, 0, 8), "ok");
    assert.equal(cpu.state32(L.MODE) & L.MODE_CODE_SIZE, 1);
    assert.equal(cpu.selector(CS), SPARE | 3);
  });
});

describe("hardware tasks", () => {
  const OTHER = 0x4000;
  beforeEach(() => {
    cpu.enterProtected(0);
    cpu.setDescriptor(SPARE, descriptor(OTHER, 0x67, 0x89, 0));
    cpu.setRam32(OTHER + 0x20, 0x55_0000);
    cpu.setRam32(OTHER + 0x24, 0x202);
    cpu.setRam32(OTHER + 0x28, 0xaaaa);
    cpu.setRam32(OTHER + 0x38, 0xb000);
    cpu.setRam32(OTHER + 0x48, DATA0);
    cpu.setRam32(OTHER + 0x4c, CODE0);
    cpu.setRam32(OTHER + 0x50, DATA0);
    cpu.setRam32(OTHER + 0x54, DATA0);
    cpu.setState64(L.GPR_RBX, 0x1111);
    cpu.at(0x40_0000, 7);
    cpu.flags = 0x246;
  });

  it("a task gate switches to the task, links back and pushes the error code there", () => {
    setGate(8, gate(SPARE, 0, 0x85));
    assert.equal(deliver(8, 0, EXCEPTION), "ok");
    assert.equal(cpu.state64(L.RIP), 0x55_0000n);
    assert.equal(cpu.state64(L.GPR_RAX), 0xaaaan);
    assert.equal(cpu.state64(L.GPR_RSP), 0xaffcn);
    assert.equal(cpu.ram32(0xaffc), 0);
    assert.equal(cpu.ram16(OTHER), TSS_SELECTOR);
    assert.equal(cpu.flags, 0x202 | NT);
    assert.equal(cpu.ram32(TSS + 0x20), 0x40_0000);
    assert.equal(cpu.ram32(TSS + 0x34), 0x1111);
    assert.equal(cpu.ram8(0x1000 + SPARE + 5), 0x8b);
    assert.equal(cpu.state64(L.CR0) & 8n, 8n);
  });

  it("CALL to a TSS and IRET go there and back", () => {
    cpu.setState64(L.TEMP, 0);
    cpu.setState64(L.TEMP + 8, SPARE);
    assert.equal(cpu.call("callfar", L.TEMP, L.TEMP + 8, 4), "ok");
    assert.equal(cpu.selector(L.SEG_TR), SPARE);
    cpu.at(0x55_0010, 1);
    assert.equal(cpu.call("iret", 0, 0, 4), "ok");
    assert.equal(cpu.state64(L.NEXT_RIP), 0x40_0007n);
    assert.equal(cpu.state64(L.GPR_RBX), 0x1111n);
    assert.equal(cpu.selector(L.SEG_TR), TSS_SELECTOR);
    assert.equal(cpu.flags, 0x246);
    assert.equal(cpu.ram8(0x1000 + SPARE + 5), 0x89);
    assert.equal(cpu.ram32(OTHER + 0x20), 0x55_0011);
  });

  it("refuses a busy task", () => {
    cpu.setDescriptor(SPARE, descriptor(OTHER, 0x67, 0x8b, 0));
    cpu.setState64(L.TEMP + 8, SPARE);
    assert.equal(cpu.call("jmpfar", L.TEMP, L.TEMP + 8, 4), `#13(${SPARE})`);
  });
});
