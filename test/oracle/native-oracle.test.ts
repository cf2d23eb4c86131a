/** The oracle against results that are known from the manuals. */

import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import {
  CODE,
  type CpuOutcome,
  DATA,
  DEFAULT_RIP,
  DEFAULT_RSP,
  exitText,
  FLAG,
  flagsText,
  FpImage,
  type InstructionCase,
  GPR_NAMES,
  type GprName,
  NativeExecutor,
  oracleSupport,
  PAGE_BYTES,
  READ_ONLY,
  resolveCase,
  STACK,
  startNativeOracle,
  STATUS_FLAGS,
} from "./index.ts";

const support = oracleSupport();
const skip = support.available ? false : support.reason;
const skip16 = support.available && support.ldt ? false : "no local descriptor table";
const executor = new NativeExecutor();
after(() => executor[Symbol.asyncDispose]());

async function run(source: Omit<InstructionCase, "name">): Promise<CpuOutcome> {
  const [outcome] = await executor.execute([{ name: "case", ...source }]);
  assert.ok(outcome !== undefined);
  return outcome;
}

const gpr = (outcome: CpuOutcome, name: GprName): bigint => outcome.gpr[GPR_NAMES.indexOf(name)] ?? 0n;
const status = (outcome: CpuOutcome): string => flagsText(Number(outcome.rflags) & STATUS_FLAGS);
const bytesAt = (outcome: CpuOutcome): string[] =>
  outcome.memory.map(({ gva, bytes }) => `${gva.toString(16)}: ${Buffer.from(bytes).toString("hex")}`);

describe("64-bit mode", { skip }, () => {
  test("ADD sets result and all six flags", async () => {
    const outcome = await run({ mode: "long64", code: "48 01 c8", initial: { gpr: { rax: -1n, rcx: 1 } } });

    assert.equal(outcome.exit.kind, "completed");
    assert.equal(gpr(outcome, "rax"), 0n);
    assert.equal(outcome.rip, BigInt(DEFAULT_RIP + 3));
    assert.equal(status(outcome), "cf pf af zf");
  });

  test("ADD overflows into the sign", async () => {
    const outcome = await run({
      mode: "long64",
      code: "01 c8", // add eax, ecx
      initial: { gpr: { rax: 0xdead_beef_7fff_ffffn, rcx: 1 } },
    });

    assert.equal(gpr(outcome, "rax"), 0x8000_0000n); // the upper half is cleared
    assert.equal(status(outcome), "pf af sf of");
  });

  test("every register arrives and leaves as it was given", async () => {
    const source: InstructionCase = {
      name: "nop",
      mode: "long64",
      code: "90",
      initial: { flags: STATUS_FLAGS | FLAG.df | FLAG.id },
    };
    const [outcome] = await executor.execute([source]);

    assert.deepEqual(outcome?.gpr, resolveCase(source).state.gpr);
    assert.deepEqual(outcome?.fp.subarray(32, 416), resolveCase(source).state.fp.subarray(32, 416));
    assert.equal(flagsText(Number(outcome?.rflags)), "cf pf af zf sf if df of id");
    assert.deepEqual(outcome?.memory, []);
  });

  test("nothing of a case is left for the next one", async () => {
    const dirty: InstructionCase = {
      name: "dirty",
      mode: "long64",
      // mov [rax], rcx; mov fs, dx; addps xmm0, xmm0; fld1; std
      code: "48 89 08 8e e2 0f 58 c0 d9 e8 fd",
      initial: { gpr: { rax: DATA.gva + 8, rdx: 0x2b }, mxcsr: 0x7f80, fcw: 0x27f },
    };
    // push fs; pushfq; mov rax, [rax]
    const clean: InstructionCase = {
      name: "clean",
      mode: "long64",
      code: "0f a0 9c 48 8b 00",
      initial: { gpr: { rax: DATA.gva + 8 } },
    };
    const [alone] = await executor.execute([clean]);
    const [first, second] = await executor.execute([dirty, clean]);

    assert.equal(first?.exit.kind, "completed");
    assert.equal(first.segments.fs, 0x2b);
    assert.deepEqual(second, alone);
  });

  test("FS and GS bases are used for addressing", async () => {
    const outcome = await run({
      mode: "long64",
      code: "64 48 8b 04 25 08 00 00 00 65 8a 1c 25 01 00 00 00", // mov rax, fs:[8]; mov bl, gs:[1]
      initial: { fsBase: BigInt(DATA.gva), gsBase: BigInt(DATA.gva + 0x100) },
      memory: [
        { gva: DATA.gva + 8, bytes: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) },
        { gva: DATA.gva + 0x101, bytes: Uint8Array.of(0x99) },
      ],
    });

    assert.equal(gpr(outcome, "rax"), 0x0807_0605_0403_0201n);
    assert.equal(gpr(outcome, "rbx") & 0xffn, 0x99n);
  });

  test("memory changes are reported as they are, against what the case put there", async () => {
    const outcome = await run({
      mode: "long64",
      code: "66 89 08 88 48 0f", // mov [rax], cx; mov [rax+15], cl
      initial: { gpr: { rax: DATA.gva + 0x0fff, rcx: 0x1234 } },
      memory: [
        { gva: DATA.gva + 0x0ff8, bytes: new Uint8Array(16) },
        { gva: DATA.gva + 0x100e, bytes: Uint8Array.of(0x34) },
      ],
    });

    assert.deepEqual(bytesAt(outcome), ["20000fff: 3412"]); // the second store changed nothing
  });

  test("a byte set back to its baseline is a change", async () => {
    const source: InstructionCase = {
      name: "xchg",
      mode: "long64",
      code: "86 08",
      initial: { gpr: { rax: DATA.gva, rcx: 0x77 } },
    };
    const [before] = await executor.execute([source]);
    const baseline = Number((before?.gpr[1] ?? 0n) & 0xffn);
    const outcome = await run({
      ...source,
      initial: { gpr: { rax: DATA.gva, rcx: baseline } },
      memory: [{ gva: DATA.gva, bytes: Uint8Array.of(baseline ^ 0xff) }],
    });

    assert.deepEqual(bytesAt(outcome), [`20000000: ${baseline.toString(16).padStart(2, "0")}`]);
  });

  test("code that rewrites itself runs as rewritten", async () => {
    const outcome = await run({
      mode: "long64",
      code: "c6 05 01 00 00 00 40 b0 01", // mov byte [rip+1], 0x40; mov al, 1
      initial: { gpr: { rax: 0 } },
    });

    assert.equal(outcome.exit.kind, "completed");
    assert.equal(gpr(outcome, "rax"), 0x40n);
    assert.deepEqual(bytesAt(outcome), ["10000808: 40"]);
  });

  test("a branch ends where it leads", async () => {
    const outcome = await run({ mode: "long64", code: "eb 10" });

    assert.equal(outcome.exit.kind, "completed");
    assert.equal(outcome.rip, BigInt(DEFAULT_RIP + 0x12));
  });
});

describe("exceptions", { skip }, () => {
  const exits: readonly (readonly [
    name: string,
    source: Omit<InstructionCase, "name">,
    exit: string,
    rip: number,
  ])[] = [
    ["DIV by zero", { mode: "long64", code: "f7 f1", initial: { gpr: { rcx: 0 } } }, "#DE", 0],
    [
      "DIV quotient overflow",
      { mode: "long64", code: "f6 f1", initial: { gpr: { rax: 0xffff, rcx: 1 } } },
      "#DE",
      0,
    ],
    [
      "IDIV of the most negative by -1",
      {
        mode: "long64",
        code: "f7 f9",
        initial: { gpr: { rax: 0x8000_0000, rdx: 0xffff_ffff, rcx: 0xffff_ffff } },
      },
      "#DE",
      0,
    ],
    ["INT3 inside the code", { mode: "long64", code: "90 cc 90" }, "#BP", 2],
    ["UD2", { mode: "long64", code: "90 0f 0b" }, "#UD", 1],
    ["HLT", { mode: "long64", code: "f4" }, "#GP error code 0x0", 0],
    ["CLI", { mode: "long64", code: "fa" }, "#GP error code 0x0", 0],
    ["INT 21h", { mode: "long64", code: "cd 21" }, "#GP error code 0x10a", 0],
    [
      "loading a selector beyond the GDT",
      { mode: "long64", code: "8e d8", initial: { gpr: { rax: 0xfff8 } } },
      "#GP error code 0xfff8",
      0,
    ],
    [
      "a non-canonical address",
      { mode: "long64", code: "8b 00", initial: { gpr: { rax: 1n << 60n } } },
      "#GP error code 0x0",
      0,
    ],
    [
      "a non-canonical stack",
      { mode: "long64", code: "50", initial: { gpr: { rsp: 1n << 60n } } },
      "#SS error code 0x0",
      0,
    ],
    [
      "a read of an unmapped page",
      { mode: "long64", code: "8b 00", initial: { gpr: { rax: 0x3000_0123 } } },
      "#PF error code 0x4 at 0x30000123",
      0,
    ],
    [
      "a write to an unmapped page",
      { mode: "long64", code: "89 00", initial: { gpr: { rax: 0x3000_0123 } } },
      "#PF error code 0x6 at 0x30000123",
      0,
    ],
    [
      "a write to a read-only page",
      { mode: "long64", code: "89 00", initial: { gpr: { rax: READ_ONLY.gva + 5 } } },
      "#PF error code 0x7 at 0x20004005",
      0,
    ],
    [
      "a read over the end of data",
      { mode: "long64", code: "48 8b 00", initial: { gpr: { rax: DATA.gva + DATA.sizeBytes - 4 } } },
      "#PF error code 0x4 at 0x20002000",
      0,
    ],
    [
      "a jump to a page that cannot be executed",
      { mode: "long64", code: "ff e0", initial: { gpr: { rax: DATA.gva } } },
      "#PF error code 0x15 at 0x20000000",
      DATA.gva - DEFAULT_RIP,
    ],
    [
      "#AC",
      { mode: "long64", code: "8b 00", initial: { gpr: { rax: DATA.gva + 1 }, flags: FLAG.ac } },
      "#AC error code 0x0",
      0,
    ],
    [
      "a misaligned MOVAPS",
      { mode: "long64", code: "0f 28 00", initial: { gpr: { rax: DATA.gva + 8 } } },
      "#GP error code 0x0",
      0,
    ],
    ["single step", { mode: "long64", code: "90 90", initial: { flags: FLAG.tf } }, "#DB", 1],
    [
      "x87 unmasked division by zero, at the next waiting instruction",
      { mode: "long64", code: "d9 e8 d9 ee de f9 9b", initial: { fcw: 0x37b } },
      "#MF",
      6,
    ],
    [
      "SSE unmasked division by zero",
      { mode: "long64", code: "0f 57 c0 f3 0f 5e c8", initial: { mxcsr: 0x1d80, xmm: { 1: 0x3f80_0000n } } },
      "#XM",
      3,
    ],
    [
      "BOUND",
      {
        mode: "compat32",
        code: "62 01",
        initial: { gpr: { rax: 5, rcx: DATA.gva } },
        memory: [{ gva: DATA.gva, bytes: new Uint8Array(8) }],
      },
      "#BR",
      0,
    ],
    ["INTO", { mode: "compat32", code: "ce", initial: { flags: FLAG.of } }, "#OF", 1],
    ["AAM by zero", { mode: "compat32", code: "d4 00" }, "#DE", 0],
    ["AAA in 64-bit mode", { mode: "long64", code: "37" }, "#UD", 0],
    ["PUSHA in 64-bit mode", { mode: "long64", code: "60" }, "#UD", 0],
  ];
  for (const [name, source, exit, rip] of exits) {
    test(name, async () => {
      const outcome = await run(source);

      assert.equal(exitText(outcome.exit), exit);
      assert.equal(outcome.rip, BigInt(DEFAULT_RIP + rip));
    });
  }

  test("an instruction that crosses into the guard faults at the guard", async () => {
    const end = CODE.gva + CODE.sizeBytes;
    const outcome = await run({ mode: "long64", code: "48 01", initial: { codeGva: end - 2 } });

    assert.equal(exitText(outcome.exit), "#PF error code 0x14 at 0x10002000");
    assert.equal(outcome.rip, BigInt(end - 2));
  });

  test("an instruction that ends at the guard is executed before the fault", async () => {
    const end = CODE.gva + CODE.sizeBytes;
    const outcome = await run({
      mode: "long64",
      code: "48 01 c8",
      initial: { codeGva: end - 3, gpr: { rax: 1, rcx: 2 } },
    });

    assert.equal(exitText(outcome.exit), "#PF error code 0x14 at 0x10002000");
    assert.equal(outcome.rip, BigInt(end));
    assert.equal(gpr(outcome, "rax"), 3n);
  });

  test("a fault in a string instruction leaves it restartable", async () => {
    const outcome = await run({
      mode: "long64",
      code: "f3 a5", // rep movsd
      initial: { gpr: { rcx: 8, rsi: STACK.gva, rdi: DATA.gva + DATA.sizeBytes - 8 } },
    });

    assert.equal(exitText(outcome.exit), "#PF error code 0x6 at 0x20002000");
    assert.equal(gpr(outcome, "rcx"), 6n);
    assert.equal(gpr(outcome, "rdi"), BigInt(DATA.gva + DATA.sizeBytes));
  });
});

describe("x87, MMX and SSE", { skip }, () => {
  test("FLD1 pushes onto the register stack", async () => {
    const outcome = await run({ mode: "long64", code: "d9 e8" });
    const fp = new FpImage(outcome.fp);

    assert.equal(fp.st(0), 0x3fff_8000_0000_0000_0000n);
    assert.equal(fp.top, 7);
    assert.equal(fp.ftw, 0x80);
    assert.equal(fp.fsw, 0x3800);
    assert.equal(fp.fcw, 0x37f);
  });

  test("registers given as ST(0), ST(1) are those", async () => {
    const one = 0x3fff_8000_0000_0000_0000n;
    const two = 0x4000_8000_0000_0000_0000n;
    const outcome = await run({ mode: "long64", code: "d8 e1", initial: { st: [one, two] } }); // fsub st, st(1)
    const fp = new FpImage(outcome.fp);

    assert.equal(fp.st(0), 0xbfff_8000_0000_0000_0000n);
    assert.equal(fp.st(1), two);
    assert.equal(fp.ftw, 0xc0);
  });

  test("stack overflow sets IE, SF and C1", async () => {
    const outcome = await run({
      mode: "long64",
      code: "d9 e8",
      initial: { st: [0n, 0n, 0n, 0n, 0n, 0n, 0n, 0n] },
    });
    const fp = new FpImage(outcome.fp);

    assert.equal(fp.fsw & 0x0241, 0x0241);
    assert.equal(fp.st(0), 0xffff_c000_0000_0000_0000n); // the default NaN
  });

  test("MMX registers are added and alias the x87 stack", async () => {
    const outcome = await run({
      mode: "long64",
      code: "0f fc c1", // paddb mm0, mm1
      initial: { mm: [0x01ff_0000_0000_00ffn, 0x0101_0000_0000_0001n] },
    });
    const fp = new FpImage(outcome.fp);

    assert.equal(fp.st(0), 0xffff_0200_0000_0000_0000n);
    assert.equal(fp.ftw, 0xff);
  });

  // 1 + 2^-53 is a tie between 1 and the next double.
  const rounding: readonly (readonly [mode: string, mxcsr: number, result: bigint])[] = [
    ["nearest even", 0x1f80, 0x3ff0_0000_0000_0000n],
    ["down", 0x3f80, 0x3ff0_0000_0000_0000n],
    ["up", 0x5f80, 0x3ff0_0000_0000_0001n],
    ["toward zero", 0x7f80, 0x3ff0_0000_0000_0000n],
  ];
  for (const [mode, mxcsr, result] of rounding) {
    test(`ADDSD rounds ${mode} as MXCSR says`, async () => {
      const outcome = await run({
        mode: "long64",
        code: "f2 0f 58 c1",
        initial: { mxcsr, xmm: { 0: 0x3ff0_0000_0000_0000n, 1: 0x3ca0_0000_0000_0000n } },
      });
      const fp = new FpImage(outcome.fp);

      assert.equal(fp.xmm(0), result);
      assert.equal(fp.mxcsr, mxcsr | 0x20); // inexact
    });
  }

  test("ADDSD of negative halves rounds up and down differently", async () => {
    const at = (mxcsr: number): Promise<CpuOutcome> =>
      run({
        mode: "long64",
        code: "f2 0f 58 c1",
        initial: { mxcsr, xmm: { 0: 0xbff0_0000_0000_0000n, 1: 0xbca0_0000_0000_0000n } },
      });

    assert.equal(new FpImage((await at(0x3f80)).fp).xmm(0), 0xbff0_0000_0000_0001n);
    assert.equal(new FpImage((await at(0x5f80)).fp).xmm(0), 0xbff0_0000_0000_0000n);
  });

  test(
    "upper halves of YMM go in and come out",
    { skip: support.available && support.cpuFlags.has("avx") ? false : "no AVX" },
    async () => {
      const outcome = await run({
        mode: "long64",
        code: "c5 ec 58 c1", // vaddps ymm0, ymm2, ymm1
        initial: { ymm: { 1: 0x3f80_0000n << 224n, 2: 0x4000_0000n << 224n } },
      });

      assert.equal(new FpImage(outcome.fp).ymmHigh(0), 0x4040_0000n << 96n);
    },
  );
});

describe("32-bit compatibility mode", { skip }, () => {
  test("AAA adjusts", async () => {
    const outcome = await run({ mode: "compat32", code: "37", initial: { gpr: { rax: 0x000f } } });

    assert.equal(gpr(outcome, "rax") & 0xffff_ffffn, 0x0105n);
    assert.equal(
      status(outcome)
        .split(" ")
        .filter((flag) => flag === "cf" || flag === "af")
        .join(" "),
      "cf af",
    );
  });

  test("PUSHA stores eight registers, the stack pointer as it was", async () => {
    const registers = { rax: 1, rcx: 2, rdx: 3, rbx: 4, rbp: 5, rsi: 6, rdi: 7 };
    const outcome = await run({
      mode: "compat32",
      code: "60",
      initial: { gpr: registers },
      memory: [{ gva: DEFAULT_RSP - 32, bytes: new Uint8Array(32).fill(0xee) }],
    });
    const stored = new DataView(outcome.memory[0]?.bytes.slice().buffer ?? new ArrayBuffer(0));

    assert.equal(outcome.exit.kind, "completed");
    assert.equal(gpr(outcome, "rsp"), BigInt(DEFAULT_RSP - 32));
    assert.deepEqual(
      Array.from({ length: 8 }, (_, index) => stored.getUint32(index * 4, true)),
      [7, 6, 5, DEFAULT_RSP, 4, 3, 2, 1],
    );
  });

  test("48h is DEC EAX, not a REX prefix", async () => {
    const outcome = await run({ mode: "compat32", code: "48", initial: { gpr: { rax: 0 } } });

    assert.equal(gpr(outcome, "rax") & 0xffff_ffffn, 0xffff_ffffn);
  });

  test("a far jump to 64-bit code and back changes mode in the middle", async () => {
    const code = "ea 07 08 00 10 33 00 48 ff c0"; // jmp 33:next; next: inc rax
    const outcome = await run({ mode: "compat32", code, initial: { gpr: { rax: 0xffff_ffff } } });

    assert.equal(outcome.segments.cs, 0x33);
    assert.equal(gpr(outcome, "rax"), 0x1_0000_0000n);
  });
});

describe("segmentation by the local descriptor table", { skip: skip || skip16 }, () => {
  test("PUSH in a 16-bit segment pushes a word and addresses it by SP", async () => {
    const outcome = await run({
      mode: "protected16",
      code: "50",
      initial: { gpr: { rax: 0x1_abcd, rsp: 0xffff_0010 } },
    });

    assert.equal(outcome.exit.kind, "completed");
    assert.deepEqual(bytesAt(outcome), ["2000000e: cdab"]);
    assert.equal(gpr(outcome, "rsp") & 0xffffn, 0x000en);
    assert.equal(outcome.rip, BigInt(DEFAULT_RIP - CODE.gva + 1));
  });

  const limits: readonly (readonly [name: string, source: Omit<InstructionCase, "name">, exit: string])[] = [
    [
      "a read up to the limit",
      { mode: "compat32", code: "64 8b 05 fc 17 00 00", initial: { segments: { fs: "limited" } } },
      "completed",
    ],
    [
      "a read across the limit",
      { mode: "compat32", code: "64 8b 05 fd 17 00 00", initial: { segments: { fs: "limited" } } },
      "#GP error code 0x0",
    ],
    [
      "a write to a read-only segment",
      { mode: "compat32", code: "64 a3 00 00 00 00", initial: { segments: { fs: "readOnlyData" } } },
      "#GP error code 0x0",
    ],
    [
      "a read below an expand-down segment",
      { mode: "compat32", code: "64 a1 ff 0f 00 00", initial: { segments: { fs: "expandDown" } } },
      "#GP error code 0x0",
    ],
    [
      "a read in an expand-down segment",
      { mode: "compat32", code: "64 a1 00 10 00 00", initial: { segments: { fs: "expandDown" } } },
      "completed",
    ],
    [
      "a read through the null selector",
      { mode: "compat32", code: "64 a1 00 00 00 00", initial: { segments: { fs: "null" } } },
      "#GP error code 0x0",
    ],
    [
      "a push below a limited stack",
      { mode: "compat32", code: "50", initial: { segments: { ss: "stack32" }, gpr: { rsp: 2 } } },
      "#SS error code 0x0",
    ],
    [
      "loading a segment that is not present",
      { mode: "compat32", code: "8e e0", initial: { gpr: { rax: 0x37 } } },
      "#NP error code 0x34",
    ],
    [
      "loading an execute-only segment",
      { mode: "compat32", code: "8e e0", initial: { gpr: { rax: 0x2f } } },
      "#GP error code 0x2c",
    ],
  ];
  for (const [name, source, exit] of limits) {
    test(name, async () => {
      assert.equal(exitText((await run(source)).exit), exit);
    });
  }
});

describe("containment", { skip }, () => {
  test("a runaway case times out and its neighbours are not disturbed", async () => {
    const nop: InstructionCase = { name: "nop", mode: "long64", code: "90" };
    const outcomes = await executor.execute([nop, { name: "loop", mode: "long64", code: "eb fe" }, nop]);

    assert.deepEqual(
      outcomes.map((outcome) => outcome.exit.kind),
      ["completed", "timeout", "completed"],
    );
  });

  // Each would end or harm the process if the kernel carried it out.
  const calls: readonly (readonly [name: string, source: Omit<InstructionCase, "name">])[] = [
    ["SYSCALL exit_group", { mode: "long64", code: "0f 05", initial: { gpr: { rax: 231 } } }],
    ["SYSCALL rt_sigreturn", { mode: "long64", code: "0f 05", initial: { gpr: { rax: 15 } } }],
    ["INT 80h exit in 32-bit mode", { mode: "compat32", code: "cd 80", initial: { gpr: { rax: 1 } } }],
    ["INT 80h exit in 64-bit mode", { mode: "long64", code: "cd 80", initial: { gpr: { rax: 1 } } }],
  ];
  for (const [name, source] of calls) {
    test(`${name} is refused`, async () => {
      assert.equal((await run(source)).exit.kind, "systemCall");
    });
  }

  test("a stack pointer anywhere does not keep a fault from being reported", async () => {
    for (const rsp of [0n, 1n, 0xffff_ffffn, 0x7fff_ffff_f000n, 1n << 63n, (1n << 64n) - 1n]) {
      const outcome = await run({ mode: "long64", code: "0f 0b", initial: { gpr: { rsp } } });

      assert.equal(exitText(outcome.exit), "#UD");
    }
  });

  test("a case that kills the runner is lost, alone", async () => {
    await using oracle = startNativeOracle();
    const nop = resolveCase({ name: "nop", mode: "long64", code: "90" }).state;
    // Overwrites the runner's own result pointer, which a case can only do because it knows the address.
    const harm = resolveCase({
      name: "harm",
      mode: "long64",
      code: "48 89 08",
      initial: { gpr: { rax: 0x1234_5680_0018n, rcx: 0 } },
    }).state;
    const answers = await oracle.run([nop, nop, harm, nop]);

    assert.deepEqual(
      answers.map((answer) => answer.kind),
      ["ended", "ended", "lost", "ended"],
    );
  });

  test("cases that the runner must not be given are refused", async () => {
    await using oracle = startNativeOracle();
    const { state } = resolveCase({ name: "nop", mode: "long64", code: "90" });
    const outside = { ...state, memory: [{ gva: READ_ONLY.gva, bytes: Uint8Array.of(1) }] };
    const reserved = resolveCase({
      name: "nop",
      mode: "long64",
      code: "90",
      initial: { mxcsr: 0x1_0000 },
    }).state;

    await assert.rejects(oracle.run([outside]), /outside the writable regions/);
    await assert.rejects(oracle.run([reserved]), /MXCSR/);
  });

  test("results come in the order of the cases over many batches", async () => {
    const cases = Array.from({ length: 5000 }, (_, index) => ({
      name: String(index),
      mode: "long64" as const,
      code: "48 89 08 48 01 c9", // mov [rax], rcx; add rcx, rcx
      initial: { gpr: { rax: DATA.gva + (index % (2 * PAGE_BYTES - 8)), rcx: index } },
    }));
    const outcomes = await executor.execute(cases);

    assert.deepEqual(
      outcomes.map((outcome) => Number(gpr(outcome, "rcx"))),
      cases.map((_, index) => 2 * index),
    );
  });
});
