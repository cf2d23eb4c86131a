/**
 * The frame check sequence (IEEE 802.3, 3.2.9): CRC-32 of a frame, which cards that do not strip it give to their drivers,
 * and of which old ones take the hash of group addresses. Eight bytes at a time, by tables of what each of them does to
 * the remainder.
 */

const POLYNOMIAL = 0xedb88320;
const LANES = 8;
export const FCS_BYTES = 4;

/** For each of eight places, what each byte there adds to the remainder. */
const TABLES: readonly Uint32Array[] = makeTables();

function makeTables(): Uint32Array[] {
  const first = Uint32Array.from({ length: 256 }, (_, byte) => {
    let remainder = byte;
    for (let bit = 0; bit < 8; bit++) {
      remainder = (remainder & 1) === 0 ? remainder >>> 1 : (remainder >>> 1) ^ POLYNOMIAL;
    }
    return remainder;
  });
  const tables = [first];
  for (let lane = 1; lane < LANES; lane++) {
    const before = tables[lane - 1] ?? first;
    tables.push(before.map((remainder) => (remainder >>> 8) ^ (first[remainder & 0xff] ?? 0)));
  }
  return tables;
}

const [T0, T1, T2, T3, T4, T5, T6, T7] = TABLES;

/** The CRC of the first `lengthBytes` of `bytes`; on the wire its low byte comes first. */
export function frameCheckSequence(bytes: Uint8Array, lengthBytes = bytes.length): number {
  if (!T0 || !T1 || !T2 || !T3 || !T4 || !T5 || !T6 || !T7) return 0;
  let crc = 0xffffffff;
  let at = 0;
  // hot: every frame that an e1000, ne2000 or rtl8139 receives; a byte at a time takes three times as long.
  for (; at + LANES <= lengthBytes; at += LANES) {
    const b0 = (bytes[at] ?? 0) ^ (crc & 0xff);
    const b1 = (bytes[at + 1] ?? 0) ^ ((crc >>> 8) & 0xff);
    const b2 = (bytes[at + 2] ?? 0) ^ ((crc >>> 16) & 0xff);
    const b3 = (bytes[at + 3] ?? 0) ^ (crc >>> 24);
    crc =
      (T7[b0] ?? 0) ^
      (T6[b1] ?? 0) ^
      (T5[b2] ?? 0) ^
      (T4[b3] ?? 0) ^
      (T3[bytes[at + 4] ?? 0] ?? 0) ^
      (T2[bytes[at + 5] ?? 0] ?? 0) ^
      (T1[bytes[at + 6] ?? 0] ?? 0) ^
      (T0[bytes[at + 7] ?? 0] ?? 0);
  }
  for (; at < lengthBytes; at++) crc = (crc >>> 8) ^ (T0[(crc ^ (bytes[at] ?? 0)) & 0xff] ?? 0);
  return ~crc >>> 0;
}

/** Puts the sequence of the first `lengthBytes` behind them. */
export function appendFrameCheckSequence(bytes: Uint8Array, lengthBytes: number): void {
  const fcs = frameCheckSequence(bytes, lengthBytes);
  for (let index = 0; index < FCS_BYTES; index++) bytes[lengthBytes + index] = fcs >>> (8 * index);
}

/**
 * The upper six bits of a group address's CRC as the DP8390, the RTL8139 and others number the bits of their multicast
 * filters: with the polynomial's highest power first.
 */
export function multicastHash(address: Uint8Array): number {
  const crc = ~frameCheckSequence(address, 6);
  let hash = 0;
  for (let bit = 0; bit < 6; bit++) hash = (hash << 1) | ((crc >>> bit) & 1);
  return hash;
}
