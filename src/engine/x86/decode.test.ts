// The decoder against iced-x86, an independent one: validity, length, memory operand and immediates, for every row of
// the table in every mode and for random bytes. Encodings of features that the table does not have are listed by their
// CPUID feature; nothing else may differ.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import {
  Code,
  CpuidFeature,
  Decoder as IcedDecoder,
  DecoderOptions,
  EncodingKind,
  Instruction,
  OpKind,
  Register,
} from "iced-x86";
import { featureNames } from "../../cpu/index.ts";
import { SEG_CS, SEG_DS, SEG_ES, SEG_FS, SEG_GS, SEG_SS, SLOT_ZERO } from "../layout.ts";
import {
  CODE16,
  CODE32,
  CODE64,
  DECODED,
  DECODE_INVALID,
  DECODE_NEEDS_MORE,
  DECODE_TOO_LONG,
  Decoder,
} from "./decode.ts";
import type { InstructionRow } from "./row.ts";
import { instructionRows } from "./spec.ts";

/** Valid for iced-x86, not in the table: beyond x86-64-v2, other vendors', or withdrawn. */
const missingFeatures: ReadonlySet<string> = new Set([
  "ADX", "AESKLE", "AVX", "BMI2", "CET_IBT", "CET_SS", "CLDEMOTE", "CLWB", "CLZERO", "D3NOW", "D3NOWEXT",
  "ENQCMD", "FRED", "GFNI", "HLE_or_RTM", "HRESET", "INVLPGB", "INVPCID", "KL", "KNC", "LKGS", "MCOMMIT", "MONITOR", "MONITORX", "MOVDIR64B",
  "MOVDIRI", "MSRLIST", "OSS", "PADLOCK_ACE", "PADLOCK_GMI", "PADLOCK_PHE", "PADLOCK_PMM", "PADLOCK_RNG", "PADLOCK_UNDOC",
  "PCONFIG", "PKU", "PTWRITE", "RAO_INT", "RDPID", "RDPRU", "RMPQUERY", "RDRAND", "RDSEED", "RTM", "SERIALIZE",
  "SEV_ES", "SEV_SNP", "SGX1", "SKINIT_or_SVM", "SMM", "SMX", "SSE4A", "SVM", "TDX", "TSE", "TSXLDTRK", "UINTR",
  "VMX", "WAITPKG", "WBNOINVD", "WRMSRNS", "XSAVES",
]); // prettier-ignore

const modes = [
  { codeSize: CODE16, bits: 16 },
  { codeSize: CODE32, bits: 32 },
  { codeSize: CODE64, bits: 64 },
] as const;

const decoder = new Decoder(instructionRows, new Set(featureNames));
const instruction = new Instruction();

/** What iced-x86 says of the bytes. */
function decodeByIced(
  bytes: Uint8Array,
  bits: number,
): { valid: boolean; length: number; missing: boolean; features: string[] } {
  const iced = new IcedDecoder(bits, bytes, DecoderOptions.None);
  iced.decodeOut(instruction);
  iced.free();
  const valid = instruction.code !== Code.INVALID;
  const features = [...instruction.cpuidFeatures()].map((feature) => CpuidFeature[feature] ?? "");
  // VEX, EVEX, XOP and 3DNow! encodings are missing as a whole.
  const missing =
    instruction.encoding !== EncodingKind.Legacy || features.some((name) => missingFeatures.has(name));
  // SYSCALL and SYSRET in legacy modes are AMD's.
  const isForeign = bits !== 64 && features.includes("SYSCALL");
  return { valid, length: instruction.length, missing: missing || isForeign, features };
}

const hex = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");

const segmentOfRegister = new Map<Register, number>([
  [Register.ES, SEG_ES],
  [Register.CS, SEG_CS],
  [Register.SS, SEG_SS],
  [Register.DS, SEG_DS],
  [Register.FS, SEG_FS],
  [Register.GS, SEG_GS],
]);

/** The slot that iced-x86's register name has here. */
function slotOfRegister(register: Register): number {
  for (const first of [Register.RAX, Register.EAX, Register.AX]) {
    if (register >= first && register < first + 16) return 8 * (register - first);
  }
  assert.equal(register, Register.None);
  return SLOT_ZERO;
}

/** Does the instruction have a ModRM memory operand, for both decoders? */
function hasMemoryOperand(): boolean {
  for (let i = 0; i < instruction.opCount; i++) if (instruction.opKind(i) === OpKind.Memory) return true;
  return false;
}

/** In 64-bit mode only FS and GS mean something: the others count as DS. */
const effectiveSegment = (segment: number | undefined, bits: number): number | undefined =>
  bits === 64 && segment !== undefined && segment < SEG_FS ? SEG_DS : segment;

function compareMemoryOperand(bits: number, context: string): void {
  const isModrm = decoder.row.operands.some(({ at }) => at === "rm") && !decoder.isRegister;
  if (!isModrm || !hasMemoryOperand()) return;
  const segment = segmentOfRegister.get(instruction.memorySegment);
  assert.equal(
    effectiveSegment(decoder.segment, bits),
    effectiveSegment(segment, bits),
    `segment: ${context}`,
  );
  const mask = decoder.addressSize === 1 ? 0xffff : -1;
  assert.equal(decoder.disp & mask, displacement() & mask, `displacement: ${context}`);
  const isRip = instruction.memoryBase === Register.RIP || instruction.memoryBase === Register.EIP;
  assert.equal(decoder.isRipRelative, isRip, `RIP-relative: ${context}`);
  if (isRip) return;
  // base + index without a scale may be written either way.
  const ours = [decoder.base, decoder.index];
  const theirs = [slotOfRegister(instruction.memoryBase), slotOfRegister(instruction.memoryIndex)];
  assert.deepEqual(ours, theirs, `registers: ${context}`);
  if (decoder.index !== SLOT_ZERO) {
    assert.equal(1 << decoder.scale, instruction.memoryIndexScale, `scale: ${context}`);
  }
}

/** iced-x86's displacement as the instruction encodes it. */
function displacement(): number {
  const value = Number(BigInt.asIntN(32, instruction.memoryDisplacement));
  const isRip = instruction.memoryBase === Register.RIP || instruction.memoryBase === Register.EIP;
  return isRip ? (value - instruction.length) | 0 : value;
}

/** Rows that execute what later processors made instructions of: their prefixes or hints are ignored. */
const reinterpreted: ReadonlySet<string> = new Set(["nop", "prefetch", "prefetchw", "wbinvd"]);

/** MOV with a control or debug register that does not exist. */
function namesMissingRegister(result: number): boolean {
  if (result !== DECODED) return false;
  const files = new Set(decoder.row.operands.map(({ file }) => file));
  if (files.has("cr")) return ![0, 2, 3, 4, 8].includes(decoder.reg);
  return files.has("dr") && decoder.reg > 7;
}

/** Compares both decoders; returns whether the encoding is valid and in the table. */
function compare(bytes: Uint8Array, codeSize: number, bits: number): boolean {
  const theirs = decodeByIced(bytes, bits);
  const result = decoder.decode(bytes, 0, bytes.length, codeSize);
  const context = `${hex(bytes)} in ${bits}-bit mode (${decoder.row.opcode} ${decoder.row.mnemonic})`;
  if (theirs.missing) {
    const isOther = result !== DECODED || reinterpreted.has(decoder.row.mnemonic);
    assert.ok(isOther, `of a missing feature, but decoded: ${context}`);
    return false;
  }
  if (namesMissingRegister(result)) {
    // The decoder takes it; its meaning raises #UD.
    assert.ok(!theirs.valid, context);
    return false;
  }
  assert.equal(result === DECODED, theirs.valid, `validity: ${context}, ${theirs.features.join()}`);
  if (result !== DECODED) return false;
  assert.equal(decoder.length, theirs.length, `length: ${context}`);
  compareMemoryOperand(bits, context);
  return true;
}

/** A fixed sequence of bytes that looks random (a linear congruential generator). */
function randomSource(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 8;
  };
}

/** The bytes of a row's encoding up to its opcode, behind the given legacy prefixes. */
function opcodeBytes(row: InstructionRow, prefixes: readonly number[], rex: number): number[] {
  const { encoding } = row;
  const mandatory = { NP: [], "66": [0x66], F3: [0xf3], F2: [0xf2] } as const;
  const escape = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]][encoding.map] ?? [];
  const rexByte = encoding.rexW ? [rex === 0 ? 0x48 : rex | 8] : rex === 0 ? [] : [rex];
  const prefix = encoding.prefix === undefined ? [] : mandatory[encoding.prefix];
  return [...prefixes, ...prefix, ...rexByte, ...escape, encoding.opcode];
}

/** ModRM bytes that a row can have: its own, or memory and register forms in every addressing mode. */
function modrmBytes(row: InstructionRow): readonly number[][] {
  const { encoding } = row;
  if (!encoding.hasModrm) return [[]];
  if (encoding.modrm !== undefined) return [[encoding.modrm + (encoding.plusStack ? 5 : 0)]];
  const reg = (encoding.digit ?? 3) << 3;
  return [
    [0x00 | reg],
    [0x04 | reg, 0x4b],
    [0x04 | reg, 0x25],
    [0x05 | reg],
    [0x06 | reg],
    [0x44 | reg, 0xf4],
    [0x85 | reg],
    [0x84 | reg, 0xe5],
    [0xc1 | reg],
    [0xc7 | reg],
  ];
}

const TAIL = [0x90, 0x12, 0x83, 0x34, 0xf5, 0x56, 0x67, 0x78, 0x89, 0x9a, 0xab, 0xbc];

suite("decoder", () => {
  test("agrees with iced-x86 on every row in every mode, addressing form and with size prefixes", () => {
    const seen = new Set<string>();
    let compared = 0;
    for (const row of instructionRows) {
      for (const { codeSize, bits } of modes) {
        const isValidMode = codeSize === CODE64 ? !row.traits.has("i64") : !row.traits.has("o64");
        const rexBytes = codeSize === CODE64 ? [0, 0x40, 0x47, 0x48, 0x4f] : [0];
        for (const prefixes of [[], [0x67], [0x65], ...(row.encoding.prefix === undefined ? [[0x66]] : [])]) {
          for (const rex of rexBytes) {
            if (row.encoding.rexW && codeSize !== CODE64) continue;
            for (const modrm of modrmBytes(row)) {
              const bytes = Uint8Array.from([...opcodeBytes(row, prefixes, rex), ...modrm, ...TAIL]);
              compared++;
              if (compare(bytes, codeSize, bits) && isValidMode)
                seen.add(decoder.row.opcode + decoder.row.operandList);
            }
          }
        }
      }
    }
    const unreached = instructionRows.filter((row) => !seen.has(row.opcode + row.operandList));
    assert.deepEqual(
      unreached.map((row) => `${row.opcode} ${row.mnemonic}`),
      [],
    );
    assert.ok(compared > 50_000, `compared ${compared}`);
  });

  test("agrees with iced-x86 on every opcode of every map, mandatory prefix and ModRM group", () => {
    const escapes = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];
    let valid = 0;
    for (const escape of escapes) {
      for (const prefix of [[], [0x66], [0xf3], [0xf2]]) {
        const bytes = Uint8Array.from([...prefix, ...escape, 0, 0, ...TAIL]);
        const at = prefix.length + escape.length;
        for (let opcode = 0; opcode < 256; opcode++) {
          bytes[at] = opcode;
          // Memory with each /digit, then every register form.
          for (let n = 0; n < 72; n++) {
            bytes[at + 1] = n < 8 ? n << 3 : 0xc0 | (n - 8);
            for (const { codeSize, bits } of modes) if (compare(bytes, codeSize, bits)) valid++;
          }
        }
      }
    }
    assert.ok(valid > 250_000, `${valid} were valid`);
  });

  test("agrees with iced-x86 on random bytes", () => {
    const random = randomSource(20261122);
    const prefixes = [0x66, 0xf2, 0xf3, 0x67, 0xf0, 0x48, 0x41, 0x64, 0x2e];
    const bytes = new Uint8Array(24);
    let valid = 0;
    for (let n = 0; n < 100_000; n++) {
      for (let i = 0; i < bytes.length; i++) bytes[i] = random() & 0xff;
      // Most begin with prefixes and an escape, so that the larger maps get their share.
      const kind = random() % 8;
      let at = 0;
      for (let i = random() % 3; kind < 5 && i > 0; i--)
        bytes[at++] = prefixes[random() % prefixes.length] ?? 0x66;
      if (kind >= 1 && kind < 5) bytes[at++] = 0x0f;
      if (kind === 4) bytes[at++] = (random() & 1) === 0 ? 0x38 : 0x3a;
      for (const { codeSize, bits } of modes) if (compare(bytes, codeSize, bits)) valid++;
    }
    assert.ok(valid > 100_000, `${valid} were valid`);
  });

  test("takes LOCK only in front of instructions that write memory", () => {
    const results = [
      [0xf0, 0x01, 0x00], // lock add [rax], eax
      [0xf0, 0x01, 0xc0], // lock add eax, eax
      [0xf0, 0x03, 0x00], // lock add eax, [rax]
      [0xf0, 0x39, 0x00], // lock cmp [rax], eax
      [0xf0, 0x87, 0x00], // lock xchg [rax], eax
      [0xf0, 0x90], // lock nop
    ].map((bytes) => decoder.decode(Uint8Array.from([...bytes, ...TAIL]), 0, 12, CODE64));
    assert.deepEqual(results, [
      DECODED,
      DECODE_INVALID,
      DECODE_INVALID,
      DECODE_INVALID,
      DECODED,
      DECODE_INVALID,
    ]);
  });

  test("takes instructions of 15 bytes and no more", () => {
    const nop = (prefixCount: number): Uint8Array =>
      Uint8Array.from([...Array<number>(prefixCount).fill(0x66), 0x90]);
    assert.equal(decoder.decode(nop(14), 0, 15, CODE64), DECODED);
    assert.equal(decoder.length, 15);
    assert.equal(decoder.decode(nop(15), 0, 16, CODE64), DECODE_TOO_LONG);
    const addImmediate = Uint8Array.from([
      ...Array<number>(9).fill(0x2e),
      0x81,
      0x05,
      1,
      2,
      3,
      4,
      5,
      6,
      7,
      8,
    ]);
    assert.equal(decoder.decode(addImmediate, 0, 19, CODE64), DECODE_TOO_LONG);
  });

  test("asks for more when the instruction continues behind the limit", () => {
    const bytes = Uint8Array.from([0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8]);
    for (let limit = 0; limit < 10; limit++) {
      assert.equal(decoder.decode(bytes, 0, limit, CODE64), DECODE_NEEDS_MORE, `${limit} bytes`);
    }
    assert.equal(decoder.decode(bytes, 0, 10, CODE64), DECODED);
    assert.equal(decoder.immediate, 0x04030201);
    assert.equal(decoder.immediate2, 0x08070605);
  });

  test("gates rows by feature", () => {
    const old = new Decoder(instructionRows, new Set(["fpu"]));
    const cmov = Uint8Array.from([0x0f, 0x44, 0xc1]);
    const tzcnt = Uint8Array.from([0xf3, 0x0f, 0xbc, 0xc1]);
    assert.equal(old.decode(cmov, 0, 3, CODE32), DECODE_INVALID);
    assert.equal(decoder.decode(cmov, 0, 3, CODE32), DECODED);
    // Without BMI1, the F3 prefix of TZCNT is ignored.
    assert.equal(old.decode(tzcnt, 0, 4, CODE32), DECODED);
    assert.equal(old.row.mnemonic, "bsf");
    assert.equal(decoder.decode(tzcnt, 0, 4, CODE32), DECODED);
    assert.equal(decoder.row.mnemonic, "tzcnt");
  });
});
