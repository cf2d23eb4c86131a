/** What SCSI commands are made of (SPC-2; SFF-8020i section 10): sense, big-endian fields, answers cut to their length. */

/** Why a command ended with CHECK CONDITION (SPC-2, section 7.20). */
export interface Sense {
  readonly key: number;
  /** Additional sense code and its qualifier. */
  readonly asc: number;
  readonly ascq: number;
  /** The block it is about. */
  readonly information?: number;
}

export const SENSE_KEY = {
  none: 0,
  notReady: 2,
  mediumError: 3,
  illegalRequest: 5,
  unitAttention: 6,
} as const;

const sense = (key: number, asc: number, ascq = 0): Sense => ({ key, asc, ascq });
export const SENSE = {
  none: sense(SENSE_KEY.none, 0),
  noMediumTrayClosed: sense(SENSE_KEY.notReady, 0x3a, 1),
  noMediumTrayOpen: sense(SENSE_KEY.notReady, 0x3a, 2),
  readError: sense(SENSE_KEY.mediumError, 0x11),
  invalidCommand: sense(SENSE_KEY.illegalRequest, 0x20),
  outOfRange: sense(SENSE_KEY.illegalRequest, 0x21),
  invalidField: sense(SENSE_KEY.illegalRequest, 0x24),
  invalidParameter: sense(SENSE_KEY.illegalRequest, 0x26),
  parameterLength: sense(SENSE_KEY.illegalRequest, 0x1a),
  savingNotSupported: sense(SENSE_KEY.illegalRequest, 0x39),
  removalPrevented: sense(SENSE_KEY.illegalRequest, 0x53, 2),
  wrongTrackMode: sense(SENSE_KEY.illegalRequest, 0x64),
  mediumChanged: sense(SENSE_KEY.unitAttention, 0x28),
  wasReset: sense(SENSE_KEY.unitAttention, 0x29),
} as const satisfies Readonly<Record<string, Sense>>;

const SENSE_BYTES = 18;

/** Sense data in fixed format, for errors of the current command. */
export function fixedSense({ key, asc, ascq, information }: Sense): Uint8Array {
  const bytes = new Uint8Array(SENSE_BYTES);
  bytes[0] = information === undefined ? 0x70 : 0xf0;
  bytes[2] = key;
  putBe(bytes, 3, 4, information ?? 0);
  bytes[7] = SENSE_BYTES - 8;
  bytes[12] = asc;
  bytes[13] = ascq;
  return bytes;
}

export function be(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = 0; i < count; i++) value = value * 256 + (bytes[at + i] ?? 0);
  return value;
}

export function putBe(bytes: Uint8Array, at: number, count: number, value: number): void {
  for (let i = 0; i < count; i++) bytes[at + i] = Math.floor(value / 256 ** (count - 1 - i)) & 0xff;
}

/** `count` bytes of `value`, the highest first. */
export function beBytes(count: number, value: number): number[] {
  const bytes = new Uint8Array(count);
  putBe(bytes, 0, count, value);
  return [...bytes];
}

/** `text` in `length` characters, filled with spaces. */
export function asciiField(text: string, length: number): number[] {
  return Array.from({ length }, (_, at) => (at < text.length ? text.charCodeAt(at) & 0x7f : 0x20));
}
