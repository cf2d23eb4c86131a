/**
 * Writes random programs: instructions with branches over some of them, counted loops, calls, flags that are added to
 * memory, and code that changes itself. It keeps account of the flags that the architecture leaves open, so that
 * nothing ever depends on them.
 */
import { STATUS_FLAGS } from "../../src/engine/ir/flags.ts";
import { type CpuMode, DATA, type Random } from "../oracle/index.ts";
import { type FlagEffect, flagsOfCondition } from "./flag-effects.ts";
import {
  DATA_POINTER,
  effectOfShape,
  type ProgramShapes,
  PURPOSEFUL,
  RBP,
  RBX,
  RDI,
} from "./program-shapes.ts";
import { encodeShape, type Shape } from "./shape.ts";

const COUNTERS = [RBP, RDI] as const;
const NO_EFFECT: FlagEffect = { reads: 0, defines: 0, undefines: 0 };

const littleEndian = (value: number | bigint, bytes: number): number[] =>
  Array.from({ length: bytes }, (_, i) => Number((BigInt(value) >> BigInt(8 * i)) & 0xffn));

export class ProgramWriter {
  readonly #mode: CpuMode;
  readonly #random: Random;
  readonly #shapes: ProgramShapes;
  readonly #bytes: number[] = [];
  /** Calls whose target is not known yet: places of their displacements. */
  readonly #calls: number[] = [];
  /** Flags that may be anything here, and that may be so somewhere. */
  #open = 0;
  #everOpen = 0;
  /** Instructions that may still be written. */
  #left = 0;
  #usesMemory = true;
  readonly #originOf: () => number;

  /** `originOf` gives the linear address of the first byte, which is known when code that changes itself is written. */
  constructor(mode: CpuMode, random: Random, shapes: ProgramShapes, originOf: () => number) {
    this.#mode = mode;
    this.#random = random;
    this.#shapes = shapes;
    this.#originOf = originOf;
  }

  /** The bytes so far. */
  get length(): number {
    return this.#bytes.length;
  }

  /** Flags that may be anything behind what is written, and that may be so somewhere in it. */
  get openFlags(): number {
    return this.#open;
  }
  get everOpenFlags(): number {
    return this.#everOpen;
  }

  /** A whole program: a loop around `instructions` instructions, with inner loops, branches, calls and patches. */
  writeProgram(instructions: number, iterations: number): void {
    this.#left = instructions;
    this.#loop(0, iterations);
  }

  /** Instructions one after the other that name none of the registers in `reserved`, and no memory. */
  writePlain(instructions: number, reserved: ReadonlySet<number>): void {
    this.#left = instructions;
    while (this.#left > 0)
      this.#instruction(() => this.#shapes.shape(this.#random, this.#mode, reserved, false));
  }

  /** CMP of two registers, which defines all flags, if any of `flags` is open. */
  closeFlags(flags: number): void {
    if ((this.#open & flags) === 0) return;
    this.#emit(0x39, 0xc0 + this.#random.below(64));
    this.#open = 0;
  }

  /** Any code, and what it does to the flags. */
  writeCode(code: Uint8Array, effect: FlagEffect): void {
    this.#emit(...code);
    this.#follow(effect);
  }

  /** MOV RBX, address of data. */
  pointToData(): void {
    const isNarrow = this.#mode === "protected16";
    const value = isNarrow ? DATA_POINTER - DATA.gva : DATA_POINTER;
    this.#emit(0xb8 + RBX, ...littleEndian(value, isNarrow ? 2 : 4));
  }

  /** Instructions with branches, inner loops and what else there is; with memory operands if RBX points to data. */
  writeBody(instructions: number, usesMemory: boolean): void {
    this.#usesMemory = usesMemory;
    this.#left = instructions;
    while (this.#left > 0) this.#construct(0);
  }

  /** The bytes, with the subroutine behind them that they call. Behind the program the INT3 fill begins. */
  finish(): Uint8Array {
    if (this.#calls.length > 0) {
      this.#emit(...this.#jumpBytes(0xe9));
      const leave = this.#bytes.length;
      const before = this.#open;
      this.#subroutine();
      this.#open = before;
      for (const call of this.#calls) this.#patchRelative(call, leave);
      this.#patchRelative(leave, this.#bytes.length);
    }
    return Uint8Array.from(this.#bytes);
  }

  #emit(...bytes: number[]): void {
    this.#bytes.push(...bytes);
  }

  get #relativeBytes(): 2 | 4 {
    return this.#mode === "protected16" ? 2 : 4;
  }

  /** An opcode with a displacement to be patched. */
  #jumpBytes(...opcode: number[]): number[] {
    return [...opcode, ...Array.from({ length: this.#relativeBytes }, () => 0)];
  }

  /** Sets the displacement that ends at `end` so that it leads to `target`. */
  #patchRelative(end: number, target: number): void {
    const size = this.#relativeBytes;
    const value = BigInt(target - end);
    for (let i = 0; i < size; i++) this.#bytes[end - size + i] = Number((value >> BigInt(8 * i)) & 0xffn);
  }

  /** MOV counter, n; body; DEC counter; JNZ body. */
  #loop(depth: number, iterations: number): void {
    const counter = COUNTERS[depth] ?? RBP;
    const immediateSize = this.#mode === "protected16" ? 2 : 4;
    this.#emit(0xb8 + counter, ...littleEndian(iterations, immediateSize));
    const start = this.#bytes.length;
    // DEC leaves CF as the body ends with.
    this.#open |= 1;
    this.#body(depth);
    this.#emit(0xff, 0xc8 + counter, ...this.#jumpBytes(0x0f, 0x85));
    this.#open &= 1;
    this.#patchRelative(this.#bytes.length, start);
  }

  #body(depth: number): void {
    const random = this.#random;
    const length = 2 + random.below(8);
    for (let i = 0; i < length && this.#left > 0; i++) this.#construct(depth);
  }

  /** An instruction, or several that belong together. */
  #construct(depth: number): void {
    const random = this.#random;
    const kind = random.below(24);
    if (kind < 3) this.#branch(depth);
    else if (kind === 3 && depth === 0) this.#loop(1, 1 + random.below(12));
    else if (kind === 4) this.#pushAndPop();
    else if (kind === 5) this.#call();
    else if (kind === 6) this.#patch(depth);
    else if (kind < 10) this.#accumulateFlags();
    else this.#instruction();
  }

  #instruction(
    choose = (): Shape => this.#shapes.shape(this.#random, this.#mode, PURPOSEFUL, this.#usesMemory),
  ): void {
    for (;;) {
      const shape = choose();
      const effect = effectOfShape(shape) ?? NO_EFFECT;
      if ((effect.reads & this.#open) !== 0) continue;
      this.#emit(...encodeShape(shape));
      this.#follow(effect);
      this.#left--;
      return;
    }
  }

  #follow({ defines, undefines }: FlagEffect): void {
    this.#open = (this.#open & ~defines) | undefines;
    this.#everOpen |= this.#open;
  }

  /** Jcc over some instructions. */
  #branch(depth: number): void {
    const usable = Array.from({ length: 16 }, (_, code) => code).filter(
      (code) => (flagsOfCondition(code) & this.#open) === 0,
    );
    if (usable.length === 0) return;
    this.#emit(...this.#jumpBytes(0x0f, 0x80 + this.#random.pick(usable)));
    const end = this.#bytes.length;
    const before = this.#open;
    const length = 1 + this.#random.below(3);
    for (let i = 0; i < length; i++) {
      if (this.#random.below(6) === 0) this.#branch(depth);
      else this.#instruction();
    }
    this.#open |= before;
    this.#patchRelative(end, this.#bytes.length);
  }

  #freeRegister(): number {
    return this.#random.pick([0, 1, 2, 6]);
  }

  #pushAndPop(): void {
    this.#emit(0x50 + this.#freeRegister());
    const length = this.#random.below(3);
    for (let i = 0; i < length; i++) this.#instruction();
    this.#emit(0x58 + this.#freeRegister());
  }

  /** PUSHF; POP r; AND r, defined flags; ADD [RBX + 70h], r: makes all of a flag's history count in the end. */
  #accumulateFlags(): void {
    const register = this.#freeRegister();
    const defined = STATUS_FLAGS & ~this.#open;
    const rexW = this.#mode === "long64" ? [0x48] : [];
    const high = this.#mode === "protected16" ? [] : [0, 0];
    this.#emit(0x9c, 0x58 + register, ...rexW, 0x81, 0xe0 + register, defined & 0xff, defined >> 8, ...high);
    // Over the image on the stack, whose open flags would count as well.
    this.#emit(0x50 + register, 0x58 + register);
    this.#emit(...rexW, 0x01, (register << 3) | (this.#mode === "protected16" ? 0x47 : 0x43), 0x70);
    this.#open = 0;
  }

  #call(): void {
    this.#emit(...this.#jumpBytes(0xe8));
    this.#calls.push(this.#bytes.length);
    this.#open = STATUS_FLAGS;
    this.#everOpen = STATUS_FLAGS;
  }

  #subroutine(): void {
    this.#open = STATUS_FLAGS;
    this.#left = 6;
    const length = 1 + this.#random.below(5);
    for (let i = 0; i < length; i++) {
      if (this.#random.below(5) === 0) this.#branch(1);
      else this.#instruction();
    }
    this.#emit(0xc3);
  }

  /**
   * MOV r, n and MOV [place of n], AL, one way round or the other: code that changes itself, at every turn of the loop or
   * when its counter has come near its end.
   */
  #patch(depth: number): void {
    // Only flat data segments reach the code.
    if (this.#mode === "protected16") return;
    const first = this.#random.below(2) === 0;
    const move = [0xb8 + this.#random.pick([1, 2, 6]), 1, 0, 0, 0];
    const store = 1 + (this.#mode === "long64" ? 8 : 4);
    const counter = COUNTERS[depth] ?? RBP;
    const isLate = this.#random.below(3) > 0;
    // CMP counter, n; JNE.
    const condition = isLate ? [0x83, 0xf8 + counter, this.#random.below(20), 0x75, store] : [];
    if (isLate) this.#open = 0;
    const start = this.#bytes.length;
    const target = first ? start + 1 : start + condition.length + store + 1;
    const address = BigInt(this.#originOf() + target);
    const patch = [...condition, 0xa2, ...littleEndian(address, store - 1)];
    this.#emit(...(first ? [...move, ...patch] : [...patch, ...move]));
  }
}
