// CRC32 (SDM vol. 2): the Castagnoli polynomial 11EDC6F41h, bit-reflected. AES and SHA are not claimed by CPUID.
import { S, get32, get64, set64 } from "./state";

/** The reflected polynomial without its highest term. */
const POLYNOMIAL: u32 = 0x82f63b78;

/** Remainders of the 256 byte values, computed when first used. */
const table: usize = memory.data(1024, 4);
let tableReady: bool = false;

function makeTable(): void {
  for (let i: u32 = 0; i < 256; i++) {
    let rest = i;
    for (let bit = 0; bit < 8; bit++) rest = (rest >> 1) ^ ((rest & 1) != 0 ? POLYNOMIAL : 0);
    store<u32>(table + (i << 2), rest);
  }
  tableReady = true;
}

/** d: slot of the destination, which zero-extends; s: slot of the source; imm: width of the source, 8 to 64. */
export function h_crc32(d: u32, s: u32, imm: i32): u32 {
  if (!tableReady) makeTable();
  let crc = get32(d);
  let data = imm == 8 ? u64(load<u8>(S + s)) : get64(s);
  for (let bits = 0; bits < imm; bits += 8) {
    crc = (crc >> 8) ^ load<u32>(table + (((crc ^ u32(data)) & 0xff) << 2));
    data >>= 8;
  }
  set64(d, u64(crc));
  return 0;
}
