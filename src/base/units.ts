/** Units of size and time. Sizes are bytes, times are nanoseconds unless a name says otherwise. */

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;

/** x86 page of the smallest size. */
export const PAGE_SIZE_BYTES = 4 * KiB;

export const NS_PER_US = 1_000;
export const NS_PER_MS = 1_000_000;
export const NS_PER_S = 1_000_000_000;
