/**
 * The x86 table: segments, far transfers, interrupts, control registers, ports, flags and processor control (SDM 2;
 * SDM 3A 2.8). Meanings are in lower-system.ts.
 *
 * SYSCALL and SYSRET exist in 64-bit mode only, as on Intel processors. Deliberately missing: MONITOR and MWAIT (not
 * in CPUID), RSM (no SMM), XSAVES, VMX and SVM.
 */
import { SEG_DS, SEG_ES, SEG_FS, SEG_GS, SEG_SS } from "../layout.ts";
import { noOperation } from "./lower-integer.ts";
import * as m from "./lower-system.ts";
import { row, type InstructionRow } from "./row.ts";

/** MOV Sreg for the six registers; CS cannot be loaded. */
const segmentMoves = (["es", "cs", "ss", "ds", "fs", "gs"] as const).flatMap((_, digit) => [
  row(`8C /${digit}`, "mov", "rv/m16, sreg", m.moveFromSegment),
  ...(digit === 1 ? [] : [row(`8E /${digit}`, "mov", "sreg, rv/m16", m.moveToSegment)]),
]);

/** CR0 (with REX.R: CR8), CR2, CR3, CR4. */
const controlMoves = [0, 2, 3, 4].flatMap((digit) => [
  row(`0F 20 /${digit}`, "mov", "rcr, cr", m.moveFromControl("movfromcr"), "cpl0", "f64"),
  row(`0F 22 /${digit}`, "mov", "cr, rcr", m.moveToControl("movtocr"), "cpl0", "f64"),
]);

export const systemRows: readonly InstructionRow[] = [
  ...segmentMoves,
  row("06", "push", "es", m.pushSegment, "i64"),
  row("0E", "push", "cs", m.pushSegment, "i64"),
  row("16", "push", "ss", m.pushSegment, "i64"),
  row("1E", "push", "ds", m.pushSegment, "i64"),
  row("0F A0", "push", "fs", m.pushSegment, "d64"),
  row("0F A8", "push", "gs", m.pushSegment, "d64"),
  row("07", "pop", "es", m.popSegment, "i64"),
  row("17", "pop", "ss", m.popSegment, "i64"),
  row("1F", "pop", "ds", m.popSegment, "i64"),
  row("0F A1", "pop", "fs", m.popSegment, "d64"),
  row("0F A9", "pop", "gs", m.popSegment, "d64"),
  row("C4 /r", "les", "rv, mfar", m.loadFarPointer(SEG_ES), "i64"),
  row("C5 /r", "lds", "rv, mfar", m.loadFarPointer(SEG_DS), "i64"),
  row("0F B2 /r", "lss", "rv, mfar", m.loadFarPointer(SEG_SS)),
  row("0F B4 /r", "lfs", "rv, mfar", m.loadFarPointer(SEG_FS)),
  row("0F B5 /r", "lgs", "rv, mfar", m.loadFarPointer(SEG_GS)),

  row("EA cp", "jmp", "ptr16:z", m.farTransfer("jmpfar"), "i64"),
  row("9A cp", "call", "ptr16:z", m.farTransfer("callfar"), "i64"),
  row("FF /5", "jmp", "mfar", m.farTransfer("jmpfar")),
  row("FF /3", "call", "mfar", m.farTransfer("callfar")),
  row("CB", "retf", "", m.returnFar),
  row("CA iw", "retf", "imm16", m.returnFar),
  row("CD ib", "int", "imm8", m.softwareInterrupt),
  row("CC", "int3", "", m.endingHelper("int3")),
  row("CE", "into", "", m.endingHelper("into"), "i64"),
  row("F1", "int1", "", m.endingHelper("icebp")),
  row("CF", "iret", "", m.sizedEndingHelper("iret")),
  row("0F 05", "syscall", "", m.endingHelper("syscall"), "o64", "syscall"),
  row("0F 07", "sysret", "", m.sizedEndingHelper("sysret"), "o64", "syscall", "cpl0"),
  // In real mode #GP(0), not #UD; SYSENTER works in virtual-8086 mode.
  row("0F 34", "sysenter", "", m.endingHelper("sysenter"), "sep"),
  row("0F 35", "sysexit", "", m.sizedEndingHelper("sysexit"), "sep", "cpl0"),

  row("0F 01 /0", "sgdt", "m", m.tableRegister("sgdt"), "f64"),
  row("0F 01 /1", "sidt", "m", m.tableRegister("sidt"), "f64"),
  row("0F 01 /2", "lgdt", "m", m.tableRegister("lgdt"), "f64", "cpl0"),
  row("0F 01 /3", "lidt", "m", m.tableRegister("lidt"), "f64", "cpl0"),
  row("0F 00 /0", "sldt", "rv/m16", m.storeSystemWord("sldt"), "prot"),
  row("0F 00 /1", "str", "rv/m16", m.storeSystemWord("str"), "prot"),
  row("0F 00 /2", "lldt", "rv/m16", m.loadSystemWord("lldt"), "prot", "cpl0"),
  row("0F 00 /3", "ltr", "rv/m16", m.loadSystemWord("ltr"), "prot", "cpl0"),
  row("0F 00 /4", "verr", "rv/m16", m.verifySegment("verr"), "prot"),
  row("0F 00 /5", "verw", "rv/m16", m.verifySegment("verw"), "prot"),
  row("0F 02 /r", "lar", "rv, rv/m16", m.descriptorInformation("lar"), "prot"),
  row("0F 03 /r", "lsl", "rv, rv/m16", m.descriptorInformation("lsl"), "prot"),
  row("63 /r", "arpl", "rm16, r16", m.adjustRpl, "i64", "prot"),
  row("0F 01 /4", "smsw", "rv/m16", m.storeSystemWord("smsw")),
  row("0F 01 /6", "lmsw", "rv/m16", m.loadSystemWord("lmsw"), "cpl0"),
  row("0F 01 /7", "invlpg", "m", m.invalidatePage, "cpl0"),
  row("66 0F 38 82 /r", "invpcid", "ry, m128", m.invalidatePcid, "invpcid", "cpl0", "f64"),
  ...controlMoves,
  row("0F 21 /r", "mov", "rcr, dr", m.moveFromControl("movfromdr"), "cpl0", "f64"),
  row("0F 23 /r", "mov", "dr, rcr", m.moveToControl("movtodr"), "cpl0", "f64"),
  row("0F 06", "clts", "", m.endingHelper("clts"), "cpl0"),
  row("0F 08", "invd", "", m.inlineHelper("invd"), "cpl0"),
  row("0F 09", "wbinvd", "", m.inlineHelper("wbinvd"), "cpl0"),
  row("0F 30", "wrmsr", "", m.endingHelper("wrmsr"), "msr", "cpl0"),
  row("0F 32", "rdmsr", "", m.inlineHelper("rdmsr"), "msr", "cpl0"),
  row("0F 31", "rdtsc", "", m.inlineHelper("rdtsc"), "tsc"),
  row("0F 33", "rdpmc", "", m.inlineHelper("rdpmc")),
  row("0F A2", "cpuid", "", m.inlineHelper("cpuid")),
  row("0F 01 F8", "swapgs", "", m.endingHelper("swapgs"), "o64", "cpl0"),
  row("0F 01 F9", "rdtscp", "", m.inlineHelper("rdtscp"), "rdtscp"),
  row("NP 0F 01 D0", "xgetbv", "", m.inlineHelper("xgetbv"), "xsave"),
  row("NP 0F 01 D1", "xsetbv", "", m.endingHelper("xsetbv"), "xsave", "cpl0"),
  row("NP 0F 01 CA", "clac", "", m.inlineHelper("clac"), "smap", "cpl0"),
  row("NP 0F 01 CB", "stac", "", m.inlineHelper("stac"), "smap", "cpl0"),
  row("F3 0F AE /0", "rdfsbase", "ury", m.readSegmentBase(SEG_FS), "o64", "fsgsbase"),
  row("F3 0F AE /1", "rdgsbase", "ury", m.readSegmentBase(SEG_GS), "o64", "fsgsbase"),
  row("F3 0F AE /2", "wrfsbase", "ury", m.writeSegmentBase(SEG_FS), "o64", "fsgsbase"),
  row("F3 0F AE /3", "wrgsbase", "ury", m.writeSegmentBase(SEG_GS), "o64", "fsgsbase"),
  row("NP 0F AE /7", "clflush", "m8", m.flushLine, "clfsh"),
  row("66 0F AE /7", "clflushopt", "m8", m.flushLine, "clflushopt"),
  row("66 0F AE /6", "clwb", "m8", m.flushLine, "clwb"),
  row("NP 0F C7 /6", "rdrand", "urv", m.randomBits, "rdrand"),
  row("66 0F C7 /6", "rdrand", "urv", m.randomBits, "rdrand"),
  row("NP 0F C7 /7", "rdseed", "urv", m.randomBits, "rdseed"),
  row("66 0F C7 /7", "rdseed", "urv", m.randomBits, "rdseed"),
  row("F3 0F C7 /7", "rdpid", "urv", m.readProcessorId, "rdpid", "f64"),
  row("NP 0F AE E8+i", "lfence", "", noOperation, "sse2"),
  row("NP 0F AE F0+i", "mfence", "", noOperation, "sse2"),
  row("NP 0F AE F8+i", "sfence", "", noOperation, "sse"),
  row("NP 0F C3 /r", "movnti", "my, ry", m.moveNonTemporal, "sse2"),

  row("F4", "hlt", "", m.endingHelper("hlt"), "cpl0"),
  row("FA", "cli", "", m.inlineHelper("cli")),
  row("FB", "sti", "", m.endingHelper("sti")),
  row("9C", "pushf", "", m.sizedHelper("pushf"), "d64"),
  row("9D", "popf", "", m.sizedEndingHelper("popf"), "d64"),

  row("E4 ib", "in", "al, imm8", m.port("in")),
  row("E5 ib", "in", "accz, imm8", m.port("in")),
  row("EC", "in", "al, dx", m.port("in")),
  row("ED", "in", "accz, dx", m.port("in")),
  row("E6 ib", "out", "imm8, al", m.port("out")),
  row("E7 ib", "out", "imm8, accz", m.port("out")),
  row("EE", "out", "dx, al", m.port("out")),
  row("EF", "out", "dx, accz", m.port("out")),
];
