/**
 * The x86 table: general-purpose instructions (SDM 2, chapters 3–5). Their meanings are in lower-integer.ts.
 * BMI and ADX are in spec-bits.ts.
 */
import { AF, CF, OF, PF, SF, STATUS_FLAGS, ZF } from "../ir/flags.ts";
import * as m from "./lower-integer.ts";
import { row, type InstructionRow } from "./row.ts";

const undefinedAf = { undefinedFlags: AF } as const;
/** Shifts: AF always; OF for counts above 1 and CF for counts beyond the width. */
const undefinedByShift = { undefinedFlags: AF | OF | CF } as const;
const undefinedByRotate = { undefinedFlags: OF | CF } as const;
const undefinedByMultiply = { undefinedFlags: SF | ZF | AF | PF } as const;
const undefinedByDivide = { undefinedFlags: STATUS_FLAGS } as const;
const undefinedByBitTest = { undefinedFlags: OF | SF | AF | PF } as const;
const undefinedByScan = { undefinedFlags: CF | OF | SF | AF | PF } as const;
const hex = (value: number): string => value.toString(16).toUpperCase().padStart(2, "0");

/** ADD, OR, ADC, SBB, AND, SUB, XOR, CMP: opcode base and the /digit of their immediate forms in step. */
const arithmetic = (["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"] as const).flatMap(
  (name, digit) => {
    const meaning = name === "cmp" ? m.compare(name) : m.binary(name);
    const lock = name === "cmp" ? [] : (["lock"] as const);
    const undefinedFlags = name === "or" || name === "and" || name === "xor" ? [undefinedAf] : [];
    const traits = [...lock, ...undefinedFlags];
    const base = 8 * digit;
    return [
      row(`${hex(base)} /r`, name, "rm8, r8", meaning, ...traits),
      row(`${hex(base + 1)} /r`, name, "rmv, rv", meaning, ...traits),
      row(`${hex(base + 2)} /r`, name, "r8, rm8", meaning, ...undefinedFlags),
      row(`${hex(base + 3)} /r`, name, "rv, rmv", meaning, ...undefinedFlags),
      row(`${hex(base + 4)} ib`, name, "al, imm8", meaning, ...undefinedFlags),
      row(`${hex(base + 5)} iz`, name, "acc, immz", meaning, ...undefinedFlags),
      row(`80 /${digit} ib`, name, "rm8, imm8", meaning, ...traits),
      row(`81 /${digit} iz`, name, "rmv, immz", meaning, ...traits),
      row(`82 /${digit} ib`, name, "rm8, imm8", meaning, "i64", ...traits),
      row(`83 /${digit} ib`, name, "rmv, simm8", meaning, ...traits),
    ];
  },
);

/** Group 2; /6 is an alias of SHL. */
const shifts = (["rol", "ror", "rcl", "rcr", "shl", "shr", "shl", "sar"] as const).flatMap((name, digit) => {
  const meaning = m.shift(name);
  const isRotate = digit < 4;
  const one = isRotate ? [] : [undefinedAf];
  const many = isRotate ? undefinedByRotate : undefinedByShift;
  return [
    row(`C0 /${digit} ib`, name, "rm8, imm8", meaning, many),
    row(`C1 /${digit} ib`, name, "rmv, imm8", meaning, many),
    row(`D0 /${digit}`, name, "rm8, 1", meaning, ...one),
    row(`D1 /${digit}`, name, "rmv, 1", meaning, ...one),
    row(`D2 /${digit}`, name, "rm8, cl", meaning, many),
    row(`D3 /${digit}`, name, "rmv, cl", meaning, many),
  ];
});

/** Condition codes in the order of their encoding, by their first name. */
export const conditionNames = [
  "o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g",
] as const; // prettier-ignore

const conditional = conditionNames.flatMap((name, code) => [
  row(`0F ${hex(0x90 + code)} /r`, `set${name}`, "rm8", m.setIf(code)),
  row(`0F ${hex(0x40 + code)} /r`, `cmov${name}`, "rv, rmv", m.moveIf(code), "cmov"),
]);

const bitTests = (["bt", "bts", "btr", "btc"] as const).flatMap((name, i) => {
  const meaning = m.bitTest(name);
  const lock = name === "bt" ? [] : (["lock"] as const);
  return [
    row(`0F ${hex(0xa3 + 8 * i)} /r`, name, "rmv, rv", meaning, undefinedByBitTest, ...lock),
    row(`0F BA /${4 + i} ib`, name, "rmv, imm8", meaning, undefinedByBitTest, ...lock),
  ];
});

export const integerRows: readonly InstructionRow[] = [
  ...arithmetic,
  row("84 /r", "test", "rm8, r8", m.compare("test"), undefinedAf),
  row("85 /r", "test", "rmv, rv", m.compare("test"), undefinedAf),
  row("A8 ib", "test", "al, imm8", m.compare("test"), undefinedAf),
  row("A9 iz", "test", "acc, immz", m.compare("test"), undefinedAf),
  row("F6 /0 ib", "test", "rm8, imm8", m.compare("test"), undefinedAf),
  row("F6 /1 ib", "test", "rm8, imm8", m.compare("test"), undefinedAf),
  row("F7 /0 iz", "test", "rmv, immz", m.compare("test"), undefinedAf),
  row("F7 /1 iz", "test", "rmv, immz", m.compare("test"), undefinedAf),

  row("40+r", "inc", "ov", m.unary("inc"), "i64"),
  row("48+r", "dec", "ov", m.unary("dec"), "i64"),
  row("FE /0", "inc", "rm8", m.unary("inc"), "lock"),
  row("FE /1", "dec", "rm8", m.unary("dec"), "lock"),
  row("FF /0", "inc", "rmv", m.unary("inc"), "lock"),
  row("FF /1", "dec", "rmv", m.unary("dec"), "lock"),
  row("F6 /2", "not", "rm8", m.unary("not"), "lock"),
  row("F7 /2", "not", "rmv", m.unary("not"), "lock"),
  row("F6 /3", "neg", "rm8", m.unary("neg"), "lock"),
  row("F7 /3", "neg", "rmv", m.unary("neg"), "lock"),

  row("F6 /4", "mul", "rm8", m.accumulator("mulu"), undefinedByMultiply),
  row("F7 /4", "mul", "rmv", m.accumulator("mulu"), undefinedByMultiply),
  row("F6 /5", "imul", "rm8", m.accumulator("muls"), undefinedByMultiply),
  row("F7 /5", "imul", "rmv", m.accumulator("muls"), undefinedByMultiply),
  row("F6 /6", "div", "rm8", m.accumulator("div"), undefinedByDivide),
  row("F7 /6", "div", "rmv", m.accumulator("div"), undefinedByDivide),
  row("F6 /7", "idiv", "rm8", m.accumulator("idiv"), undefinedByDivide),
  row("F7 /7", "idiv", "rmv", m.accumulator("idiv"), undefinedByDivide),
  row("0F AF /r", "imul", "rv, rmv", m.multiply, undefinedByMultiply),
  row("69 /r iz", "imul", "rv, rmv, immz", m.multiply, undefinedByMultiply),
  row("6B /r ib", "imul", "rv, rmv, simm8", m.multiply, undefinedByMultiply),

  ...shifts,
  row("0F A4 /r ib", "shld", "rmv, rv, imm8", m.doubleShift("shld"), undefinedByShift),
  row("0F A5 /r", "shld", "rmv, rv, cl", m.doubleShift("shld"), undefinedByShift),
  row("0F AC /r ib", "shrd", "rmv, rv, imm8", m.doubleShift("shrd"), undefinedByShift),
  row("0F AD /r", "shrd", "rmv, rv, cl", m.doubleShift("shrd"), undefinedByShift),

  ...bitTests,
  row("0F BC /r", "bsf", "rv, rmv", m.bitScan("bsf"), undefinedByScan),
  row("0F BD /r", "bsr", "rv, rmv", m.bitScan("bsr"), undefinedByScan),
  row("F3 0F BD /r", "lzcnt", "rv, rmv", m.bitScan("lzcnt"), "lzcnt", { undefinedFlags: OF | SF | AF | PF }),
  row("F3 0F B8 /r", "popcnt", "rv, rmv", m.bitScan("popcnt"), "popcnt"),

  row("88 /r", "mov", "rm8, r8", m.move),
  row("89 /r", "mov", "rmv, rv", m.move),
  row("8A /r", "mov", "r8, rm8", m.move),
  row("8B /r", "mov", "rv, rmv", m.move),
  row("A0 mo", "mov", "al, moffs8", m.move),
  row("A1 mo", "mov", "acc, moffsv", m.move),
  row("A2 mo", "mov", "moffs8, al", m.move),
  row("A3 mo", "mov", "moffsv, acc", m.move),
  row("B0+r ib", "mov", "o8, imm8", m.move),
  row("B8+r iv", "mov", "ov, immv", m.move),
  row("C6 /0 ib", "mov", "rm8, imm8", m.move),
  row("C7 /0 iz", "mov", "rmv, immz", m.move),
  row("0F B6 /r", "movzx", "rv, rm8", m.moveZeroExtended),
  row("0F B7 /r", "movzx", "rv, rm16", m.moveZeroExtended),
  row("0F BE /r", "movsx", "rv, rm8", m.moveSignExtended),
  row("0F BF /r", "movsx", "rv, rm16", m.moveSignExtended),
  row("63 /r", "movsxd", "rv, rm32", m.moveSignExtended, "o64"),
  row("NP 0F 38 F0 /r", "movbe", "rv, mv", m.moveBigEndian, "movbe"),
  row("66 0F 38 F0 /r", "movbe", "rv, mv", m.moveBigEndian, "movbe"),
  row("NP 0F 38 F1 /r", "movbe", "mv, rv", m.moveBigEndian, "movbe"),
  row("66 0F 38 F1 /r", "movbe", "mv, rv", m.moveBigEndian, "movbe"),
  row("8D /r", "lea", "rv, m", m.loadEffectiveAddress),
  row("86 /r", "xchg", "rm8, r8", m.exchange, "lock"),
  row("87 /r", "xchg", "rmv, rv", m.exchange, "lock"),
  row("90+r", "xchg", "ov, acc", m.exchange),
  row("0F C8+r", "bswap", "ov", m.byteSwap),
  ...conditional,
  row("0F B0 /r", "cmpxchg", "rm8, r8", m.compareExchange, "lock"),
  row("0F B1 /r", "cmpxchg", "rmv, rv", m.compareExchange, "lock"),
  row("0F C0 /r", "xadd", "rm8, r8", m.exchangeAdd, "lock"),
  row("0F C1 /r", "xadd", "rmv, rv", m.exchangeAdd, "lock"),
  row("0F C7 /1", "cmpxchg8b", "m64", m.compareExchangeWide, "lock", "cx8"),
  row("REX.W 0F C7 /1", "cmpxchg16b", "m128", m.compareExchangeWide, "lock", "cx16", "o64"),

  row("98", "cbw", "", m.extendAccumulator),
  row("99", "cwd", "", m.signToDx),
  row("9E", "sahf", "", m.plain("sahf"), "i64"),
  row("9E", "sahf", "", m.plain("sahf"), "o64", "lahf64"),
  row("9F", "lahf", "", m.plain("lahf"), "i64"),
  row("9F", "lahf", "", m.plain("lahf"), "o64", "lahf64"),
  row("F5", "cmc", "", m.plain("cmc")),
  row("F8", "clc", "", m.plain("clc")),
  row("F9", "stc", "", m.plain("stc")),
  row("FC", "cld", "", m.plain("cld")),
  row("FD", "std", "", m.plain("std")),
  row("D6", "salc", "", m.setAlOnCarry, "i64"),
  row("D7", "xlatb", "", m.translateByte),
  row("27", "daa", "", m.plain("daa"), "i64", { undefinedFlags: OF }),
  row("2F", "das", "", m.plain("das"), "i64", { undefinedFlags: OF }),
  row("37", "aaa", "", m.plain("aaa"), "i64", { undefinedFlags: OF | SF | ZF | PF }),
  row("3F", "aas", "", m.plain("aas"), "i64", { undefinedFlags: OF | SF | ZF | PF }),
  row("D4 ib", "aam", "imm8", m.asciiAdjustMultiply, "i64", { undefinedFlags: OF | AF | CF }),
  row("D5 ib", "aad", "imm8", m.asciiAdjustDivide, "i64", { undefinedFlags: OF | AF | CF }),

  row("50+r", "push", "ov", m.push, "d64"),
  row("58+r", "pop", "ov", m.pop, "d64"),
  row("FF /6", "push", "rmv", m.push, "d64"),
  row("8F /0", "pop", "rmv", m.pop, "d64"),
  row("6A ib", "push", "simm8", m.push, "d64"),
  row("68 iz", "push", "immz", m.push, "d64"),
  row("60", "pusha", "", m.pushAll, "i64"),
  row("61", "popa", "", m.popAll, "i64"),
  row("C8 iw ib", "enter", "imm16, imm8", m.enter, "d64"),
  row("C9", "leave", "", m.leave, "d64"),
  row("62 /r", "bound", "rv, mv", m.bound, "i64"),

  row("F3 90", "pause", "", m.noOperation),
  row("0F 1F /r", "nop", "rmv", m.noOperation),
  ...["0F 19 /r", "0F 1A /r", "0F 1B /r", "0F 1C /r", "0F 1D /r", "0F 1E /r"].map((opcode) =>
    row(opcode, "nop", "rmv, rv", m.noOperation),
  ),
  row("0F 18 /r", "prefetch", "rmv", m.noOperation),
  row("0F 0D /r", "prefetchw", "rmv", m.noOperation),
  row("0F 0B", "ud2", "", m.undefinedInstruction),
  row("0F B9 /r", "ud1", "rv, rmv", m.undefinedInstruction),
  row("0F FF /r", "ud0", "rv, rmv", m.undefinedInstruction),
];
