import assert from "node:assert/strict";
import { test } from "node:test";
import { Assembler, at, CONDITION, R, SEGMENT } from "./assembler.ts";
import { disassemble } from "./disassemble.ts";
import { assembleRunner, RUNNER_TEXT_GVA } from "./runner.ts";

/** What an independent disassembler makes of what `emit` assembles at 0x1000. */
function assembled(emit: (a: Assembler) => void): string[] {
  const a = new Assembler(0x1000n);
  emit(a);
  return disassemble(a.finish(), "long64", 0x1000n);
}

const FORMS: readonly (readonly [text: string, emit: (a: Assembler) => void])[] = [
  [
    "mov eax, 1",
    (a) => {
      a.movImmediate(R.rax, 1);
    },
  ],
  [
    "mov r10d, 0FFFFFFFFh",
    (a) => {
      a.movImmediate(R.r10, 0xffff_ffffn);
    },
  ],
  [
    "mov rsp, 123456780000h",
    (a) => {
      a.movImmediate(R.rsp, 0x1234_5678_0000n);
    },
  ],
  [
    "mov r15, 0FFFFFFFFFFFFFFFFh",
    (a) => {
      a.movImmediate(R.r15, -1n);
    },
  ],
  [
    "mov rax, r12",
    (a) => {
      a.move(R.rax, R.r12);
    },
  ],
  [
    "mov r14, rdi",
    (a) => {
      a.move(R.r14, R.rdi);
    },
  ],
  [
    "mov rax, [rbp+8]",
    (a) => {
      a.load64(R.rax, at(R.rbp, 8));
    },
  ],
  [
    "mov r12, [rbp+10h]",
    (a) => {
      a.load64(R.r12, at(R.rbp, 16));
    },
  ],
  [
    "mov ecx, [r12+4]",
    (a) => {
      a.load32(R.rcx, at(R.r12, 4));
    },
  ],
  [
    "mov eax, [rsp-8]",
    (a) => {
      a.load32(R.rax, at(R.rsp, -8));
    },
  ],
  [
    "movzx eax, word ptr [r12+0Ch]",
    (a) => {
      a.load16(R.rax, at(R.r12, 12));
    },
  ],
  [
    "mov [r14], rsi",
    (a) => {
      a.store64(at(R.r14), R.rsi);
    },
  ],
  [
    "mov [rbx+0Ch], r15d",
    (a) => {
      a.store32(at(R.rbx, 12), R.r15);
    },
  ],
  [
    "lea rdi, [rdx+28h]",
    (a) => {
      a.lea(R.rdi, at(R.rdx, 40));
    },
  ],
  [
    "mov [rbx+10h], ds",
    (a) => {
      a.storeSegment(at(R.rbx, 16), SEGMENT.ds);
    },
  ],
  [
    "mov gs, [r12+0Eh]",
    (a) => {
      a.loadSegment(SEGMENT.gs, at(R.r12, 14));
    },
  ],
  [
    "add rax, r12",
    (a) => {
      a.add(R.rax, R.r12);
    },
  ],
  [
    "sub r12, rbx",
    (a) => {
      a.subtract(R.r12, R.rbx);
    },
  ],
  [
    "cmp rax, rcx",
    (a) => {
      a.compare(R.rax, R.rcx);
    },
  ],
  [
    "test r13, r13",
    (a) => {
      a.test(R.r13, R.r13);
    },
  ],
  [
    "add rsi, 7",
    (a) => {
      a.addImmediate(R.rsi, 7);
    },
  ],
  [
    "or rax, 2",
    (a) => {
      a.orImmediate(R.rax, 2);
    },
  ],
  [
    "and rsi, 0FFFFFFFFFFFFFFF8h",
    (a) => {
      a.andImmediate(R.rsi, -8);
    },
  ],
  [
    "sub r13, 1",
    (a) => {
      a.subtractImmediate(R.r13, 1);
    },
  ],
  [
    "cmp rdi, 1Bh",
    (a) => {
      a.compareImmediate(R.rdi, 27);
    },
  ],
  [
    "ret",
    (a) => {
      a.ret();
    },
  ],
  [
    "syscall",
    (a) => {
      a.syscall();
    },
  ],
  [
    "rep movsb [rdi], [rsi]",
    (a) => {
      a.repMoveBytes();
    },
  ],
  [
    "rep movsq [rdi], [rsi]",
    (a) => {
      a.repMoveQwords();
    },
  ],
  [
    "push rax",
    (a) => {
      a.push(R.rax);
    },
  ],
  [
    "push r9",
    (a) => {
      a.push(R.r9);
    },
  ],
  [
    "popfq",
    (a) => {
      a.popFlags();
    },
  ],
  [
    "movdqa xmm1, [rsi]",
    (a) => {
      a.loadAligned128(1, at(R.rsi));
    },
  ],
  [
    "movdqa [rsi], xmm1",
    (a) => {
      a.storeAligned128(at(R.rsi), 1);
    },
  ],
  [
    "movdqu [r14+8], xmm1",
    (a) => {
      a.storeUnaligned128(at(R.r14, 8), 1);
    },
  ],
  [
    "pcmpeqb xmm0, [rdi]",
    (a) => {
      a.compareEqualBytes(0, at(R.rdi));
    },
  ],
  [
    "pmovmskb eax, xmm0",
    (a) => {
      a.moveByteMask(R.rax, 0);
    },
  ],
];

for (const [text, emit] of FORMS) {
  test(`assembles ${text}`, () => {
    assert.deepEqual(assembled(emit), [text]);
  });
}

test("resolves jumps in both directions", () => {
  const lines = assembled((a) => {
    a.label("back");
    a.jump("ahead");
    a.jumpIf(CONDITION.notEqual, "back");
    a.label("ahead");
    a.call("back");
  });

  assert.deepEqual(lines, ["jmp 000000000000100Bh", "jne 0000000000001000h", "call 0000000000001000h"]);
});

test("refuses a jump to a label that is nowhere", () => {
  const a = new Assembler(0n);
  a.jump("nowhere");

  assert.throws(() => a.finish(), /nowhere is not defined/);
});

test("the whole runner disassembles to valid instructions", () => {
  const lines = disassemble(assembleRunner({ fpResultBytes: 512 }), "long64", RUNNER_TEXT_GVA);

  assert.ok(lines.length > 200, `only ${String(lines.length)} instructions`);
  assert.deepEqual(
    lines.filter((line) => line.includes("(bad)")),
    [],
  );
});
