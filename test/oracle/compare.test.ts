import assert from "node:assert/strict";
import { test } from "node:test";
import {
  compareOutcomes,
  type CpuOutcome,
  DATA,
  describeDifferences,
  FLAG,
  FpImage,
  type InstructionCase,
  resolveCase,
} from "./index.ts";

const SOURCE: InstructionCase = {
  name: "ADD rax, rcx",
  mode: "long64",
  code: "48 01 c8",
  initial: { gpr: { rax: 1, rcx: 2 } },
};

/** The outcome of a case that did nothing, with changes. */
function outcome(source: InstructionCase = SOURCE, changes: Partial<CpuOutcome> = {}): CpuOutcome {
  const { gpr, rip, rflags, segments, fp } = resolveCase(source).state;
  return {
    exit: { kind: "completed" },
    gpr: gpr.slice(),
    rip,
    rflags,
    segments,
    fp: fp.slice(),
    memory: [],
    ...changes,
  };
}

const what = (source: InstructionCase, left: CpuOutcome, right: CpuOutcome): string[] =>
  compareOutcomes(source, left, right).map((difference) => difference.what);

function withGpr(index: number, value: bigint): CpuOutcome {
  const changed = outcome();
  changed.gpr[index] = value;
  return changed;
}

function withFp(change: (image: FpImage) => void): CpuOutcome {
  const changed = outcome();
  change(new FpImage(changed.fp));
  return changed;
}

test("equal outcomes have no differences", () => {
  assert.deepEqual(compareOutcomes(SOURCE, outcome(), outcome()), []);
});

const VISIBLE: readonly (readonly [what: string, changed: CpuOutcome])[] = [
  ["exit", outcome(SOURCE, { exit: { kind: "exception", vector: 6 } })],
  ["r15", withGpr(15, 0n)],
  ["rip", outcome(SOURCE, { rip: 0n })],
  ["flags", outcome(SOURCE, { rflags: 0x203n })],
  ["gs", outcome(SOURCE, { segments: { ...outcome().segments, gs: 0x2b } })],
  [
    "fcw",
    withFp((image) => {
      image.fcw = 0;
    }),
  ],
  [
    "fsw",
    withFp((image) => {
      image.fsw = 1;
    }),
  ],
  [
    "ftw",
    withFp((image) => {
      image.ftw = 1;
    }),
  ],
  [
    "mxcsr",
    withFp((image) => {
      image.mxcsr |= 1;
    }),
  ],
  [
    "xmm15",
    withFp((image) => {
      image.setXmm(15, 0n);
    }),
  ],
  ["memory 0x20000000", outcome(SOURCE, { memory: [{ gva: DATA.gva, bytes: Uint8Array.of(1) }] })],
];
for (const [name, changed] of VISIBLE) {
  test(`sees a difference in ${name}`, () => {
    assert.deepEqual(what(SOURCE, outcome(), changed), [name]);
  });
}

test("sees error codes and fault addresses", () => {
  const fault = (errorCode: number, cr2: bigint): CpuOutcome =>
    outcome(SOURCE, { exit: { kind: "exception", vector: 14, errorCode, cr2 } });

  assert.deepEqual(what(SOURCE, fault(4, 0n), fault(6, 0n)), ["exit"]);
  assert.deepEqual(what(SOURCE, fault(4, 0n), fault(4, 1n)), ["exit"]);
});

test("leaves out what is declared undefined, and nothing else", () => {
  const source: InstructionCase = {
    ...SOURCE,
    undefined: { flags: FLAG.af, gpr: ["rbx"], fsw: 0x4700, xmm: [1] },
  };
  const changed = withFp((image) => {
    image.fsw = 0x4700;
    image.setXmm(1, 0n);
  });
  changed.gpr[3] = 0n;

  assert.deepEqual(what(source, outcome(), { ...changed, rflags: changed.rflags ^ BigInt(FLAG.af) }), []);
  assert.deepEqual(
    what(source, outcome(), { ...changed, rflags: changed.rflags ^ BigInt(FLAG.af | FLAG.cf) }),
    ["flags"],
  );
});

test("leaves out undefined bytes of memory", () => {
  const memory = [{ gva: DATA.gva, bytes: Uint8Array.of(1, 2, 3, 4) }];
  const source: InstructionCase = { ...SOURCE, undefined: { memory: [{ gva: DATA.gva, sizeBytes: 3 }] } };

  assert.deepEqual(what(source, outcome(), outcome(SOURCE, { memory })), ["memory 0x20000003"]);
});

test("never compares the x87 pointers and empty registers", () => {
  const changed = withFp((image) => {
    image.bytes.fill(0xaa, 6, 24);
    image.setSt(3, 5n);
  });

  assert.deepEqual(what(SOURCE, outcome(), changed), []);
});

test("compares only what 32-bit code has", () => {
  const source: InstructionCase = { ...SOURCE, mode: "compat32" };
  const changed = outcome(source);
  changed.gpr[15] = 0n;
  changed.gpr[0] = (changed.gpr[0] ?? 0n) | (1n << 40n);
  new FpImage(changed.fp).setXmm(8, 0n);

  assert.deepEqual(what(source, outcome(source), changed), []);
});

test("a lost case never agrees", () => {
  const lost = outcome(SOURCE, { exit: { kind: "lost", reason: "killed" } });

  assert.equal(compareOutcomes(SOURCE, lost, lost).length, 1);
});

test("two timeouts agree wherever they stopped", () => {
  const timeout = { exit: { kind: "timeout" } } as const;

  assert.deepEqual(what(SOURCE, outcome(SOURCE, timeout), { ...withGpr(1, 0n), ...timeout }), []);
});

test("a report shows the assembler line, the inputs and both values", () => {
  const differences = compareOutcomes(SOURCE, outcome(SOURCE, { rflags: 0x246n }), {
    ...withGpr(0, 3n),
    rflags: 0x203n,
  });

  assert.equal(
    describeDifferences(SOURCE, differences, { expected: "real CPU", actual: "interpreter" }),
    `ADD rax, rcx  (long64)
    48 01 c8
    add rax, rcx
    before: rax=0x1 rcx=0x2 flags none
  rax:
    real CPU     0x0000000000000001
    interpreter  0x0000000000000003
  flags:
    real CPU     pf zf
    interpreter  cf`,
  );
});
