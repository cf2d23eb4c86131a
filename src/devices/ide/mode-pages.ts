/**
 * The mode pages of a CD-ROM drive (SFF-8020i section 10.8.6; MMC-3 section 5.3): read-write error recovery, CD-ROM
 * parameters, audio control, capabilities and mechanical status. What MODE SELECT may change is kept and told again; it
 * has no effect, since the drive needs no retries and plays no audio.
 */

import { be, putBe } from "./scsi.ts";

interface ModePage {
  readonly code: number;
  readonly defaults: readonly number[];
  /** Bits that MODE SELECT may change, in the page's bytes behind its length. */
  readonly changeable: readonly number[];
}

/** Speeds are in kilobytes (1000 bytes) a second: 24 times that of an audio disc. */
export const SPEED_MAX_KB = 4234;

const PAGES: readonly ModePage[] = [
  // Error recovery: read retries.
  { code: 0x01, defaults: [0, 5, 0, 0, 0, 0], changeable: [0xff, 0xff, 0, 0, 0, 0] },
  // Inactivity timer; seconds of a minute and frames of a second.
  { code: 0x0d, defaults: [0, 0x0d, 0, 60, 0, 75], changeable: [0, 0x0f, 0, 0, 0, 0] },
  // Both ports at full volume.
  {
    code: 0x0e,
    defaults: [4, 0, 0, 0, 0, 0, 1, 0xff, 2, 0xff, 0, 0, 0, 0],
    changeable: [2, 0, 0, 0, 0, 0, 0x0f, 0xff, 0x0f, 0xff, 0, 0, 0, 0],
  },
];
const CAPABILITIES_CODE = 0x2a;
const ALL_PAGES = 0x3f;

/** MODE SENSE's page control. */
const CONTROL = { current: 0, changeable: 1, defaults: 2, saved: 3 } as const;

/** What the capabilities page tells of the drive as it is now. */
export interface MechanicalStatus {
  readonly isLocked: boolean;
  readonly speedKb: number;
}

export type PageAnswer = Uint8Array | "not saved" | "unknown";

export class ModePages {
  readonly #values: Uint8Array[] = PAGES.map(({ defaults }) => Uint8Array.from(defaults));

  reset(): void {
    PAGES.forEach(({ defaults }, index) => this.#values[index]?.set(defaults));
  }

  /** The pages behind the mode parameter header. `control` and `code` are the two parts of MODE SENSE's byte 2. */
  read(control: number, code: number, status: MechanicalStatus): PageAnswer {
    if (control === CONTROL.saved) return "not saved";
    const bytes: number[] = [];
    PAGES.forEach((page, index) => {
      if (code !== ALL_PAGES && code !== page.code) return;
      const current = [...(this.#values[index] ?? [])];
      const shown =
        control === CONTROL.changeable
          ? page.changeable
          : control === CONTROL.defaults
            ? page.defaults
            : current;
      bytes.push(page.code, shown.length, ...shown);
    });
    if (code === ALL_PAGES || code === CAPABILITIES_CODE) {
      const page = capabilities(status);
      const shown = control === CONTROL.changeable ? page.map(() => 0) : page;
      bytes.push(CAPABILITIES_CODE, shown.length, ...shown);
    }
    return bytes.length === 0 ? "unknown" : Uint8Array.from(bytes);
  }

  /** Pages as MODE SELECT sends them; false, and nothing has changed, when one is not as it may be. */
  write(list: Uint8Array): boolean {
    const changes: { readonly index: number; readonly data: Uint8Array }[] = [];
    for (let at = 0; at < list.length;) {
      const code = (list[at] ?? 0) & 0x3f;
      const length = list[at + 1] ?? 0;
      const index = PAGES.findIndex((page) => page.code === code && page.defaults.length === length);
      const data = list.subarray(at + 2, at + 2 + length);
      if (index < 0 || data.length < length) return false;
      changes.push({ index, data });
      at += 2 + length;
    }
    for (const { index, data } of changes) {
      const values = this.#values[index];
      const changeable = PAGES[index]?.changeable;
      values?.forEach((value, byte) => {
        const mask = changeable?.[byte] ?? 0;
        values[byte] = (value & ~mask) | ((data[byte] ?? 0) & mask);
      });
    }
    return true;
  }

  /** All pages one behind the other. */
  save(): Uint8Array {
    return Uint8Array.from(this.#values.flatMap((values) => [...values]));
  }

  restore(bytes: Uint8Array): void {
    let at = 0;
    for (const values of this.#values) {
      values.set(bytes.subarray(at, at + values.length));
      at += values.length;
    }
  }
}

/** What {@link ModePages.save} gives at most. */
export const MODE_PAGES_BYTES = PAGES.reduce((sum, { defaults }) => sum + defaults.length, 0);

function capabilities({ isLocked, speedKb }: MechanicalStatus): number[] {
  const page = new Uint8Array(18);
  // Bytes 0 to 3 stay 0: it reads and writes nothing that can be written, plays no audio, reads no Mode 2 sectors.
  const LOCK = 0x01;
  const LOCKED = 0x02;
  const EJECT = 0x08;
  const TRAY = 0x20;
  page[4] = LOCK | EJECT | TRAY | (isLocked ? LOCKED : 0);
  putBe(page, 6, 2, SPEED_MAX_KB);
  // Volume levels; buffer in KB; speed.
  putBe(page, 8, 2, 256);
  putBe(page, 10, 2, 256);
  putBe(page, 12, 2, speedKb);
  return [...page];
}

/** The mode parameter header of MODE SELECT: how long it is with its block descriptors; undefined when it does not fit. */
export function modeHeaderBytes(list: Uint8Array, isTenByte: boolean): number | undefined {
  const headerBytes = isTenByte ? 8 : 4;
  const descriptorBytes = isTenByte ? be(list, 6, 2) : be(list, 3, 1);
  return headerBytes + descriptorBytes <= list.length ? headerBytes + descriptorBytes : undefined;
}
