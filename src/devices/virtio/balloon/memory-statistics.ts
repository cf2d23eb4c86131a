/** What a guest tells of its memory (Virtual I/O Device 1.2, section 5.5.6.3): a tag and a value for each figure. */

/** In the order of their tags. Those in bytes are as the guest measures them; the others count. */
const FIGURES = [
  "swappedInBytes",
  "swappedOutBytes",
  "majorFaults",
  "minorFaults",
  "freeBytes",
  "totalBytes",
  "availableBytes",
  "cacheBytes",
  "hugePageAllocations",
  "hugePageFailures",
] as const;

/** Figures that the guest told; it leaves out what it does not measure. Each is the guest's word. */
export type MemoryStatistics = Readonly<Partial<Record<(typeof FIGURES)[number], number>>>;

const ENTRY_BYTES = 10;
/** More than any version of the specification has. */
const ENTRIES_MAX = 64;
export const STATISTICS_BYTES_MAX = ENTRIES_MAX * ENTRY_BYTES;

/** Tags that nobody knows yet are skipped; values above 2^53 are rounded. */
export function parseStatistics(bytes: Uint8Array): MemoryStatistics {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const told: Partial<Record<(typeof FIGURES)[number], number>> = {};
  for (let at = 0; at + ENTRY_BYTES <= bytes.length; at += ENTRY_BYTES) {
    const figure = FIGURES[view.getUint16(at, true)];
    if (figure !== undefined) told[figure] = Number(view.getBigUint64(at + 2, true));
  }
  return told;
}
