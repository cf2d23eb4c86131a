// The translation mode: what translated code was specialised for. layout.ts lists its bits.
import * as L from "../layout";
import { S, get32, get64, set32 } from "./state";
import * as C from "./control-bits";
import { flushJumpCache, updateJumpKey } from "./jump-cache";
import { isRamUnslotted } from "./memory-slots";
import { isA20Open } from "./paging";
import { closeWindow, dropUserTlbs } from "./tlb";

@inline
export function isRealMode(): bool {
  return (get64(L.CR0) & C.CR0_PE) == 0;
}

/** Real or virtual-8086 mode. */
@inline
export function isRealStyle(): bool {
  return (get32(L.MODE) & L.MODE_REAL) != 0;
}

/** EFER.LMA: IA-32e mode, that is 64-bit or compatibility mode. */
@inline
export function isLongMode(): bool {
  return (get64(L.EFER) & C.EFER_LMA) != 0;
}

@inline
export function is64Bit(): bool {
  return (get32(L.MODE) & L.MODE_CODE_SIZE) == 2;
}

@inline
export function attributesOf(segment: u32): u32 {
  return load<u16>(S + segment * L.SEG_STRIDE, L.SEG + L.SEG_ATTRIBUTES);
}

@inline
export function selectorOf(segment: u32): u32 {
  return load<u16>(S + segment * L.SEG_STRIDE, L.SEG + L.SEG_SELECTOR);
}

@inline
export function limitOf(segment: u32): u32 {
  return load<u32>(S + segment * L.SEG_STRIDE, L.SEG + L.SEG_LIMIT);
}

/** Base of ES–GS. */
@inline
export function baseOf(segment: u32): u64 {
  return load<u64>(S + (segment << 3), L.SEG_BASE);
}

/** A data segment through which 4 GiB from its base can be read and written. */
function coversAll(segment: u32): bool {
  if (limitOf(segment) != 0xffffffff) return false;
  if (isRealMode()) return true;
  const wanted = C.ATTRIBUTE_P | C.ATTRIBUTE_S | C.ATTRIBUTE_WRITABLE;
  const looked = wanted | C.ATTRIBUTE_CODE | C.ATTRIBUTE_DOWN;
  return (attributesOf(segment) & looked) == wanted;
}

function codeCoversAll(): bool {
  if (limitOf(L.SEG_CS) != 0xffffffff) return false;
  // Until the first far jump after entering protected mode CS holds what real mode left: data.
  const attributes = attributesOf(L.SEG_CS);
  return !(attributes & C.ATTRIBUTE_CODE) || (attributes & C.ATTRIBUTE_WRITABLE) != 0;
}

function checkAlignment(checked: bool): void {
  set32(L.ALIGNMENT_CHECKED, <u32>checked);
  if (checked) dropUserTlbs();
}

/** MODE_DIRECT, while no alignment is checked. */
function isDirect(cr0: u64): bool {
  return !(cr0 & C.CR0_PG) && isA20Open() && isRamUnslotted() && !(get32(L.DEBUG_ARMED) & L.ARMED_DATA);
}

/** Recomputes MODE; to be called after any change of what it depends on. */
export function updateMode(): void {
  const cr0 = get64(L.CR0);
  const flags = get32(L.RFLAGS_REST);
  let mode: u32 = 0;
  const real = !(cr0 & C.CR0_PE) || (flags & C.FLAG_VM) != 0;
  const code = attributesOf(L.SEG_CS);
  if (isLongMode() && (code & C.ATTRIBUTE_L) != 0) {
    mode = 2 | L.MODE_STACK32 | L.MODE_FLAT | L.MODE_FS_FLAT | L.MODE_GS_FLAT;
  } else {
    if (code & C.ATTRIBUTE_DB) mode |= 1;
    if (attributesOf(L.SEG_SS) & C.ATTRIBUTE_DB) mode |= L.MODE_STACK32;
    if (coversAll(L.SEG_FS)) mode |= L.MODE_FS_FLAT;
    if (coversAll(L.SEG_GS)) mode |= L.MODE_GS_FLAT;
    const bases = baseOf(L.SEG_ES) | baseOf(L.SEG_CS) | baseOf(L.SEG_SS) | baseOf(L.SEG_DS);
    if (
      bases == 0 &&
      coversAll(L.SEG_ES) &&
      codeCoversAll() &&
      coversAll(L.SEG_SS) &&
      coversAll(L.SEG_DS)
    ) {
      mode |= L.MODE_FLAT;
    }
  }
  if (real) mode |= L.MODE_REAL;
  if (get32(L.CPL) == 3) mode |= L.MODE_USER;
  if (flags & C.FLAG_TF) mode |= L.MODE_STEP;
  if (cr0 & C.CR0_TS) mode |= L.MODE_FPU_TS;
  if (cr0 & C.CR0_EM) mode |= L.MODE_FPU_EM;
  if (!(get64(L.CR4) & C.CR4_OSFXSR)) mode |= L.MODE_NO_SSE;
  if (!(flags & C.FLAG_AC)) closeWindow();
  if (flags & C.FLAG_AC) checkAlignment((mode & L.MODE_USER) != 0 && (cr0 & C.CR0_AM) != 0);
  else set32(L.ALIGNMENT_CHECKED, 0);
  if (isDirect(cr0) && get32(L.ALIGNMENT_CHECKED) == 0) mode |= L.MODE_DIRECT;
  if ((get32(L.MODE) ^ mode) & ~L.MODE_IN_JUMP_KEY) flushJumpCache();
  set32(L.MODE, mode);
  updateJumpKey(mode, baseOf(L.SEG_CS));
}
