// Translations as text: what instructions become in each mode, where blocks end, and that every block of random code
// passes the IR's verifier.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { featureNames } from "../../cpu/index.ts";
import { IrBlock } from "../ir/block.ts";
import { blockText } from "../ir/text.ts";
import { verifyBlock } from "../ir/verify.ts";
import {
  MODE_FLAT,
  MODE_FPU_EM,
  MODE_FPU_TS,
  MODE_FS_FLAT,
  MODE_GS_FLAT,
  MODE_NO_SSE,
  MODE_REAL,
  MODE_STACK32,
  MODE_STEP,
  MODE_USER,
} from "../layout.ts";
import { BlockTranslator } from "./translate.ts";

const FLAT = MODE_FLAT | MODE_STACK32 | MODE_FS_FLAT | MODE_GS_FLAT;
const MODE64 = 2 | FLAT;
const MODE32 = 1 | FLAT;
const MODE32_SEGMENTED = 1 | MODE_STACK32;
const MODE16 = 0;
const RIP_LOW = 0x1000;

const block = new IrBlock();
const translator = new BlockTranslator(new Set(featureNames), block);

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.split(" "), (byte) => Number.parseInt(byte, 16));
}

/** The text of one block's ops between `enter` and the closing op; the code is followed by a HLT. */
function translated(hex: string, mode: number, ripHigh = 0): string[] {
  const bytes = bytesOf(`${hex} f4`);
  block.reset(RIP_LOW, ripHigh, RIP_LOW, mode);
  assert.ok(translator.translate(block, bytes, 0, bytes.length, -1));
  assert.deepEqual(verifyBlock(block), []);
  return blockText(block)
    .split("\n")
    .map((line) => line.slice(line.indexOf(" ") + 1));
}

/** The same without the HLT's ops at the end. */
function lowered(hex: string, mode: number, ripHigh = 0): string[] {
  const lines = translated(hex, mode, ripHigh);
  assert.equal(lines.at(-2), "hlt");
  return lines.slice(1, -3);
}

suite("integer instructions", () => {
  test("registers, immediates and memory", () => {
    assert.deepEqual(lowered("48 01 d8", MODE64), ["add64 rax, rbx"]);
    assert.deepEqual(lowered("83 c0 ff", MODE64), ["addi32 rax, -0x1"]);
    assert.deepEqual(lowered("8b 44 8b 10", MODE64), ["ld32_x64 rax, rbx, rcx*4, 0x10"]);
    assert.deepEqual(lowered("8a 63 01", MODE64), ["ldp8_m64 ah, rbx, 0x1"]);
    assert.deepEqual(lowered("40 8a 63 01", MODE64), ["ldp8_m64 rsp, rbx, 0x1"]);
    assert.deepEqual(lowered("c6 03 7f", MODE64), ["movi64 t0, 0x7f", "st8_m64 t0, rbx, 0x0"]);
    assert.deepEqual(lowered("48 b8 88 77 66 55 44 33 22 11", MODE64), ["movabs rax, 0x1122334455667788"]);
    assert.deepEqual(lowered("48 b8 ff ff ff ff ff ff ff ff", MODE64), ["movi64 rax, -0x1"]);
    assert.deepEqual(lowered("8b 03", MODE32), ["ld32_m32 rax, rbx, 0x0"]);
  });

  test("BMI writes the register in VEX.vvvv or ModRM.reg, and is #UD in real and virtual-8086 mode", () => {
    assert.deepEqual(lowered("c4 e2 70 f2 c2", MODE64), ["andnot32 rax, rdx, rcx"]);
    assert.deepEqual(lowered("c4 e2 f0 f2 03", MODE64), ["ld64_m64 t0, rbx, 0x0", "andnot64 rax, t0, rcx"]);
    assert.deepEqual(lowered("c4 c2 f8 f3 d9", MODE64), ["blsi64 rax, r9"]);
    assert.deepEqual(lowered("c4 e2 f0 f2 c2", MODE32), ["andnot32 rax, rdx, rcx"]);
    assert.deepEqual(translated("c4 e2 70 f2 c2", MODE16 | MODE_REAL).slice(1), ["raise 0x6"]);
  });

  test("what exists in protected mode only is #UD in real and virtual-8086 mode; SYSENTER is not of these", () => {
    assert.deepEqual(translated("0f 00 c0", MODE16 | MODE_REAL).slice(1), ["raise 0x6"]);
    assert.deepEqual(translated("0f 02 c1", MODE16 | MODE_REAL | MODE_USER).slice(1), ["raise 0x6"]);
    assert.equal(translated("0f 34", MODE16 | MODE_REAL).at(-2), "sysenter");
  });

  test("CMPXCHG16B is #UD without its feature, not CMPXCHG8B", () => {
    const old = new BlockTranslator(new Set(featureNames.filter((name) => name !== "cx16")), block);
    const bytes = bytesOf("48 0f c7 0b");
    block.reset(RIP_LOW, 0, RIP_LOW, MODE64);
    assert.ok(old.translate(block, bytes, 0, bytes.length, -1));
    assert.match(blockText(block), /raise 0x6$/);
  });

  test("read-modify-write loads for writing, so that the store cannot fault", () => {
    assert.deepEqual(lowered("48 83 03 05", MODE64), [
      "ldw64_m64 t0, rbx, 0x0",
      "addi64 t0, 0x5",
      "st64_m64 t0, rbx, 0x0",
    ]);
  });

  test("LOCK, and XCHG without it, store by comparing with what was loaded, before anything else changes", () => {
    const withoutAddress = (code: string): string[] =>
      lowered(code, MODE64).filter((op) => !op.startsWith("lea"));
    assert.deepEqual(withoutAddress("f0 48 83 53 08 05"), [
      "ldw64_m64 t0, t8, 0x0",
      "mov64 t1, t0",
      "adcni64 t1, 0x5",
      "cas64 t1, t8, t0",
      "adci64 t0, 0x5",
    ]);
    assert.deepEqual(withoutAddress("f0 f6 13"), [
      "ldw8_m64 t0, t8, 0x0",
      "mov64 t1, t0",
      "not8 t1",
      "cas8 t1, t8, t0",
    ]);
    assert.deepEqual(withoutAddress("87 0b"), [
      "ldw32_m64 t0, t8, 0x0",
      "cas32 rcx, t8, t0",
      "mov32 rcx, t0",
    ]);
  });

  test("dead flags are dropped, live and fault-visible ones are kept", () => {
    assert.deepEqual(lowered("01 d8 01 d8", MODE64), ["addn32 rax, rbx", "add32 rax, rbx"]);
    assert.deepEqual(lowered("01 d8 8b 0b 01 d8", MODE64), [
      "add32 rax, rbx",
      "ld32_m64 rcx, rbx, 0x0",
      "add32 rax, rbx",
    ]);
    assert.deepEqual(lowered("01 d8 11 d9", MODE64), ["add32 rax, rbx", "adc32 rcx, rbx"]);
  });

  test("a bit number in a register reaches beyond the operand", () => {
    assert.deepEqual(lowered("0f a3 0b", MODE64), [
      "sx32to64 t1, rcx",
      "sarni64 t1, 0x3",
      "andni64 t1, -0x4",
      "lea_m64 t8, rbx, 0x0",
      "addn64 t8, t1",
      "ld32_m64 t0, t8, 0x0",
      "bt32 t0, rcx",
    ]);
  });

  test("shifts by zero change no flags", () => {
    assert.deepEqual(lowered("c1 e0 20", MODE64), ["mov32 rax, rax"]);
    assert.deepEqual(lowered("48 c1 e0 20", MODE64), ["shli64 rax, 0x20"]);
  });
});

suite("addresses", () => {
  test("relative to RIP", () => {
    assert.deepEqual(lowered("8b 05 10 00 00 00", MODE64), ["ld32_m64 rax, zero, 0x1016"]);
    assert.deepEqual(lowered("8b 05 10 00 00 00", MODE64, 0x5500), [
      "movabs t8, 0x550000001016",
      "ld32_m64 rax, t8, 0x0",
    ]);
    assert.deepEqual(lowered("67 8b 05 f0 ef ff ff", MODE64, 0x5500), ["ld32_m32 rax, zero, -0x9"]);
  });

  test("with an FS or GS base", () => {
    assert.deepEqual(lowered("64 48 8b 04 25 28 00 00 00", MODE64), ["ld64_m64 rax, fsbase, 0x28"]);
    assert.deepEqual(lowered("65 48 8b 43 10", MODE64), ["ld64_x64 rax, gsbase, rbx*1, 0x10"]);
    assert.deepEqual(lowered("65 48 8b 44 8b 10", MODE64), [
      "lea_x64 t8, rbx, rcx*4, 0x0",
      "ld64_x64 rax, gsbase, t8*1, 0x10",
    ]);
    assert.deepEqual(lowered("64 67 8b 43 10", MODE64), [
      "lea_m32 t8, rbx, 0x10",
      "ld32_x64 rax, fsbase, t8*1, 0x0",
    ]);
  });

  test("of 16 bits wrap before the base is added", () => {
    assert.deepEqual(lowered("67 8b 40 fe", MODE32), [
      "lea16_x32 t8, rbx, rsi*1, -0x2",
      "ld32_m32 rax, t8, 0x0",
    ]);
    assert.deepEqual(lowered("8b 46 02", MODE16), [
      "lea16_m32 t8, rbp, 0x2",
      "seglin t8, 2, 0x2",
      "ldp16_m32 rax, t8, 0x0",
    ]);
  });

  test("in segments with a base or limit are checked by the helper", () => {
    assert.deepEqual(lowered("89 03", MODE32_SEGMENTED), [
      "lea_m32 t8, rbx, 0x0",
      "seglin t8, 3, 0x1004",
      "st32_m32 rax, t8, 0x0",
    ]);
  });
});

suite("the stack", () => {
  test("of the mode's full width has its own ops", () => {
    assert.deepEqual(lowered("50 5b 6a ff", MODE64), [
      "push64 rax",
      "pop64 rbx",
      "pushi64 0xffffffffffffffff",
    ]);
    assert.deepEqual(lowered("50 5b 6a ff", MODE32), ["push32 rax", "pop32 rbx", "pushi32 -0x1"]);
  });

  test("of other widths is composed, rSP last", () => {
    assert.deepEqual(lowered("66 50", MODE64), ["st16_m64 rax, rsp, -0x2", "lea_m64 rsp, rsp, -0x2"]);
    assert.deepEqual(lowered("54", MODE16), [
      "lea16_m32 t8, rsp, -0x2",
      "seglin t8, 2, 0x1002",
      "st16_m32 rsp, t8, 0x0",
      "lea16_m32 t7, rsp, -0x2",
      "mov16 rsp, t7",
    ]);
  });

  test("POP to memory addresses with the incremented rSP, and changes it behind the store", () => {
    assert.deepEqual(lowered("8f 44 24 08", MODE64), [
      "ld64_m64 t0, rsp, 0x0",
      "st64_m64 t0, rsp, 0x10",
      "lea_m64 rsp, rsp, 0x8",
    ]);
  });
});

suite("branches", () => {
  test("have targets relative to the block's RIP", () => {
    assert.deepEqual(translated("90 75 fd", MODE64), ["enter 0x2", "nop", "j5 ->0x0 else 0x3"]);
    assert.deepEqual(translated("e8 fb 0f 00 00", MODE64), [
      "enter 0x1",
      "pushi64 0x1005",
      "call ->0x1000, back 0x5",
    ]);
    assert.deepEqual(translated("ff d0", MODE64), [
      "enter 0x1",
      "canonical rax",
      "pushi64 0x1002",
      "callr rax, back 0x2",
    ]);
    assert.deepEqual(translated("c3", MODE64), ["enter 0x1", "pop64 t0", "ret t0"]);
    assert.deepEqual(translated("c2 08 00", MODE64), [
      "enter 0x1",
      "pop64 t0",
      "lea_m64 rsp, rsp, 0x8",
      "ret t0",
    ]);
  });

  test("truncate their target to the operand size outside 64-bit mode", () => {
    assert.deepEqual(translated("e9 fd ef", MODE16), ["enter 0x1", "jmp ->-0x1000"]);
    assert.deepEqual(translated("e9 00 e0 ff ff", MODE32), ["enter 0x1", "movi32 t0, -0xffb", "jmpr t0"]);
    assert.deepEqual(translated("66 ff e0", MODE32), ["enter 0x1", "zx16 t0, rax", "jmpr t0"]);
  });

  test("LOOP and JRCXZ test the counter, not flags", () => {
    assert.deepEqual(translated("e2 fe", MODE64), ["enter 0x1", "decn64 rcx", "jz64 rcx, ->0x2 else 0x0"]);
    assert.deepEqual(translated("67 e3 02", MODE64), ["enter 0x1", "jz32 rcx, ->0x5 else 0x3"]);
  });
});

suite("blocks", () => {
  const nops = (count: number): Uint8Array => new Uint8Array(count).fill(0x90);

  test("end after 64 instructions, or one when stepping or asked to", () => {
    block.reset(RIP_LOW, 0, RIP_LOW, MODE64);
    assert.ok(translator.translate(block, nops(100), 0, 100, -1));
    assert.deepEqual(
      [block.instructionCount, block.guestSizeBytes, block.target0[block.count - 1]],
      [64, 64, 64],
    );
    block.reset(RIP_LOW, 0, RIP_LOW, MODE64 | MODE_STEP);
    assert.ok(translator.translate(block, nops(100), 0, 100, -1));
    assert.equal(block.instructionCount, 1);
    block.reset(RIP_LOW, 0, RIP_LOW, MODE64);
    assert.ok(translator.translate(block, nops(100), 0, 100, -1, 1));
    assert.equal(block.instructionCount, 1);
  });

  test("end at the page's end, and in front of an instruction that straddles it", () => {
    block.reset(0x1ffd, 0, 0x1ffd, MODE64);
    assert.ok(translator.translate(block, nops(3), 0, 3, -1));
    assert.deepEqual([block.instructionCount, block.guestSizeBytes], [3, 3]);
    block.reset(0x1ffd, 0, 0x1ffd, MODE64);
    assert.ok(translator.translate(block, bytesOf("90 8b 05"), 0, 3, -1));
    assert.deepEqual([block.instructionCount, block.guestSizeBytes, block.gpa2], [1, 1, -1]);
  });

  test("hold a straddling instruction alone, when the second page's bytes are there", () => {
    const bytes = bytesOf("8b 05 10 00 00 00 90 90");
    block.reset(0x1ffe, 0, 0x1ffe, MODE64);
    assert.equal(translator.translate(block, bytes, 0, 2, -1), false);
    block.reset(0x1ffe, 0, 0x1ffe, MODE64);
    assert.ok(translator.translate(block, bytes, 0, bytes.length, 0x7000));
    assert.deepEqual([block.instructionCount, block.guestSizeBytes, block.gpa2], [1, 6, 0x7000]);
  });

  test("end with what an invalid or overlong instruction raises", () => {
    assert.deepEqual(translated("90 0f ff", MODE64).at(-1), "raise 0x6");
    assert.deepEqual(translated("c5 f8 77", MODE64), ["enter 0x1", "raise 0x6"]);
    assert.deepEqual(translated(`${"66 ".repeat(15)}90`, MODE64), [
      "enter 0x1",
      "syncpc 0x100000",
      "raise_gp0",
      "sysend",
    ]);
  });

  test("end with a helper that may change the mode", () => {
    assert.deepEqual(translated("0f 22 d8", MODE64), [
      "enter 0x1",
      "syncpc 0x30000",
      "movtocr rax, 0x3",
      "sysend",
    ]);
  });
});

suite("x87, MMX and SSE", () => {
  test("raise what CR0 and CR4 ask for", () => {
    assert.deepEqual(translated("d8 c1", MODE64 | MODE_FPU_TS).at(-1), "raise 0x7");
    assert.deepEqual(translated("d8 c1", MODE64 | MODE_FPU_EM).at(-1), "raise 0x7");
    assert.deepEqual(lowered("9b", MODE64 | MODE_FPU_TS), ["x87_wait"]);
    assert.deepEqual(translated("0f 58 c1", MODE64 | MODE_FPU_TS).at(-1), "raise 0x7");
    assert.deepEqual(translated("0f 58 c1", MODE64 | MODE_FPU_EM).at(-1), "raise 0x6");
    assert.deepEqual(translated("0f 58 c1", MODE64 | MODE_FPU_TS | MODE_NO_SSE).at(-1), "raise 0x6");
    assert.deepEqual(translated("0f fc c1", MODE64 | MODE_FPU_EM).at(-1), "raise 0x6");
  });

  test("check pending x87 exceptions first, and 128-bit operands for alignment", () => {
    assert.deepEqual(lowered("d9 03", MODE64), [
      "x87_check",
      "ld32_m64 t0, rbx, 0x0",
      "x87_load_f32 t0",
      "x87_site 0x103000000001000",
      "x87_data_ds_m64 rbx, 0x0",
    ]);
    assert.deepEqual(lowered("9b df e0", MODE64), ["x87_check", "x87_get_status rax"]);
    assert.deepEqual(lowered("0f fc 03", MODE64), [
      "x87_check",
      "ldx64_m64 xmm16, rbx, 0x0",
      "mmx_binary mm0, mm8, 0xfc",
    ]);
    assert.deepEqual(lowered("66 0f fc 4b 10", MODE64), [
      "lea_m64 t8, rbx, 0x10",
      "align16 t8",
      "ld128_m64 xmm16, t8, 0x0",
      "paddb xmm1, xmm16",
    ]);
    assert.deepEqual(lowered("0f 10 4b 10", MODE64), ["ld128_m64 xmm1, rbx, 0x10"]);
  });
});

suite("any code", () => {
  test("becomes blocks that the verifier accepts", () => {
    let state = 20261122;
    const random = (): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state >>> 8;
    };
    const modes = [
      MODE16,
      MODE_STACK32,
      MODE_FLAT,
      MODE32,
      MODE32_SEGMENTED,
      1 | MODE_FLAT,
      MODE64,
      MODE64 | MODE_USER,
    ];
    const bytes = new Uint8Array(64);
    let instructions = 0;
    for (let n = 0; n < 20_000; n++) {
      for (let i = 0; i < bytes.length; i++) bytes[i] = random() & 0xff;
      const kind = random() % 4;
      if (kind > 0) bytes[0] = 0x0f;
      if (kind === 3) bytes[1] = (random() & 1) === 0 ? 0x38 : 0x3a;
      for (const mode of modes) {
        block.reset(random() << 8, mode === MODE64 ? random() & 0x7fff : 0, 0x1000, mode);
        assert.ok(translator.translate(block, bytes, 0, bytes.length, -1));
        assert.deepEqual(verifyBlock(block), [], blockText(block));
        instructions += block.instructionCount;
      }
    }
    assert.ok(instructions > 300_000, `${instructions} instructions`);
  });
});
