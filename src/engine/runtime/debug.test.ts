/** Breakpoints, single steps and RF as a guest sees them. SDM 3B 17.2 and 17.3, SDM 3A 6.8.3. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import * as L from "../layout.ts";
import type { EngineHost } from "./engine.ts";
import {
  CODE,
  DATA,
  HANDLERS,
  STACK_TOP,
  TestMachine,
  type MachineEvent,
  type MachineMode,
} from "./testing.ts";

const core = new WebAssembly.Module(readFileSync(new URL("../../../build/core.wasm", import.meta.url)));
const tiers = ["interpreter", "regions"] as const;
const modes = ["protected", "long"] as const;

const RAX = 0;
const RCX = 1;
const RDX = 2;
const RBX = 3;
const RSP = 4;
const RSI = 6;
const RDI = 7;
const TF = 0x100n;
const RF = 0x10000;
const DB = 1;
const BD = 1 << 13;
const BS = 1 << 14;
const DR6_FIXED = 0xffff0ff0;
const CR4_DE = 8n;
const HLT = 0xf4;
const IRET32 = 0xcf;

// Conditions and lengths of DR7.
const EXECUTE = 0;
const WRITE = 1;
const PORT = 2;
const ACCESS = 3;
const lengths = { 1: 0, 2: 1, 4: 3, 8: 2 } as const;
type WatchedBytes = keyof typeof lengths;

interface Setup {
  readonly tier: (typeof tiers)[number];
  readonly mode?: MachineMode;
  readonly code: readonly number[];
  readonly rflags?: bigint;
  readonly host?: Partial<EngineHost>;
}

class DebugMachine extends TestMachine {
  constructor({ tier, mode = "long", code, rflags = 2n, host }: Setup) {
    super({ core, tier, mode, code, ...(host === undefined ? {} : { host }) });
    const { cr4 } = this.engine.registers.read();
    this.change({ rflags, cr4: cr4 | CR4_DE });
  }

  dr(n: number): number {
    return this.engine.registers.u32(L.DR + 8 * n);
  }

  /** DR6 without its fixed bits. */
  get dr6(): number {
    return (this.dr(6) & ~DR6_FIXED) >>> 0;
  }

  /** Enables breakpoint n globally. */
  watch(n: number, address: bigint | number, condition: number, size: WatchedBytes = 1): void {
    const { registers } = this.engine;
    registers.setU64(L.DR + 8 * n, BigInt(address));
    const enabled = (2 << (2 * n)) | ((condition | (lengths[size] << 2)) << (16 + 4 * n));
    this.writeDr7((this.dr(7) | enabled) >>> 0);
  }

  /** As the guest would, by MOV to DR7; the code at CODE stays. */
  writeDr7(value: number): void {
    const { registers } = this.engine;
    const rip = registers.u64(L.RIP);
    const rax = this.gpr(RAX);
    const at = CODE + 0x800;
    this.ram.set([0x0f, 0x23, 0xf8, HLT], at);
    this.engine.memoryWritten(at, 4);
    registers.setU64(L.RIP, BigInt(at));
    this.setGpr(RAX, value);
    const { rflags } = registers;
    registers.rflags = 2n;
    registers.setU32(L.MODE, registers.u32(L.MODE) & ~L.MODE_STEP);
    assert.equal(this.run(), "halt");
    registers.setU32(L.HALTED, 0);
    registers.setU64(L.RIP, rip);
    this.setGpr(RAX, rax);
    this.change({ rflags });
  }

  /** Goes on behind the handler that has halted, with another image of RFLAGS if given: IRET. */
  resume(flags?: number): void {
    const { registers } = this.engine;
    const at = Number(registers.u64(L.RIP));
    registers.setU32(L.HALTED, 0);
    const long = (registers.u32(L.MODE) & L.MODE_CODE_SIZE) === 2;
    if (flags !== undefined) this.view.setUint32(Number(this.gpr(RSP)) + (long ? 16 : 8), flags, true);
    const code = long ? [0x48, IRET32] : [IRET32];
    this.ram.set(code, at);
  }

  /** Vector, RIP relative to CODE, DR6 of the next event. */
  next(): [vector: number, offset: number, dr6: number] {
    const { vector, rip } = this.runToEvent();
    return [vector, Number(rip) - CODE, this.dr6];
  }
}

const inc = (register: number): number[] => [0xff, 0xc0 | register];

for (const tier of tiers) {
  for (const mode of modes) {
    const name = `${tier}, ${mode}`;

    test(`${name}: an instruction breakpoint faults in front of its instruction, and RF lets it pass once`, () => {
      // Three times round: the breakpoint is met each time.
      const code = [...inc(RAX), ...inc(RDX), 0xff, 0xc9, 0x75, 0xf8, HLT];
      const machine = new DebugMachine({ tier, mode, code });
      machine.setGpr(RCX, 3);
      machine.watch(2, CODE + 2, EXECUTE);
      for (const round of [1n, 2n, 3n]) {
        const event = machine.runToEvent();
        assert.deepEqual([event.vector, event.rip, machine.dr6], [DB, BigInt(CODE + 2), 4]);
        assert.deepEqual([machine.gpr(RAX), machine.gpr(RDX)], [round, round - 1n]);
        assert.equal(event.flags & RF, 0);
        machine.resume(event.flags | RF);
        machine.engine.registers.setU64(L.DR + 48, BigInt(DR6_FIXED));
      }
      assert.equal(machine.run(), "halt");
      assert.deepEqual([machine.gpr(RAX), machine.gpr(RDX)], [3n, 3n]);
    });

    test(`${name}: breakpoints on neighbouring instructions are each met, round after round`, () => {
      const code = [...inc(RAX), ...inc(RDX), 0xff, 0xc9, 0x75, 0xf8, HLT];
      const machine = new DebugMachine({ tier, mode, code });
      machine.setGpr(RCX, 3);
      machine.watch(1, CODE, EXECUTE);
      machine.watch(2, CODE + 2, EXECUTE);
      for (const met of Array.from({ length: 6 }, (_, i) => i % 2)) {
        const event = machine.runToEvent();
        assert.deepEqual([event.rip, machine.dr6], [BigInt(CODE + 2 * met), 2 << met]);
        machine.resume(event.flags | RF);
        machine.engine.registers.setU64(L.DR + 48, BigInt(DR6_FIXED));
      }
      assert.equal(machine.run(), "halt");
      assert.deepEqual([machine.gpr(RAX), machine.gpr(RDX)], [3n, 3n]);
    });

    test(`${name}: a breakpoint on code that has run before is met, and no more when it is disabled`, () => {
      const machine = new DebugMachine({ tier, mode, code: [...inc(RAX), ...inc(RDX), HLT] });
      assert.equal(machine.run(), "halt");
      machine.engine.registers.setU32(L.HALTED, 0);
      machine.engine.registers.setU64(L.RIP, BigInt(CODE));
      machine.watch(0, CODE + 2, EXECUTE);
      assert.deepEqual(machine.next(), [DB, 2, 1]);
      assert.equal(machine.gpr(RAX), 2n);
      machine.resume();
      machine.writeDr7(0);
      assert.equal(machine.run(), "halt");
      assert.equal(machine.gpr(RDX), 2n);
    });

    for (const size of [1, 2, 4] as const) {
      test(`${name}: a write to ${size} watched bytes traps behind the instruction, a read does not`, () => {
        // mov eax, [rbx]; mov [rbx], al; inc ecx
        const machine = new DebugMachine({ tier, mode, code: [0x8b, 0x03, 0x88, 0x03, ...inc(RCX), HLT] });
        const watched = DATA + 0x40 + (size === 4 ? 0 : size);
        machine.watch(1, watched, WRITE, size);
        machine.setGpr(RBX, watched + size - 1);
        assert.deepEqual(machine.next(), [DB, 4, 2]);
        assert.equal(machine.gpr(RCX), 0n);
      });

      test(`${name}: accesses beside ${size} watched bytes do not trap`, () => {
        // mov [rbx], al; mov [rsi], ax
        const machine = new DebugMachine({ tier, mode, code: [0x88, 0x03, 0x66, 0x89, 0x06, HLT] });
        const watched = DATA + 0x40;
        machine.watch(1, watched, ACCESS, size);
        machine.setGpr(RBX, watched + size);
        machine.setGpr(RSI, watched - 2);
        assert.equal(machine.run(), "halt");
        assert.equal(machine.dr6, 0);
      });
    }

    test(`${name}: a read of bytes watched for reads and writes traps behind it, with what it read`, () => {
      const machine = new DebugMachine({ tier, mode, code: [0x8b, 0x03, ...inc(RCX), HLT] });
      machine.view.setUint32(DATA, 0x1234, true);
      machine.watch(3, DATA + 2, ACCESS);
      machine.setGpr(RBX, DATA);
      assert.deepEqual(machine.next(), [DB, 2, 8]);
      assert.deepEqual([machine.gpr(RAX), machine.gpr(RCX)], [0x1234n, 0n]);
    });

    test(`${name}: an access across pages is compared whole`, () => {
      const machine = new DebugMachine({ tier, mode, code: [0x89, 0x03, ...inc(RCX), HLT] });
      machine.watch(0, DATA + 0x1000, WRITE);
      machine.setGpr(RBX, DATA + 0xffd);
      assert.deepEqual(machine.next(), [DB, 2, 1]);
    });

    test(`${name}: PUSH, CALL and read-modify-write trap behind themselves`, () => {
      // push rax; call +0; inc dword [rbx]
      const code = [0x50, 0xe8, 0, 0, 0, 0, 0xff, 0x03, HLT];
      const size = mode === "long" ? 8 : 4;
      const machine = new DebugMachine({ tier, mode, code });
      machine.watch(0, STACK_TOP - 1, WRITE);
      machine.watch(2, DATA, WRITE, 4);
      machine.setGpr(RBX, DATA);
      assert.deepEqual(machine.next(), [DB, 1, 1]);
      machine.resume();
      // Not earlier: the frame of #DB itself has been there.
      machine.watch(1, STACK_TOP - 2 * size, WRITE);
      assert.deepEqual(machine.next(), [DB, 6, 2]);
      machine.resume();
      assert.deepEqual(machine.next(), [DB, 8, 4]);
    });

    test(`${name}: a repeated string instruction traps behind the iteration that touched the bytes, with RF`, () => {
      const machine = new DebugMachine({ tier, mode, code: [0xf3, 0xaa, ...inc(RDX), HLT] });
      machine.watch(0, DATA + 5, WRITE, 1);
      machine.setGpr(RDI, DATA);
      machine.setGpr(RCX, 10);
      const event = machine.runToEvent();
      assert.deepEqual([event.vector, event.rip, machine.dr6], [DB, BigInt(CODE), 1]);
      assert.deepEqual([machine.gpr(RCX), machine.gpr(RDI)], [4n, BigInt(DATA + 6)]);
      assert.equal(event.flags & RF, RF);
      machine.resume();
      assert.equal(machine.run(), "halt");
      assert.deepEqual([machine.gpr(RCX), machine.gpr(RDX)], [0n, 1n]);
    });

    test(`${name}: the last iteration traps behind the instruction, without RF`, () => {
      const machine = new DebugMachine({ tier, mode, code: [0xf3, 0xa4, ...inc(RDX), HLT] });
      machine.watch(0, DATA + 9, ACCESS, 1);
      machine.setGpr(RSI, DATA);
      machine.setGpr(RDI, DATA + 0x100);
      machine.setGpr(RCX, 10);
      const event = machine.runToEvent();
      assert.deepEqual([event.rip, event.flags & RF, machine.gpr(RCX)], [BigInt(CODE + 2), 0, 0n]);
    });

    test(`${name}: an instruction that faults does not trap for what it had touched before`, () => {
      // push qword [rbx] to a stack that is not there; the handler has another one
      const machine = new DebugMachine({ tier, code: [0xff, 0x33] });
      machine.watch(0, DATA, ACCESS);
      machine.setGpr(RBX, DATA);
      machine.setGpr(RSP, 0x5000_0800);
      machine.setInterruptStack(14, 1, STACK_TOP);
      assert.equal(machine.runToEvent().vector, 14);
      assert.equal(machine.dr6, 0);
    });

    test(`${name}: a breakpoint on a port traps behind IN and OUT`, () => {
      const ports: number[] = [];
      const host = { writePort: (port: number): void => void ports.push(port) };
      // out 0x81, al; out 0x80, ax (0x80 and 0x81); in al, 0x82
      const machine = new DebugMachine({
        tier,
        mode,
        host,
        code: [0xe6, 0x83, 0x66, 0xe7, 0x80, 0xe4, 0x82],
      });
      machine.watch(0, 0x81, PORT);
      machine.watch(1, 0x82, PORT);
      assert.deepEqual(machine.next(), [DB, 5, 1]);
      assert.deepEqual(ports, [0x83, 0x80]);
      machine.resume();
      assert.deepEqual(machine.next(), [DB, 7, 2]);
    });

    test(`${name}: what disabled breakpoints match is told with what an enabled one does`, () => {
      const machine = new DebugMachine({ tier, mode, code: [0x89, 0x03, HLT] });
      machine.engine.registers.setU64(L.DR + 8, BigInt(DATA));
      machine.writeDr7(0x00d00000);
      machine.watch(0, DATA, WRITE);
      machine.setGpr(RBX, DATA);
      assert.deepEqual(machine.next(), [DB, 2, 3]);
    });

    test(`${name}: MOV DR under DR7.GD faults, clears GD and says BD`, () => {
      const machine = new DebugMachine({ tier, mode, code: [0x0f, 0x21, 0xf1, HLT] });
      machine.writeDr7(0x2000);
      const event = machine.runToEvent();
      assert.deepEqual([event.vector, event.rip, machine.dr6], [DB, BigInt(CODE), BD]);
      assert.equal(event.flags & RF, RF);
      assert.equal(machine.dr(7), 0x400);
    });

    test(`${name}: a single step traps behind each instruction`, () => {
      const machine = new DebugMachine({ tier, mode, rflags: 2n | TF, code: [...inc(RAX), ...inc(RDX)] });
      assert.deepEqual(machine.next(), [DB, 2, BS]);
      machine.resume();
      assert.deepEqual(machine.next(), [DB, 4, BS]);
    });

    test(`${name}: a single step and a data breakpoint are one trap`, () => {
      const machine = new DebugMachine({ tier, mode, rflags: 2n | TF, code: [0x89, 0x03] });
      machine.watch(2, DATA, WRITE);
      machine.setGpr(RBX, DATA);
      assert.deepEqual(machine.next(), [DB, 2, BS | 4]);
    });

    test(`${name}: single steps go through a repeated string instruction iteration by iteration`, () => {
      const machine = new DebugMachine({ tier, mode, rflags: 2n | TF, code: [0xf3, 0xaa] });
      machine.setGpr(RDI, DATA);
      machine.setGpr(RCX, 2);
      const first = machine.runToEvent();
      assert.deepEqual([first.rip, first.flags & RF, machine.gpr(RCX)], [BigInt(CODE), RF, 1n]);
      machine.resume();
      const second = machine.runToEvent();
      assert.deepEqual([second.rip, second.flags & RF, machine.gpr(RCX)], [BigInt(CODE + 2), 0, 0n]);
    });

    test(`${name}: TF set by POPF traps behind the next instruction, cleared by it behind itself`, () => {
      // popf; inc eax; popf
      const machine = new DebugMachine({ tier, mode, code: [0x9d, ...inc(RAX), 0x9d, ...inc(RAX)] });
      const size = mode === "long" ? 8 : 4;
      machine.setGpr(RSP, STACK_TOP - 2 * size);
      machine.view.setUint32(STACK_TOP - 2 * size, 0x102, true);
      machine.view.setUint32(STACK_TOP - size, 2, true);
      assert.deepEqual(machine.next(), [DB, 3, BS]);
      machine.resume();
      const event: MachineEvent = machine.runToEvent();
      assert.deepEqual([event.rip, event.flags & 0x100], [BigInt(CODE + 4), 0]);
    });

    test(`${name}: IRET that sets TF traps behind the instruction it returns to`, () => {
      const machine = new DebugMachine({ tier, mode, code: [0xcc, ...inc(RAX), ...inc(RDX)] });
      const { flags } = machine.runToEvent();
      machine.resume(flags | 0x100);
      assert.deepEqual(machine.next(), [DB, 3, BS]);
    });

    test(`${name}: MOV SS holds a single step off until behind the next instruction`, () => {
      const code = [0x8e, 0xd0, ...inc(RDX), ...inc(RDX)];
      const machine = new DebugMachine({ tier, mode, rflags: 2n | TF, code });
      machine.setGpr(RAX, 0x10);
      assert.deepEqual(machine.next(), [DB, 4, BS]);
    });

    test(`${name}: a data breakpoint of MOV SS traps behind the next instruction`, () => {
      // mov ss, [rbx]; inc edx; inc edx
      const machine = new DebugMachine({ tier, mode, code: [0x8e, 0x13, ...inc(RDX), ...inc(RDX)] });
      machine.view.setUint16(DATA, 0x10, true);
      machine.setGpr(RBX, DATA);
      machine.watch(0, DATA, ACCESS, 2);
      assert.deepEqual(machine.next(), [DB, 4, 1]);
      assert.equal(machine.gpr(RDX), 1n);
    });

    test(`${name}: behind MOV SS an INT enters its handler before the held breakpoint traps there`, () => {
      const machine = new DebugMachine({ tier, mode, code: [0x8e, 0x13, 0xcd, 0x40] });
      machine.view.setUint16(DATA, 0x10, true);
      machine.setGpr(RBX, DATA);
      machine.watch(0, DATA, ACCESS, 2);
      const event = machine.runToEvent();
      assert.deepEqual([event.vector, event.rip], [DB, BigInt(HANDLERS + 0x40 * 16)]);
    });

    test(`${name}: MOV SS holds an instruction breakpoint on the next instruction off`, () => {
      const machine = new DebugMachine({ tier, mode, code: [0x8e, 0xd0, ...inc(RDX), ...inc(RDX), HLT] });
      machine.setGpr(RAX, 0x10);
      machine.watch(0, CODE + 2, EXECUTE);
      machine.watch(1, CODE + 4, EXECUTE);
      assert.deepEqual(machine.next(), [DB, 4, 2]);
    });

    test(`${name}: only the first of two MOV SS holds anything off`, () => {
      const code = [0x8e, 0xd0, 0x8e, 0xd0, ...inc(RDX)];
      const machine = new DebugMachine({ tier, mode, rflags: 2n | TF, code });
      machine.setGpr(RAX, 0x10);
      assert.deepEqual(machine.next(), [DB, 4, BS]);
    });

    test(`${name}: a single step wakes the processor behind HLT`, () => {
      const machine = new DebugMachine({ tier, mode, rflags: 2n | TF, code: [HLT, ...inc(RDX)] });
      assert.deepEqual(machine.next(), [DB, 1, BS]);
    });

    test(`${name}: INT n clears TF: no step is due behind it`, () => {
      const machine = new DebugMachine({ tier, mode, rflags: 2n | TF, code: [0xcd, 0x40] });
      const event = machine.runToEvent();
      assert.deepEqual([event.vector, event.flags & 0x100, machine.dr6], [0x40, 0x100, 0]);
    });

    test(`${name}: INT1 traps behind itself and tells DR6 nothing`, () => {
      const machine = new DebugMachine({ tier, mode, code: [0xf1] });
      machine.setGate(DB, HANDLERS + 16, 0x8e);
      assert.deepEqual(machine.next(), [DB, 1, 0]);
    });

    test(`${name}: with BTF only what branches traps, once`, () => {
      // inc eax; jz +0 (not taken); jmp +0; inc edx
      const code = [...inc(RAX), 0x74, 0, 0xeb, 1, 0x90, ...inc(RDX), HLT];
      const machine = new DebugMachine({ tier, mode, rflags: 2n | TF, code });
      machine.engine.registers.setU64(L.DEBUGCTL, 2n);
      assert.deepEqual(machine.next(), [DB, 7, BS]);
      assert.equal(machine.engine.registers.u64(L.DEBUGCTL), 0n);
    });

    test(`${name}: a fault sets RF in the image, an interrupt and INT n do not`, () => {
      const machine = new DebugMachine({ tier, mode, code: [0x0f, 0x0b] });
      assert.equal(machine.runToEvent().flags & RF, RF);
      const software = new DebugMachine({ tier, mode, code: [0xcd, 0x40] });
      assert.equal(software.runToEvent().flags & RF, 0);
      const hardware = new DebugMachine({ tier, mode, rflags: 0x202n, code: [0x90, 0xeb, 0xfd] });
      hardware.engine.setInterruptLine(true);
      assert.equal(hardware.runToEvent().flags & RF, 0);
    });

    test(`${name}: an interrupt that comes before the instruction IRET returns to finds RF in the image`, () => {
      const machine = new DebugMachine({ tier, mode, code: [0xcc, ...inc(RAX), HLT] });
      const { flags } = machine.runToEvent();
      machine.resume(flags | RF | 0x200);
      machine.engine.setInterruptLine(true);
      const event = machine.runToEvent();
      assert.deepEqual([event.vector, event.rip, event.flags & RF], [0x20, BigInt(CODE + 1), RF]);
    });

    test(`${name}: RF is gone behind the instruction it covered`, () => {
      // int3; inc eax; int 0x40
      const machine = new DebugMachine({ tier, mode, code: [0xcc, ...inc(RAX), 0xcd, 0x40] });
      const { flags } = machine.runToEvent();
      machine.resume(flags | RF);
      const event = machine.runToEvent();
      assert.deepEqual([event.vector, event.flags & RF], [0x40, 0]);
    });

    test(`${name}: an exit in the shadow of STI does not let an interrupt into it`, () => {
      // sti; inc eax; hlt
      const machine = new DebugMachine({ tier, mode, code: [0xfb, ...inc(RAX), HLT] });
      machine.engine.setInterruptLine(true);
      assert.equal(machine.run(1), "slice");
      machine.engine.requestExit();
      assert.equal(machine.run(), "requested");
      const { vector, rip } = machine.runToEvent();
      assert.deepEqual([vector, rip], [0x20, BigInt(CODE + 3)]);
    });
  }

  test(`${tier}: 8 watched bytes trap for each byte of them`, () => {
    const machine = new DebugMachine({ tier, code: [0x88, 0x03, 0x88, 0x06, HLT] });
    machine.watch(0, DATA + 0x40, WRITE, 8);
    machine.setGpr(RBX, DATA + 0x48);
    machine.setGpr(RSI, DATA + 0x47);
    assert.deepEqual(machine.next(), [DB, 4, 1]);
  });

  test(`${tier}: a breakpoint comes before the fault of fetching its instruction`, () => {
    const machine = new DebugMachine({ tier, code: [0xff, 0xe3] });
    machine.map(0x5000_0000n, 0, 0n);
    machine.setGpr(RBX, 0x5000_0000);
    machine.watch(0, 0x5000_0000, EXECUTE);
    const event = machine.runToEvent();
    assert.deepEqual([event.vector, event.rip], [DB, 0x5000_0000n]);
    machine.resume(event.flags | RF);
    assert.equal(machine.runToEvent().vector, 14);
  });

  test(`${tier}: DR4 and DR5 are DR6 and DR7 without CR4.DE, and invalid with it`, () => {
    // mov eax, dr5
    const aliased = new DebugMachine({ tier, code: [0x0f, 0x21, 0xe8, HLT] });
    aliased.change({ cr4: aliased.engine.registers.read().cr4 & ~CR4_DE });
    assert.equal(aliased.run(), "halt");
    assert.equal(aliased.gpr(RAX), 0x400n);
    assert.equal(new DebugMachine({ tier, code: [0x0f, 0x21, 0xe8] }).runToEvent().vector, 6);
  });

  test(`${tier}: DR6 and DR7 keep their fixed bits, and #GP answers the upper half`, () => {
    // mov dr6, rax; mov dr7, rax; mov rcx, dr6; mov rdx, dr7; hlt
    const code = [0x0f, 0x23, 0xf0, 0x0f, 0x23, 0xf8, 0x0f, 0x21, 0xf1, 0x0f, 0x21, 0xfa, HLT];
    const machine = new DebugMachine({ tier, code });
    machine.setGpr(RAX, 0xffffdfff);
    assert.equal(machine.run(), "halt");
    assert.deepEqual([machine.gpr(RCX), machine.gpr(RDX)], [0xffffcfffn, 0xffff07ffn]);
    const upper = new DebugMachine({ tier, code });
    upper.setGpr(RAX, 0x1_0000_0000n);
    assert.deepEqual(upper.next().slice(0, 2), [13, 0]);
  });

  test(`${tier}: SYSRET that sets TF traps before the instruction it returns to`, () => {
    const machine = new DebugMachine({ tier, code: [0x48, 0x0f, 0x07] });
    machine.ram.set([...inc(RDX), HLT], CODE + 0x100);
    machine.engine.registers.setU64(L.MSR_STAR, 0x0013_0008_0000_0000n);
    machine.setGpr(RCX, CODE + 0x100);
    machine.setGpr(11, 0x102);
    const event = machine.runToEvent();
    assert.deepEqual([event.vector, event.rip, machine.dr6], [DB, BigInt(CODE + 0x100), BS]);
  });
}
