/**
 * A BIOS32 service directory header ("Standard BIOS 32-bit Service Directory Proposal" 0.4) that leads nowhere: its
 * entry lies above 1 MiB, which the proposal forbids and which drivers of the Linux 2.0 line, GNU Mach's among them,
 * take as the sign to access configuration space themselves. Without any header they believe that there is no PCI.
 */

import { assert } from "../../base/index.ts";

const HEADER_BYTES = 16;
/** The first address that is too high. */
const ENTRY_OUT_OF_REACH = 0x100000;

/** Sixteen bytes for any 16-byte boundary between E0000 and FFFF0. */
export function bios32Header(): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  bytes.set(new TextEncoder().encode("_32_"));
  new DataView(bytes.buffer).setUint32(4, ENTRY_OUT_OF_REACH, true);
  bytes[9] = 1;
  bytes[10] = -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
  assert(bytes.reduce((sum, byte) => sum + byte, 0) % 256 === 0, "the header sums to zero");
  return bytes;
}
