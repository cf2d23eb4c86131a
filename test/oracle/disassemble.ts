/** Assembler text of machine code, in Intel syntax, by iced-x86: independent of our own decoder. */

import { Decoder, DecoderOptions, Formatter, FormatterSyntax, Instruction } from "iced-x86";
import type { CpuMode } from "./layout.ts";

const BITS = { long64: 64, compat32: 32, protected16: 16 } as const satisfies Record<CpuMode, number>;

/** One line per instruction, to the end of the bytes. */
export function disassemble(code: Uint8Array, mode: CpuMode, rip: bigint): string[] {
  const lines: string[] = [];
  const decoder = new Decoder(BITS[mode], code, DecoderOptions.None);
  const formatter = new Formatter(FormatterSyntax.Intel);
  const instruction = new Instruction();
  try {
    formatter.spaceAfterOperandSeparator = true;
    decoder.ip = rip;
    while (decoder.canDecode) {
      decoder.decodeOut(instruction);
      lines.push(formatter.format(instruction));
    }
  } finally {
    // These live in iced's own Wasm memory, which no garbage collector looks after.
    instruction.free();
    formatter.free();
    decoder.free();
  }
  return lines;
}
