/**
 * Who lies where in guest RAM while a kernel is being loaded: fixed places are reserved first (a kernel's segments),
 * the rest (boot structures, modules, the initial RAM disk) is allocated around them. Every conflict becomes a
 * sentence that says what did not fit and how much memory would do.
 */

import { alignDown, alignUp, hex, MiB, PAGE_SIZE_BYTES } from "../../base/index.ts";
import type { GuestRam } from "../../memory/index.ts";
import { BootFailure } from "./boot-error.ts";
import { HIGH_MEMORY_GPA } from "./memory-map.ts";
import type { MemoryRange } from "./memory-map.ts";

interface Span {
  readonly start: number;
  /** First byte after the span. */
  readonly end: number;
}

interface Reserved extends Span {
  readonly what: string;
}

/** Where something may lie: from `fromGpa` to before `limitGpa`, at a multiple of `alignment`. */
export interface PlaceRange {
  readonly fromGpa: number;
  readonly limitGpa: number;
  readonly alignment: number;
}

/** The interrupt vector table and the BIOS data area below stay free of boot structures. */
const FIRST_LOW_GPA = 0x1000;

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / MiB)} MiB`;
}

export class BootLayout {
  readonly ram: GuestRam;
  readonly #kernelName: string;
  readonly #laterBytes: number;
  readonly #usable: readonly Span[];
  readonly #reserved: Reserved[] = [];

  /** `laterBytes` will be allocated after the kernel (RAM disk, modules): a first refusal already counts them. */
  constructor(ram: GuestRam, memoryMap: readonly MemoryRange[], kernelName: string, laterBytes: number) {
    this.ram = ram;
    this.#laterBytes = alignUp(laterBytes, PAGE_SIZE_BYTES);
    this.#kernelName = kernelName;
    this.#usable = memoryMap
      .filter((range) => range.type === "ram")
      .map((range) => ({ start: range.gpa, end: Math.min(range.gpa + range.sizeBytes, ram.sizeBytes) }));
  }

  /** Takes exactly [gpa, gpa + sizeBytes), which must be RAM and free, and returns it for writing. */
  reserve(what: string, gpa: number, sizeBytes: number): Uint8Array {
    const end = gpa + sizeBytes;
    if (end > this.ram.sizeBytes) throw this.#tooLittle(end + this.#laterBytes);
    if (!this.#usable.some((span) => gpa >= span.start && end <= span.end)) {
      throw new BootFailure(
        "unsupported-image",
        `${this.#kernelName} wants its ${what} at ${hex(gpa)}–${hex(end)}, where this machine has no RAM.`,
      );
    }
    const other = this.#reserved.find((span) => gpa < span.end && end > span.start);
    if (other !== undefined) {
      throw new BootFailure(
        "unsupported-image",
        `${this.#kernelName} wants its ${what} at ${hex(gpa)}–${hex(end)}, which overlaps its ${other.what}.`,
      );
    }
    this.#reserved.push({ what, start: gpa, end });
    return this.ram.slice(gpa, sizeBytes);
  }

  /** The lowest free place below 640 KiB: boot structures, which kernels read before they own their memory. */
  allocateLow(what: string, sizeBytes: number, alignment = 16): number {
    return this.#allocateUp(what, sizeBytes, alignment, FIRST_LOW_GPA, HIGH_MEMORY_GPA);
  }

  /** The lowest free pages at or above `fromGpa`, which is at least 1 MiB. */
  allocateAbove(what: string, sizeBytes: number, fromGpa: number): number {
    const from = Math.max(fromGpa, HIGH_MEMORY_GPA);
    return this.#allocateUp(what, sizeBytes, PAGE_SIZE_BYTES, from, this.ram.sizeBytes);
  }

  /** The highest free pages that end at or below `limitGpa` and lie above 1 MiB. */
  allocateTop(what: string, sizeBytes: number, limitGpa: number): number {
    const range = { fromGpa: HIGH_MEMORY_GPA, limitGpa, alignment: PAGE_SIZE_BYTES };
    return this.allocateHighest(what, sizeBytes, range);
  }

  /** The lowest free place within a range above 1 MiB. */
  allocateLowest(what: string, sizeBytes: number, range: PlaceRange): number {
    const from = Math.max(range.fromGpa, HIGH_MEMORY_GPA);
    return this.#allocateUp(what, sizeBytes, range.alignment, from, range.limitGpa);
  }

  /** The highest free place within a range above 1 MiB. */
  allocateHighest(what: string, sizeBytes: number, range: PlaceRange): number {
    const from = Math.max(range.fromGpa, HIGH_MEMORY_GPA);
    for (const span of this.#usable.toReversed()) {
      let gpa = alignDown(Math.min(span.end, range.limitGpa) - sizeBytes, range.alignment);
      while (gpa >= Math.max(span.start, from)) {
        const other = this.#overlapping(gpa, gpa + sizeBytes);
        if (other === undefined) {
          this.#reserved.push({ what, start: gpa, end: gpa + sizeBytes });
          return gpa;
        }
        gpa = alignDown(other.start - sizeBytes, range.alignment);
      }
    }
    throw this.#noPlace(what, sizeBytes);
  }

  /** Whether {@link reserve} would take the place. */
  isFree(gpa: number, sizeBytes: number): boolean {
    const end = gpa + sizeBytes;
    return (
      this.#usable.some((span) => gpa >= span.start && end <= span.end) &&
      this.#overlapping(gpa, end) === undefined
    );
  }

  /** The end of the highest reservation so far. */
  get highestEndGpa(): number {
    return this.#reserved.reduce((highest, span) => Math.max(highest, span.end), HIGH_MEMORY_GPA);
  }

  #allocateUp(what: string, sizeBytes: number, alignment: number, fromGpa: number, limitGpa: number): number {
    for (const span of this.#usable) {
      let gpa = alignUp(Math.max(span.start, fromGpa), alignment);
      const end = Math.min(span.end, limitGpa);
      while (gpa + sizeBytes <= end) {
        const other = this.#overlapping(gpa, gpa + sizeBytes);
        if (other === undefined) {
          this.#reserved.push({ what, start: gpa, end: gpa + sizeBytes });
          return gpa;
        }
        gpa = alignUp(other.end, alignment);
      }
    }
    throw this.#noPlace(what, sizeBytes);
  }

  #overlapping(start: number, end: number): Reserved | undefined {
    return this.#reserved.find((span) => start < span.end && end > span.start);
  }

  #noPlace(what: string, sizeBytes: number): BootFailure {
    const needed = this.highestEndGpa + alignUp(sizeBytes, PAGE_SIZE_BYTES);
    if (needed > this.ram.sizeBytes) return this.#tooLittle(needed);
    return new BootFailure(
      "too-little-memory",
      `The ${what} of ${megabytes(sizeBytes)} fits nowhere in the guest's memory beside ${this.#kernelName}.`,
    );
  }

  #tooLittle(neededBytes: number): BootFailure {
    return new BootFailure(
      "too-little-memory",
      `${this.#kernelName} needs at least ${megabytes(neededBytes)} of memory; this VM has ${megabytes(this.ram.sizeBytes)}.`,
    );
  }
}
