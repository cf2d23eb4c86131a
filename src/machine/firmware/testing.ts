/** Calls services of the built-in BIOS as a real-mode program does, on a PC without a processor. */

import type { BlockDevice } from "../../block/index.ts";
import { KiB, ManualClock, MiB, TimerQueue, unwrap } from "../../base/index.ts";
import { RamDma } from "../../hw/index.ts";
import type { CpuState, SegmentState } from "../../hw/index.ts";
import { createGuestRam } from "../../memory/index.ts";
import { SLOT_MEMORY_BYTES } from "../pc/index.ts";
import { createBoard, UNCONNECTED_PINS, UNHEARD_EVENTS } from "../pc/testing.ts";
import type { Connector } from "../pc/index.ts";
import { I440fx, PciBus } from "../pci/index.ts";
import { Bios } from "./bios.ts";
import { BOOT_ORDER } from "./boot-order.ts";
import type { BootSource } from "./boot-order.ts";
import type { BiosMedium } from "./bios-drive.ts";
import { ejectQuestionOffset, ROM_SEGMENT, trapEndOffset } from "./rom.ts";

export const RAM_BYTES = 4 * MiB;
/** Stack and data of the program that calls. */
const STACK_POINTER = 0x7000;
const FLAGS_BEFORE = 0x0202;
export const FLAG = { carry: 1 << 0, zero: 1 << 6 } as const;

/** 2026-11-22 12:34:56 UTC. */
const NOON_AND_SOME_NS = 1_795_350_896_000_000_000n;

export interface Registers {
  readonly ax?: number;
  readonly bx?: number;
  readonly cx?: number;
  readonly dx?: number;
  readonly si?: number;
  readonly di?: number;
  readonly bp?: number;
  readonly es?: number;
  readonly ds?: number;
}

export interface Answer {
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
  readonly si: number;
  readonly di: number;
  readonly bp: number;
  readonly es: number;
  readonly sp: number;
  readonly carry: boolean;
  readonly zero: boolean;
  /** Where the processor goes on. */
  readonly cs: number;
  readonly ip: number;
}

/** A CD with a boot record and a catalogue (El Torito 1.0), whose one image is `code` and emulates nothing, or a diskette of 1.44 M. */
export function bootableDisc(
  code: readonly number[] = [],
  emulation: "none" | "diskette" = "none",
): Uint8Array<ArrayBuffer> {
  const SECTOR = 2048;
  const [record, catalogue, image] = [17, 18, 20] as const;
  const DISKETTE_1440 = 2;
  const imageBytes = emulation === "diskette" ? 1440 * KiB : SECTOR;
  const bytes = new Uint8Array(image * SECTOR + imageBytes);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode("\0CD001\x01EL TORITO SPECIFICATION"), record * SECTOR);
  view.setUint32(record * SECTOR + 0x47, catalogue, true);
  const entry = catalogue * SECTOR;
  view.setUint8(entry, 1);
  // The words of the validation entry add up to 0.
  view.setUint16(entry + 0x1c, 0x1_0000 - 0xaa55 - 1, true);
  view.setUint16(entry + 0x1e, 0xaa55, true);
  view.setUint8(entry + 0x20, 0x88);
  view.setUint8(entry + 0x21, emulation === "diskette" ? DISKETTE_1440 : 0);
  view.setUint16(entry + 0x26, SECTOR / 512, true);
  view.setUint32(entry + 0x28, image, true);
  bytes.set(code, image * SECTOR);
  return bytes;
}

function segment(selector: number): SegmentState {
  return { selector, base: BigInt(selector) << 4n, limit: 0xffff, attributes: 0x0093 };
}

/** Its stub asks INT 15h, AH = 4Fh between its two calls. */
const KEYBOARD_VECTOR = 0x09;
const INTERCEPT = 0x4f;

/** Drives with media that stay, or that the test changes. */
interface BenchDrives {
  readonly diskettes?: readonly (BlockDevice | BiosMedium)[];
  readonly disks?: readonly BlockDevice[];
  readonly cds?: readonly (BlockDevice | BiosMedium)[];
  readonly bootOrder?: readonly BootSource[];
}

const mediumOf = (medium: BlockDevice | BiosMedium): BiosMedium =>
  "device" in medium ? medium : { device: medium };

export class FirmwareBench {
  readonly ram = unwrap(
    createGuestRam({ sizeBytes: RAM_BYTES, reservedPrefixBytes: 0, slotMemoryBytes: SLOT_MEMORY_BYTES }),
  );
  readonly clock = new ManualClock();
  readonly timers = new TimerQueue();
  readonly written: (readonly [gpa: number, lengthBytes: number])[] = [];
  readonly dma = new RamDma(this.ram, (gpa, lengthBytes) => this.written.push([gpa, lengthBytes]));
  readonly board = createBoard({
    ram: this.ram,
    dma: this.dma,
    clock: this.clock,
    timers: this.timers,
    pins: UNCONNECTED_PINS,
    events: {
      ...UNHEARD_EVENTS,
      serialOutput: (byte, connector) => this.sent.push([connector, byte]) > 0,
    },
    wallClockNs: () => NOON_AND_SOME_NS + BigInt(Math.floor(this.clock.nowNs())),
    hasDebugExit: false,
    serialPortCount: 2,
    hasParallelPort: true,
    drives: [],
    virtio: { devices: [], offersPacked: false },
    entropy: (byteCount) => new Uint8Array(byteCount),
  });
  /** At which connector, and what. */
  readonly sent: (readonly [Connector, number])[] = [];
  resets = 0;
  /** What a program that has taken over INT 15h says to AH = 52h; undefined when it is the BIOS's own. */
  ejectAnswer: { readonly ah: number; readonly carry: boolean } | undefined;
  readonly bios: Bios;

  private constructor({ diskettes = [], disks = [], cds = [], bootOrder = BOOT_ORDER }: BenchDrives) {
    this.board.reset();
    const pci = new PciBus([0, 1, 2, 3].map(() => ({ set: () => undefined })));
    pci.attach(0, 0, new I440fx({ onAttributes: () => undefined }));
    pci.functionAt(0, 0)?.reset();
    this.bios = new Bios({
      ram: this.ram,
      dma: this.dma,
      ports: this.board.ports,
      mmio: this.board.mmio,
      clock: this.clock,
      pci,
      linkIrqs: [5, 10, 11],
      mouse: this.board.mouse,
      memoryMap: this.board.memoryMap,
      serialPorts: [0x3f8, 0x2f8],
      parallelPorts: [0x378],
      drives: { diskettes: diskettes.map(mediumOf), disks, cds: cds.map(mediumOf), bootOrder },
      onReset: () => this.resets++,
    });
    this.bios.reset();
  }

  /** Before a processor has run. */
  static justReset(): FirmwareBench {
    return new FirmwareBench({});
  }

  /** After the self-test. */
  static async start(drives: BenchDrives = {}): Promise<FirmwareBench> {
    const bench = new FirmwareBench(drives);
    await bench.bios.serve({ ...bench.#state({}, 0), rip: 0xe05dn });
    return bench;
  }

  /** Calls an interrupt; what comes back is what the program finds when the stub has returned. */
  async interrupt(
    vector: number,
    registers: Registers = {},
    changes: Partial<CpuState> = {},
  ): Promise<Answer> {
    const answer = await this.#serve(vector, registers, 0, changes);
    if (answer.ip === ejectQuestionOffset) {
      const { ah, carry } = this.ejectAnswer ?? {
        ...(await this.#serve(0x15, { ax: answer.eax }, 0, changes)),
        ah: 0,
      };
      const rflags = 2n | (carry ? 1n : 0n);
      return await this.#serve(vector, { ...registers, ax: ah << 8 }, 1, { ...changes, rflags });
    }
    const code = answer.eax & 0xffff;
    if (vector !== KEYBOARD_VECTOR || code >>> 8 !== INTERCEPT) return answer;
    const left = await this.#serve(0x15, { ax: code }, 0, changes);
    return left.carry ? await this.#serve(vector, { ax: left.eax }, 1, changes) : answer;
  }

  async #serve(
    vector: number,
    registers: Registers,
    step: number,
    changes: Partial<CpuState>,
  ): Promise<Answer> {
    const state = {
      ...this.#state(registers, vector),
      ...changes,
      rip: BigInt(trapEndOffset(vector, step)),
    };
    this.ram.writeU16(STACK_POINTER + 4, FLAGS_BEFORE);
    const after = await this.bios.serve(state);
    if (after === undefined) throw new Error(`interrupt ${vector} has no stub`);
    const flags = this.ram.readU16(STACK_POINTER + 4);
    const gpr = after.gpr.map(Number);
    const [eax = 0, ecx = 0, edx = 0, ebx = 0, esp = 0, ebp = 0, esi = 0, edi = 0] = gpr;
    return {
      ...{ eax, ebx, ecx, edx },
      si: esi & 0xffff,
      di: edi & 0xffff,
      bp: ebp & 0xffff,
      es: after.es.selector,
      sp: esp,
      carry: (flags & FLAG.carry) !== 0,
      zero: (flags & FLAG.zero) !== 0,
      cs: after.cs.selector,
      ip: Number(after.rip),
    };
  }

  /** A processor in real mode, with interrupts off. */
  get processor(): CpuState {
    return this.#state({}, 0);
  }

  /** The text screen, without its blank lines. */
  text(): string[] {
    const screen = this.board.textScreen();
    if (screen === undefined) return [];
    return Array.from({ length: screen.rows }, (_, row) =>
      String.fromCharCode(
        ...Array.from(
          { length: screen.columns },
          (_cell, column) => screen.cells[2 * (row * screen.columns + column)] ?? 0,
        ),
      ).trimEnd(),
    ).filter((line) => line !== "");
  }

  #state(registers: Registers, vector: number): CpuState {
    const { ax = 0, bx = 0, cx = 0, dx = 0, si = 0, di = 0, bp = 0, es = 0, ds = 0 } = registers;
    const gpr = [ax, cx, dx, bx, STACK_POINTER, bp, si, di, 0, 0, 0, 0, 0, 0, 0, 0].map(BigInt);
    return {
      gpr,
      rip: BigInt(trapEndOffset(vector)),
      rflags: 2n,
      cs: segment(ROM_SEGMENT),
      ss: segment(0),
      ds: segment(ds),
      es: segment(es),
      fs: segment(0),
      gs: segment(0),
      ldtr: segment(0),
      tr: segment(0),
      gdtr: { base: 0n, limit: 0 },
      idtr: { base: 0n, limit: 0x3ff },
      cr0: 0n,
      cr2: 0n,
      cr3: 0n,
      cr4: 0n,
      cr8: 0n,
      efer: 0n,
    };
  }
}
