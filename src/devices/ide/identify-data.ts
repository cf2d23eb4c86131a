/**
 * The 256 words that IDENTIFY DEVICE and IDENTIFY PACKET DEVICE return (ATA/ATAPI-6, sections 8.15 and 8.16): a writer
 * for words, texts and the checksum, and the words that disks and CD-ROM drives have in common.
 */

export const IDENTIFY_BYTES = 512;
const INTEGRITY_WORD = 255;
const INTEGRITY_SIGNATURE = 0xa5;

/** Who the drive says it is; longer texts are cut. */
export interface DriveIdentity {
  /** 20 ASCII characters. */
  readonly serial: string;
  /** 8 ASCII characters. */
  readonly firmware: string;
  /** 40 ASCII characters. */
  readonly model: string;
}

/** Which way of transferring data SET FEATURES has selected. */
export const TRANSFER_MODES = ["pio", "mwdma", "udma"] as const;
export interface TransferMode {
  readonly kind: (typeof TRANSFER_MODES)[number];
  readonly number: number;
}

/** Multiword DMA 0–2, Ultra DMA 0–5. */
export const MWDMA_MODES = 3;
export const UDMA_MODES = 6;
export const PIO_MODES = 5;
/** Cycle time of PIO mode 4 and of multiword DMA mode 2. */
const FASTEST_CYCLE_NS = 120;

export class IdentifyData {
  readonly bytes = new Uint8Array(IDENTIFY_BYTES);
  readonly #view = new DataView(this.bytes.buffer);

  word(index: number, value: number): void {
    this.#view.setUint16(2 * index, value, true);
  }

  /** Two words, the low one first. */
  doubleWord(index: number, value: number): void {
    this.#view.setUint32(2 * index, value, true);
  }

  /** The first character of each pair is in the high byte; the rest is filled with spaces. */
  text(index: number, words: number, text: string): void {
    for (let at = 0; at < 2 * words; at++) {
      const code = at < text.length ? text.charCodeAt(at) & 0x7f : 0x20;
      this.bytes[2 * index + (at ^ 1)] = code;
    }
  }

  identity({ serial, firmware, model }: DriveIdentity): void {
    this.text(10, 10, serial);
    this.text(23, 4, firmware);
    this.text(27, 20, model);
  }

  /** Words 51–53, 62–68, 88 and 93: timing, the modes there are and the one that is selected. */
  transferModes(mode: TransferMode, isSecond: boolean): void {
    const modes = (count: number, kind: TransferMode["kind"]): number =>
      ((1 << count) - 1) | (mode.kind === kind ? 1 << (mode.number + 8) : 0);
    this.word(51, 2 << 8);
    this.word(52, 2 << 8);
    // Words 54–58, 64–70 and 88 are valid.
    this.word(53, 7);
    this.word(63, modes(MWDMA_MODES, "mwdma"));
    // PIO modes 3 and 4.
    this.word(64, 3);
    for (let index = 65; index <= 68; index++) this.word(index, FASTEST_CYCLE_NS);
    this.word(88, modes(UDMA_MODES, "udma"));
    // Reset and diagnostics passed; the number was set by a jumper; a cable of 80 wires.
    this.word(93, isSecond ? 0x6b00 : 0x600b);
  }

  /** Word 255, once everything else is there: the sum of all bytes is 0. */
  seal(): Uint8Array {
    this.bytes[2 * INTEGRITY_WORD] = INTEGRITY_SIGNATURE;
    this.bytes[2 * INTEGRITY_WORD + 1] = 0;
    this.bytes[2 * INTEGRITY_WORD + 1] = -this.bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
    return this.bytes;
  }
}

/** SET FEATURES subcommand 03h: undefined for a mode that the drive has not. */
export function transferModeOf(code: number): TransferMode | undefined {
  const number = code & 7;
  switch (code >> 3) {
    case 0:
      // The default PIO mode, with and without IORDY.
      return number <= 1 ? { kind: "pio", number: 0 } : undefined;
    case 1:
      return number < PIO_MODES ? { kind: "pio", number } : undefined;
    case 4:
      return number < MWDMA_MODES ? { kind: "mwdma", number } : undefined;
    case 8:
      return number < UDMA_MODES ? { kind: "udma", number } : undefined;
    default:
      return undefined;
  }
}
