/**
 * Translation of one basic block: guest bytes are decoded and each instruction's meaning appended to an IrBlock, from
 * `enter` to exactly one branch op. A block ends behind a branch, a helper that ends it, the last instruction of a
 * page, INSTRUCTIONS_MAX instructions, or the first one if single-stepping.
 */
import type { Feature } from "../../cpu/index.ts";
import { MODE_CODE_SIZE, MODE_REAL, MODE_STEP, PAGE_SIZE } from "../layout.ts";
import { INSTRUCTIONS_MAX, removeDeadFlags, type IrBlock } from "../ir/block.ts";
import { opNumber } from "../ir/ops.ts";
import { DECODED, DECODE_NEEDS_MORE, DECODE_TOO_LONG, Decoder } from "./decode.ts";
import { instructionRows } from "./spec.ts";
import { Translator, VECTOR_UD } from "./translator.ts";

const ENTER = opNumber("enter");

const isWatched = (watched: Uint8Array, gpa: number): boolean =>
  (((watched[(gpa & (PAGE_SIZE - 1)) >> 3] ?? 0) >> (gpa & 7)) & 1) !== 0;

/** Translates blocks for one CPU model. */
export class BlockTranslator {
  readonly decoder: Decoder;
  /** A bit for each offset in a page: instructions there check for breakpoints. Undefined if there are none. */
  watched: Uint8Array | undefined;
  readonly #translator: Translator;

  /** Rows whose features are not in the set are #UD. */
  constructor(features: ReadonlySet<Feature>, block: IrBlock) {
    this.decoder = new Decoder(instructionRows, features);
    this.#translator = new Translator(this.decoder, block);
  }

  /**
   * Translates from bytes[offset] into `block`, on which reset() has been called with RIP, guest-physical address and
   * mode. [offset, limit) reaches at most to the end of the page unless bytes of the following page, whose
   * guest-physical address is `gpa2`, stand behind it; then the first instruction may straddle, and is translated
   * alone if it does. Returns false if the first instruction needs bytes at or behind `limit`.
   */
  translate(
    block: IrBlock,
    bytes: Uint8Array,
    offset: number,
    limit: number,
    gpa2: number,
    maxInstructions = INSTRUCTIONS_MAX,
  ): boolean {
    const t = this.#translator;
    const { decoder } = this;
    const codeSize = block.mode & MODE_CODE_SIZE;
    const pageLeft = PAGE_SIZE - (block.gpa & (PAGE_SIZE - 1));
    const instructionLimit = (block.mode & MODE_STEP) !== 0 ? 1 : Math.min(maxInstructions, INSTRUCTIONS_MAX);
    const isReal = (block.mode & MODE_REAL) !== 0;
    t.begin(block);
    block.push(0, ENTER, 0, 0, 0);
    let pc = 0;
    let count = 0;
    while (!t.ended) {
      if (count === instructionLimit || pc >= pageLeft || block.isFull) {
        t.next(pc);
        break;
      }
      const result = decoder.decode(bytes, offset + pc, limit, codeSize);
      const end = pc + decoder.length;
      if (result === DECODE_NEEDS_MORE || end > pageLeft) {
        if (count > 0) {
          // The straddling instruction gets a block of its own.
          t.next(pc);
          break;
        }
        if (result === DECODE_NEEDS_MORE) return false;
        block.gpa2 = gpa2;
      }
      t.pc = pc;
      t.nextPc = end;
      block.beginInstruction(pc);
      count++;
      if (this.watched !== undefined && isWatched(this.watched, block.gpa + pc)) t.checkBreakpoint();
      const exists = result === DECODED && !(isReal && decoder.row.traits.has("prot"));
      if (exists) decoder.row.lower(t);
      else if (result === DECODE_TOO_LONG) t.raiseGp0();
      else t.raise(VECTOR_UD);
      pc = end;
    }
    block.imm[0] = count;
    block.guestSizeBytes = pc;
    removeDeadFlags(block);
    return true;
  }
}
