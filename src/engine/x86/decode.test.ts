// The decoder against iced-x86, an independent one (test/decoder): every row of the table in every mode, every opcode of
// every map, random bytes; and what iced-x86 cannot say: limits, features.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { featureNames } from "../../cpu/index.ts";
import { modrmBytes, opcodeBytes, TAIL } from "../../../test/decoder/encodings.ts";
import { compare, modes } from "../../../test/decoder/iced-comparison.ts";
import { nextString, randomSource, STRING_BYTES } from "../../../test/decoder/random-bytes.ts";
import {
  CODE32,
  CODE64,
  DECODED,
  DECODE_INVALID,
  DECODE_NEEDS_MORE,
  DECODE_TOO_LONG,
  Decoder,
} from "./decode.ts";
import { noOperation } from "./lower-integer.ts";
import { row, type InstructionRow } from "./row.ts";
import { instructionRows } from "./spec.ts";

const decoder = new Decoder(instructionRows, new Set(featureNames));

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
              const decoded = compare(bytes, codeSize, bits);
              if (decoded !== undefined && isValidMode) seen.add(decoded.opcode + decoded.operandList);
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

  test("agrees with iced-x86 on every opcode of every VEX map, prefix, L and W", () => {
    let valid = 0;
    for (const map of [1, 2, 3]) {
      for (const last of [0x78, 0x79, 0x7a, 0x7b, 0xf8, 0xfb, 0x7c, 0x28, 0x29, 0x2a, 0xab]) {
        const bytes = Uint8Array.from([0xc4, 0xe0 | map, last, 0, 0, ...TAIL]);
        for (let opcode = 0; opcode < 256; opcode++) {
          bytes[3] = opcode;
          for (let n = 0; n < 16; n++) {
            bytes[4] = n < 8 ? n << 3 : 0xc1 | ((n - 8) << 3);
            for (const { codeSize, bits } of modes) if (compare(bytes, codeSize, bits) !== undefined) valid++;
          }
        }
      }
    }
    assert.ok(valid > 1000, `${valid} were valid`);
  });

  test("agrees with iced-x86 on random bytes", () => {
    const random = randomSource(20261122);
    const bytes = new Uint8Array(STRING_BYTES);
    const mnemonics = new Set<string>();
    let valid = 0;
    for (let n = 0; n < 60_000; n++) {
      nextString(random, bytes);
      for (const { codeSize, bits } of modes) {
        const decoded = compare(bytes, codeSize, bits);
        if (decoded === undefined) continue;
        valid++;
        mnemonics.add(decoded.mnemonic);
      }
    }
    assert.ok(valid > 40_000, `${valid} were valid`);
    assert.ok(mnemonics.size > 500, `${mnemonics.size} mnemonics`);
  });

  test("VEX is #UD behind LOCK, 66, F2, F3 and REX, and with vvvv where no operand is", () => {
    const decode = (...bytes: number[]): number =>
      decoder.decode(Uint8Array.from([...bytes, ...TAIL]), 0, bytes.length + TAIL.length, CODE64);
    const andn = [0xc4, 0xe2, 0x70, 0xf2, 0xc2];
    assert.deepEqual(
      [[], [0x2e], [0x67], [0xf0], [0x66], [0xf2], [0xf3], [0x48]].map((prefix) =>
        decode(...prefix, ...andn),
      ),
      [DECODED, DECODED, DECODED, ...Array<number>(5).fill(DECODE_INVALID)],
    );
    assert.equal(decode(0xc4, 0xe3, 0x7b, 0xf0, 0xc2, 7), DECODED, "rorx");
    assert.equal(decode(0xc4, 0xe3, 0x73, 0xf0, 0xc2, 7), DECODE_INVALID, "rorx with vvvv");
  });

  test("C4 and C5 are LES and LDS with memory in legacy modes, and never in 64-bit mode", () => {
    const mnemonicOf = (codeSize: number, ...bytes: number[]): string => {
      const padded = Uint8Array.from([...bytes, ...TAIL]);
      return decoder.decode(padded, 0, padded.length, codeSize) === DECODED ? decoder.row.mnemonic : "#UD";
    };
    assert.equal(mnemonicOf(CODE32, 0xc4, 0x03), "les");
    assert.equal(mnemonicOf(CODE32, 0xc5, 0x44, 0x24, 4), "lds");
    assert.equal(mnemonicOf(CODE32, 0xc4, 0xe2, 0x70, 0xf2, 0xc2), "andn");
    assert.equal(mnemonicOf(CODE64, 0xc4, 0x03), "#UD");
  });

  test("VEX.L and W choose among rows, and both forms of the prefix reach the same one", () => {
    const vexRow = (opcode: string): InstructionRow =>
      row(opcode, opcode, "xmm, xmm/m128", noOperation, "sse2");
    const rows = [
      vexRow("VEX.128.66.0F.WIG FE /r"),
      vexRow("VEX.256.66.0F.WIG FE /r"),
      vexRow("VEX.LIG.66.0F38.W0 16 /r"),
      vexRow("VEX.L1.66.0F38.W1 16 /r"),
    ];
    const avx = new Decoder(rows, new Set(featureNames));
    const opcodeOf = (...bytes: number[]): string => {
      const padded = Uint8Array.from([...bytes, ...TAIL]);
      return avx.decode(padded, 0, padded.length, CODE64) === DECODED ? avx.row.opcode : "#UD";
    };
    assert.deepEqual(
      [
        opcodeOf(0xc5, 0xf9, 0xfe, 0xc1),
        opcodeOf(0xc4, 0xe1, 0xf9, 0xfe, 0xc1),
        opcodeOf(0xc5, 0xfd, 0xfe, 0xc1),
        opcodeOf(0xc5, 0xf8, 0xfe, 0xc1),
        opcodeOf(0xc4, 0xe2, 0x7d, 0x16, 0xc1),
        opcodeOf(0xc4, 0xe2, 0xfd, 0x16, 0xc1),
        opcodeOf(0xc4, 0xe2, 0xf9, 0x16, 0xc1),
      ],
      [rows[0]?.opcode, rows[0]?.opcode, rows[1]?.opcode, "#UD", rows[2]?.opcode, rows[3]?.opcode, "#UD"],
    );
    assert.equal(opcodeOf(0xc5, 0x7d, 0xfe, 0xc1), rows[1]?.opcode);
    assert.deepEqual([avx.reg, avx.rm, avx.vectorLength], [8, 1, 1]);
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

  test("two equally specific rows for one encoding are an error of the table", () => {
    const twice = ["first", "second"].map((name) => row("0F FF /r", name, "rv, rmv", noOperation));
    const ambiguous = new Decoder(twice, new Set(featureNames));
    assert.throws(
      () => ambiguous.decode(Uint8Array.from([0x0f, 0xff, 0xc0, ...TAIL]), 0, 19, CODE64),
      /0F FF \/r (second|first) and 0F FF \/r (second|first) cover the same encoding/,
    );
  });

  test("does not judge by a ModRM byte behind the limit", () => {
    // C7 /1 is no instruction, C7 /0 is MOV.
    const bytes = Uint8Array.from([0x48, 0xc7, 0x48, ...Array.from({ length: 29 }, () => 0)]);
    assert.equal(decoder.decode(bytes, 0, 2, CODE64), DECODE_NEEDS_MORE);
    assert.equal(decoder.decode(bytes, 0, 3, CODE64), DECODE_INVALID);
  });

  test("without its feature an instruction is #UD, or what its bytes were before there was the feature", () => {
    // The meaning of CMPXCHG8B raises #UD for REX.W: see translate.test.ts.
    const previous: Readonly<Record<string, string>> = {
      tzcnt: "bsf",
      lzcnt: "bsr",
      cmpxchg16b: "cmpxchg8b",
    };
    let checked = 0;
    for (const feature of featureNames) {
      const rows = instructionRows.filter((row) => row.features.has(feature));
      const without = new Decoder(instructionRows, new Set(featureNames.filter((name) => name !== feature)));
      for (const row of rows) {
        const codeSize = row.traits.has("i64") ? CODE32 : CODE64;
        const encodings = modrmBytes(row).map((modrm) =>
          Uint8Array.from([...opcodeBytes(row, [], 0), ...modrm, ...TAIL]),
        );
        const taken = encodings.filter(
          (bytes) => decoder.decode(bytes, 0, bytes.length, codeSize) === DECODED && decoder.row === row,
        );
        assert.ok(taken.length > 0, `${row.opcode} ${row.mnemonic}`);
        for (const bytes of taken) {
          const result = without.decode(bytes, 0, bytes.length, codeSize);
          const got = result === DECODED ? without.row.mnemonic : "#UD";
          assert.equal(
            got,
            previous[row.mnemonic] ?? "#UD",
            `${row.opcode} ${row.mnemonic} without ${feature}`,
          );
          checked++;
        }
      }
    }
    assert.ok(checked > 2000, `${checked} encodings`);
  });
});
