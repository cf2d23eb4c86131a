/**
 * INT 15h, system services: memory size and map, the A20 gate, moving blocks of extended memory, waiting, and the way to
 * the pointing device. IBM PS/2 and PC BIOS Interface Technical Reference; ACPI 6.5 section 15 (E820h); Phoenix BIOS for E801h.
 *
 * The pointing device's functions are a part of their own. Deliberately missing: APM (the guest is told that there is
 * none), entering protected mode (AH = 89h), the cassette.
 */

import { KiB, MiB } from "../../base/index.ts";
import type { Clock, PortBus } from "../../hw/index.ts";
import { E820_ENTRY_BYTES, encodeE820 } from "../boot/index.ts";
import type { MemoryRange } from "../boot/index.ts";
import type { BiosData } from "./bios-data.ts";
import type { PointingDevice } from "./pointing-device.ts";
import type { RealTimeClock } from "./real-time-clock.ts";
import { ROM_OFFSETS, ROM_SEGMENT } from "./rom.ts";
import type { ServiceCall } from "./service-call.ts";

const UNSUPPORTED = 0x86;
const SMAP = 0x534d4150;
const U16_MAX = 0xffff;
const NS_PER_US = 1000;

const PORT_92 = 0x92;
const A20 = 0x02;
const FAST_RESET = 0x01;
/** A20 can be switched by the keyboard controller and by port 92h. */
const A20_WAYS = 0x03;

/** A block move's descriptor table: the source's descriptor, then the target's. */
const MOVE_TABLE_BYTES = 0x30;
const MOVE_SOURCE = 0x10;
const MOVE_TARGET = 0x18;
const MOVE_WORDS_MAX = 0x8000;
const MOVE_EXCEPTION = 0x02;

export interface SystemServicesParts {
  readonly ports: PortBus;
  readonly clock: Clock;
  readonly data: BiosData;
  readonly pointingDevice: PointingDevice;
  readonly realTimeClock: RealTimeClock;
  readonly ramBytes: number;
  readonly memoryMap: readonly MemoryRange[];
}

export class SystemServices {
  readonly #parts: SystemServicesParts;
  /** Guest time at which the wait of AH = 86h is over. */
  #waitEndNs: number | undefined;

  constructor(parts: SystemServicesParts) {
    this.#parts = parts;
  }

  reset(): void {
    this.#waitEndNs = undefined;
  }

  /** False when the call waits. */
  call(call: ServiceCall): boolean {
    call.carry = false;
    switch (call.ah) {
      case 0x24:
        this.#a20(call);
        return true;
      // Media that are ejected, devices that are opened, closed, waited for: hooks for systems, which others answer with nothing.
      case 0x52:
      case 0x80:
      case 0x81:
      case 0x82:
      case 0x85:
      case 0x90:
      case 0x91:
        call.ah = 0;
        return true;
      // A code of the keyboard that no program has taken goes on to the BIOS.
      case 0x4f:
        call.carry = true;
        return true;
      case 0x83:
        if (this.#parts.realTimeClock.wait(call)) call.ah = 0;
        else refuse(call);
        return true;
      case 0x86:
        return this.#wait(call);
      case 0x87:
        this.#moveBlock(call);
        return true;
      case 0x88:
        call.ax = Math.min(this.#extendedKib(), U16_MAX);
        return true;
      case 0xc0:
        call.es = ROM_SEGMENT;
        call.bx = ROM_OFFSETS.configuration;
        call.ah = 0;
        return true;
      case 0xc1:
        call.es = this.#parts.data.get("ebdaSegment");
        return true;
      case 0xc2:
        this.#parts.pointingDevice.call(call);
        return true;
      case 0xe8:
        this.#memory(call);
        return true;
      default:
        refuse(call);
        return true;
    }
  }

  #extendedKib(): number {
    return (this.#parts.ramBytes - MiB) / KiB;
  }

  #a20(call: ServiceCall): void {
    const { ports } = this.#parts;
    const state = ports.readPort(PORT_92, 1);
    switch (call.al) {
      case 0x00:
      case 0x01: {
        const opened = call.al === 1 ? state | A20 : state & ~A20;
        ports.writePort(PORT_92, 1, opened & ~FAST_RESET);
        call.ah = 0;
        return;
      }
      case 0x02:
        call.al = (state & A20) === 0 ? 0 : 1;
        call.ah = 0;
        return;
      case 0x03:
        call.bx = A20_WAYS;
        call.ah = 0;
        return;
      default:
        refuse(call);
    }
  }

  /** CX:DX microseconds, with interrupts enabled. */
  #wait(call: ServiceCall): boolean {
    const { clock } = this.#parts;
    this.#waitEndNs ??= clock.nowNs() + (call.cx * 0x1_0000 + call.dx) * NS_PER_US;
    if (clock.nowNs() < this.#waitEndNs) return false;
    this.#waitEndNs = undefined;
    return true;
  }

  #moveBlock(call: ServiceCall): void {
    const { memory } = call;
    const table = memory.bytes(call.inEs(call.si), MOVE_TABLE_BYTES);
    const lengthBytes = 2 * Math.min(call.cx, MOVE_WORDS_MAX);
    const bytes = table === undefined ? undefined : memory.bytes(baseOf(table, MOVE_SOURCE), lengthBytes);
    const isDone =
      table !== undefined && bytes !== undefined && memory.write(baseOf(table, MOVE_TARGET), bytes);
    call.ah = isDone ? 0 : MOVE_EXCEPTION;
    call.carry = !isDone;
    call.zero = isDone;
  }

  #memory(call: ServiceCall): void {
    switch (call.al) {
      case 0x01: {
        const extendedKib = this.#extendedKib();
        const below16MiB = Math.min(extendedKib, (16 * MiB - MiB) / KiB);
        call.ax = below16MiB;
        call.bx = Math.max(0, Math.floor((extendedKib - below16MiB) / 64));
        call.cx = call.ax;
        call.dx = call.bx;
        return;
      }
      case 0x20:
        this.#memoryMap(call);
        return;
      case 0x81:
        call.eax = this.#extendedKib();
        call.ebx = 0;
        call.ecx = call.eax;
        call.edx = 0;
        return;
      default:
        refuse(call);
    }
  }

  /** One range a call; EBX is the number of the next one, 0 at the beginning and after the last. */
  #memoryMap(call: ServiceCall): void {
    const { memoryMap } = this.#parts;
    const index = call.ebx;
    const range = memoryMap[index];
    const isAsked = call.edx === SMAP && call.ecx >= E820_ENTRY_BYTES && range !== undefined;
    if (!isAsked || !call.memory.write(call.inEs(call.di), encodeE820([range]))) {
      refuse(call);
      return;
    }
    call.eax = SMAP;
    call.ecx = E820_ENTRY_BYTES;
    call.ebx = index + 1 < memoryMap.length ? index + 1 : 0;
  }
}

function refuse(call: ServiceCall): void {
  call.ah = UNSUPPORTED;
  call.carry = true;
}

function baseOf(table: Uint8Array, at: number): number {
  const [low = 0, middle = 0, high = 0] = table.subarray(at + 2, at + 5);
  return (((table[at + 7] ?? 0) << 24) | (high << 16) | (middle << 8) | low) >>> 0;
}
