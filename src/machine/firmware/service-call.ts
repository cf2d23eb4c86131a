/**
 * One call of a BIOS service: the processor's registers as 8086 programs name them, guest memory by segment and offset,
 * and the flags that the stub's IRET will load. Services change these; the processor is given the whole afterwards.
 */

import { assert } from "../../base/index.ts";
import type { CpuState, Dma } from "../../hw/index.ts";
import { CallerMemory } from "./caller-memory.ts";

const EAX = 0;
const ECX = 1;
const EDX = 2;
const EBX = 3;
const ESP = 4;
const EBP = 5;
const ESI = 6;
const EDI = 7;

const FLAG_CARRY = 1 << 0;
const FLAG_ZERO = 1 << 6;
const FLAG_INTERRUPT = 1 << 9;
/** FLAGS lies above IP and CS in the frame of an interrupt. */
const FRAME_FLAGS = 4;

export class ServiceCall {
  /** Memory by linear addresses, as {@link inEs} and {@link inDs} give them. */
  readonly memory: CallerMemory;
  readonly #state: CpuState;
  readonly #registers: Uint32Array<ArrayBuffer>;
  #offset: number | undefined;
  #destination: { readonly segment: number; readonly offset: number } | undefined;
  #stack: { readonly segment: number; readonly offset: number } | undefined;

  constructor(state: CpuState, dma: Dma) {
    this.#state = state;
    this.memory = new CallerMemory(state, dma);
    this.#registers = Uint32Array.from(state.gpr.slice(0, 8), (value) => Number(value & 0xffff_ffffn));
  }

  get eax(): number {
    return this.#u32(EAX);
  }
  set eax(value: number) {
    this.#registers[EAX] = value;
  }
  get ebx(): number {
    return this.#u32(EBX);
  }
  set ebx(value: number) {
    this.#registers[EBX] = value;
  }
  get ecx(): number {
    return this.#u32(ECX);
  }
  set ecx(value: number) {
    this.#registers[ECX] = value;
  }
  get edx(): number {
    return this.#u32(EDX);
  }
  set edx(value: number) {
    this.#registers[EDX] = value;
  }

  get ax(): number {
    return this.#u32(EAX) & 0xffff;
  }
  set ax(value: number) {
    this.#setLow(EAX, value);
  }
  get bx(): number {
    return this.#u32(EBX) & 0xffff;
  }
  set bx(value: number) {
    this.#setLow(EBX, value);
  }
  get cx(): number {
    return this.#u32(ECX) & 0xffff;
  }
  set cx(value: number) {
    this.#setLow(ECX, value);
  }
  get dx(): number {
    return this.#u32(EDX) & 0xffff;
  }
  set dx(value: number) {
    this.#setLow(EDX, value);
  }
  get bp(): number {
    return this.#u32(EBP) & 0xffff;
  }
  set bp(value: number) {
    this.#setLow(EBP, value);
  }
  get si(): number {
    return this.#u32(ESI) & 0xffff;
  }
  set si(value: number) {
    this.#setLow(ESI, value);
  }
  get di(): number {
    return this.#u32(EDI) & 0xffff;
  }
  set di(value: number) {
    this.#setLow(EDI, value);
  }

  get al(): number {
    return this.ax & 0xff;
  }
  set al(value: number) {
    this.ax = (this.ax & 0xff00) | (value & 0xff);
  }
  get ah(): number {
    return this.ax >>> 8;
  }
  set ah(value: number) {
    this.ax = (this.ax & 0xff) | ((value & 0xff) << 8);
  }
  get bl(): number {
    return this.bx & 0xff;
  }
  set bl(value: number) {
    this.bx = (this.bx & 0xff00) | (value & 0xff);
  }
  get bh(): number {
    return this.bx >>> 8;
  }
  set bh(value: number) {
    this.bx = (this.bx & 0xff) | ((value & 0xff) << 8);
  }
  get cl(): number {
    return this.cx & 0xff;
  }
  set cl(value: number) {
    this.cx = (this.cx & 0xff00) | (value & 0xff);
  }
  get ch(): number {
    return this.cx >>> 8;
  }
  set ch(value: number) {
    this.cx = (this.cx & 0xff) | ((value & 0xff) << 8);
  }
  get dl(): number {
    return this.dx & 0xff;
  }
  set dl(value: number) {
    this.dx = (this.dx & 0xff00) | (value & 0xff);
  }
  get dh(): number {
    return this.dx >>> 8;
  }
  set dh(value: number) {
    this.dx = (this.dx & 0xff) | ((value & 0xff) << 8);
  }

  /** Linear addresses; segments have whatever base they were given, which is 16 times their value in real mode. */
  inEs(offset: number): number {
    return this.#linear(this.#state.es.base, offset);
  }
  inDs(offset: number): number {
    return this.#linear(this.#state.ds.base, offset);
  }

  /** A byte of {@link memory}. */
  byteInEs(offset: number): number {
    return this.memory.readU8(this.inEs(offset));
  }
  setByteInEs(offset: number, value: number): void {
    this.memory.writeU8(this.inEs(offset), value);
  }

  #es: number | undefined;
  get es(): number {
    return this.#es ?? this.#state.es.selector;
  }
  /** What ES is to be loaded with, in real mode. */
  set es(segment: number) {
    this.#es = segment & 0xffff;
  }

  /** The carry flag of now: what an interrupt has answered that the stub has called. */
  get wasRefused(): boolean {
    return (this.#state.rflags & BigInt(FLAG_CARRY)) !== 0n;
  }

  // Flags, as the caller will find them.

  set carry(isSet: boolean) {
    this.#setFlag(FLAG_CARRY, isSet);
  }

  set zero(isSet: boolean) {
    this.#setFlag(FLAG_ZERO, isSet);
  }

  /** The stub goes on at this place of its segment. */
  goOnAt(offset: number): void {
    this.#offset = offset;
  }

  /** Leaves the call: the processor goes on there, in real mode and with interrupts enabled. */
  jump(segment: number, offset: number): void {
    this.#destination = { segment, offset };
  }

  /** The stack with which the processor goes on. */
  useStack(segment: number, offset: number): void {
    this.#stack = { segment, offset };
  }

  /** The processor's state after the call. */
  result(): CpuState {
    const state = this.#state;
    const gpr = state.gpr.map((value, index) =>
      index < this.#registers.length ? (value & ~0xffff_ffffn) | BigInt(this.#u32(index)) : value,
    );
    let result: CpuState = { ...state, gpr };
    if (this.#es !== undefined) result = { ...result, es: inRealMode(state.es, this.#es) };
    if (this.#stack !== undefined) {
      gpr[ESP] = BigInt(this.#stack.offset);
      result = { ...result, ss: inRealMode(state.ss, this.#stack.segment) };
    }
    if (this.#destination === undefined) {
      return this.#offset === undefined ? result : { ...result, rip: BigInt(this.#offset) };
    }
    const { segment, offset } = this.#destination;
    return {
      ...result,
      cs: inRealMode(state.cs, segment),
      rip: BigInt(offset),
      rflags: state.rflags | BigInt(FLAG_INTERRUPT),
    };
  }

  #u32(index: number): number {
    const value = this.#registers[index];
    assert(value !== undefined, "there are eight registers");
    return value;
  }

  #setLow(index: number, value: number): void {
    this.#registers[index] = (this.#u32(index) & 0xffff_0000) | (value & 0xffff);
  }

  #linear(base: bigint, offset: number): number {
    return (Number(base) + (offset & 0xffff)) >>> 0;
  }

  #setFlag(flag: number, isSet: boolean): void {
    const at = this.#linear(this.#state.ss.base, this.#u32(ESP) + FRAME_FLAGS);
    const flags = this.memory.readU8(at);
    const changed = isSet ? flags | flag : flags & ~flag;
    if (changed !== flags) this.memory.writeU8(at, changed);
  }
}

function inRealMode(segment: CpuState["cs"], selector: number): CpuState["cs"] {
  return { ...segment, selector, base: BigInt(selector) << 4n };
}
