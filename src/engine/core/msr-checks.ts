// What values an MSR may have, by the names that x86/msr-table.ts uses. SDM 3A 11.11.2.1 (memory types), 11.12.2 (PAT).
import { isCanonical } from "./paging";

export function canonical(value: u64): bool {
  return isCanonical(value);
}

/** UC WC WT WP WB. */
@inline
function isMemoryType(type: u64): bool {
  return type == 0 || type == 1 || (type >= 4 && type <= 6);
}

/** The low byte is a memory type. */
export function memoryType(value: u64): bool {
  return isMemoryType(value & 0xff);
}

/** Eight bytes, each a memory type. */
export function memoryTypes(value: u64): bool {
  for (let i: u64 = 0; i < 64; i += 8) {
    if (!isMemoryType((value >> i) & 0xff)) return false;
  }
  return true;
}

/** The same for the PAT, which knows UC- (7) too. */
export function patTypes(value: u64): bool {
  for (let i: u64 = 0; i < 64; i += 8) {
    const type = (value >> i) & 0xff;
    if (type != 7 && !isMemoryType(type)) return false;
  }
  return true;
}
