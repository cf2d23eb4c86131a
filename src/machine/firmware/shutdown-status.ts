/**
 * Where the BIOS goes on after a reset of the processor alone: programs for the 80286, which can leave protected mode in no other
 * way, say so in CMOS memory at 0Fh, with an address at 0040:0067. IBM PC AT Technical Reference, BIOS listing (SHUT0–SHUTA);
 * 0Bh and 0Ch are those of BIOSes for the 80386.
 *
 * Deliberately missing: 01h–03h and 06h–08h, steps of an AT's own self-test; they begin anew, as all other values do.
 */

import { assert } from "../../base/index.ts";
import type { CpuState, PortBus, SegmentState } from "../../hw/index.ts";
import type { GuestRam } from "../../memory/index.ts";
import { BDA_GPA } from "./bios-data.ts";
import type { BiosData } from "./bios-data.ts";
import { flushKeyboard } from "./chipset.ts";
import { ROM_OFFSETS, ROM_SEGMENT } from "./rom.ts";

const CMOS = { index: 0x70, data: 0x71, shutdownStatus: 0x0f } as const;
const WAYS = {
  bootstrap: 0x04,
  /** The keyboard's and the interrupt controllers' state is left behind. */
  jumpWithEoi: 0x05,
  /** The address is a stack with ES, DS, what POPA takes, and what IRET takes. */
  blockMoveReturn: 0x09,
  jump: 0x0a,
  /** The address is a stack. */
  interruptReturn: 0x0b,
  farReturn: 0x0c,
} as const;
const RESUMING: readonly number[] = Object.values(WAYS);

const PIC = { first: 0x20, second: 0xa0, endOfInterrupt: 0x20 } as const;
/** The end of the table of vectors, as on an AT: whoever is jumped to brings a stack of its own. */
const STACK = { segment: 0x30, pointer: 0x100 } as const;
const ESP = 4;
/** General registers in the order in which POPA takes them from the stack, by their numbers; it leaves SP alone. */
const POPA_ORDER = [7, 6, 5, ESP, 3, 2, 1, 0] as const;
const FLAGS_WRITABLE = 0x7fd5;
const FLAGS_FIXED = 0x0002;

export class ShutdownStatus {
  readonly #ports: PortBus;
  readonly #ram: GuestRam;
  readonly #data: BiosData;

  constructor(ports: PortBus, ram: GuestRam, data: BiosData) {
    this.#ports = ports;
    this.#ram = ram;
    this.#data = data;
  }

  get resumes(): boolean {
    return RESUMING.includes(this.#read());
  }

  /** It is for one reset only. */
  clear(): void {
    this.#ports.writePort(CMOS.index, 1, CMOS.shutdownStatus);
    this.#ports.writePort(CMOS.data, 1, 0);
  }

  /** The state in which the processor goes on that has just been reset to `state`, in real mode with interrupts off. */
  resume(state: CpuState): CpuState {
    const way = this.#read();
    this.clear();
    const address = this.#data.get("resumption");
    const [segment, offset] = [address >>> 16, address & 0xffff];
    const start = new Resumption(this.#ram, {
      ...state,
      ds: inRealMode(state.ds, BDA_GPA >>> 4),
    });
    switch (way) {
      case WAYS.bootstrap:
        start.useStack(STACK.segment, STACK.pointer);
        start.jump(ROM_SEGMENT, ROM_OFFSETS.bootstrap);
        break;
      case WAYS.jumpWithEoi:
        flushKeyboard(this.#ports);
        for (const port of [PIC.second, PIC.first]) this.#ports.writePort(port, 1, PIC.endOfInterrupt);
        start.useStack(STACK.segment, STACK.pointer);
        start.jump(segment, offset);
        break;
      case WAYS.jump:
        start.useStack(STACK.segment, STACK.pointer);
        start.jump(segment, offset);
        break;
      case WAYS.blockMoveReturn:
        start.useStack(segment, offset);
        start.popSegment("es");
        start.popSegment("ds");
        start.popAll();
        start.interruptReturn();
        break;
      case WAYS.interruptReturn:
        start.useStack(segment, offset);
        start.interruptReturn();
        break;
      default:
        assert(way === WAYS.farReturn, "it has been asked whether this status resumes");
        start.useStack(segment, offset);
        start.farReturn();
    }
    return start.state;
  }

  #read(): number {
    this.#ports.writePort(CMOS.index, 1, CMOS.shutdownStatus);
    return this.#ports.readPort(CMOS.data, 1);
  }
}

/** A processor in real mode that is made to do some instructions. */
class Resumption {
  readonly #ram: GuestRam;
  state: CpuState;

  constructor(ram: GuestRam, state: CpuState) {
    this.#ram = ram;
    this.state = state;
  }

  useStack(segment: number, pointer: number): void {
    this.state = { ...this.state, ss: inRealMode(this.state.ss, segment) };
    this.#setRegister(ESP, pointer);
  }

  jump(segment: number, offset: number): void {
    this.state = { ...this.state, cs: inRealMode(this.state.cs, segment), rip: BigInt(offset) };
  }

  popSegment(name: "ds" | "es"): void {
    const selector = this.#pop();
    this.state = { ...this.state, [name]: inRealMode(this.state[name], selector) };
  }

  popAll(): void {
    for (const register of POPA_ORDER) {
      const value = this.#pop();
      if (register !== ESP) this.#setRegister(register, value);
    }
  }

  farReturn(): void {
    const offset = this.#pop();
    this.jump(this.#pop(), offset);
  }

  interruptReturn(): void {
    this.farReturn();
    const flags = this.#pop();
    this.state = { ...this.state, rflags: BigInt((flags & FLAGS_WRITABLE) | FLAGS_FIXED) };
  }

  #pop(): number {
    const pointer = Number(this.state.gpr[ESP]);
    const at = (offset: number): number =>
      this.#ram.readU8(Number(this.state.ss.base) + ((pointer + offset) & 0xffff));
    this.#setRegister(ESP, (pointer + 2) & 0xffff);
    return at(0) | (at(1) << 8);
  }

  #setRegister(register: number, value: number): void {
    this.state = { ...this.state, gpr: this.state.gpr.with(register, BigInt(value)) };
  }
}

function inRealMode(segment: SegmentState, selector: number): SegmentState {
  return { ...segment, selector, base: BigInt(selector) << 4n };
}
