// The processor's state after RESET and INIT. SDM 3A 9.1.1, table 9-1. CPUID's table, the interrupt line and the statistics
// stay.
import * as L from "../layout";
import { S, get64, set32, set64 } from "./state";
import { flushTlb } from "./tlb";
import { updateMode } from "./mode";
import { setFlags } from "./flags";
import { setSegment, setSystemSegment } from "./descriptors";
import { cpuidSignature } from "./cpuid";
import { DR6_FIXED, DR7_FIXED } from "./debug";
import { resetMsrs } from "./msr";
import { resetFpu } from "./fpu-reset";
import * as C from "./control-bits";

const DATA: u32 = C.ATTRIBUTE_P | C.ATTRIBUTE_S | 3;
const CODE: u32 = C.ATTRIBUTE_P | C.ATTRIBUTE_S | 11;
const LDT: u32 = C.ATTRIBUTE_P | 2;
const TSS_BUSY: u32 = C.ATTRIBUTE_P | 11;

export function resetCpu(): void {
  initCpu();
  resetFpu();
  set64(L.CR0, C.CR0_CD | C.CR0_NW | C.CR0_ET);
  set64(L.XCR0, 1);
  resetMsrs();
  updateMode();
}

/** INIT: as RESET, but CR0.CD and NW, the x87's and the SSE registers, XCR0, MSRs other than EFER and the TSC stay. */
export function initCpu(): void {
  memory.fill(S + L.GPR, 0, L.SLOT_ZERO);
  set64(L.GPR_RDX, cpuidSignature());
  setFlags(0);
  set32(L.RFLAGS_REST, C.FLAG_ONE);
  set64(L.RIP, 0xfff0);
  set64(L.NEXT_RIP, 0xfff0);
  set32(L.CPL, 0);

  setSegment(L.SEG_CS, 0xf000, CODE, 0xffff0000, 0xffff);
  setSegment(L.SEG_ES, 0, DATA, 0, 0xffff);
  setSegment(L.SEG_SS, 0, DATA, 0, 0xffff);
  setSegment(L.SEG_DS, 0, DATA, 0, 0xffff);
  setSegment(L.SEG_FS, 0, DATA, 0, 0xffff);
  setSegment(L.SEG_GS, 0, DATA, 0, 0xffff);
  setSystemSegment(L.SEG_LDTR, 0, LDT, 0, 0xffff);
  setSystemSegment(L.SEG_TR, 0, TSS_BUSY, 0, 0xffff);
  set64(L.GDTR_BASE, 0);
  set64(L.IDTR_BASE, 0);
  set32(L.GDTR_LIMIT, 0xffff);
  set32(L.IDTR_LIMIT, 0xffff);

  set64(L.CR0, (get64(L.CR0) & (C.CR0_CD | C.CR0_NW)) | C.CR0_ET);
  set64(L.CR2, 0);
  set64(L.CR3, 0);
  set64(L.CR4, 0);
  set64(L.EFER, 0);
  set32(L.CR8, 0);
  memory.fill(S + L.DR, 0, 64);
  set64(L.DR + 6 * 8, DR6_FIXED);
  set64(L.DR + 7 * 8, DR7_FIXED);

  set32(L.DEBUG_ARMED, 0);
  set32(L.WATCHED_OFFSET_COUNT, 0);
  memory.fill(S + L.WATCHED_OFFSETS, 0, L.WATCHED_OFFSETS_SIZE);
  set32(L.DEBUG_TRAPS, 0);
  set32(L.TRAPS_NOTED, 1);
  set32(L.BREAKPOINTS_OFF, 0);
  set32(L.RF_LOADED, 0);
  set64(L.SHADOWED_RIP, -1);

  set32(L.NMI_PENDING, 0);
  set32(L.NMI_BLOCKED, 0);
  set32(L.INTERRUPT_SHADOW, 0);
  set32(L.HALTED, 0);
  set32(L.FAULT_VECTOR, L.FAULT_NONE);
  updateMode();
  flushTlb();
}
