/**
 * The minimal 64-bit kernel that the engine runs under an instruction case: page tables, GDT, LDT, IDT, TSS and handlers
 * that halt, around the same user-mode address space that the oracle gives its cases.
 */
import * as L from "../../src/engine/layout.ts";
import type { CpuState as MachineState, SegmentState } from "../../src/hw/index.ts";
import {
  CODE,
  type CpuState,
  DATA,
  LDT,
  type MemoryRegion,
  READ_ONLY,
  type SegmentDescriptor,
  SELECTOR,
  STACK,
} from "../oracle/index.ts";

export const RAM_SIZE_BYTES = 4 << 20;
/** Linear address of guest-physical 0, for the kernel alone. */
export const KERNEL = 0xffff_ffff_8000_0000n;

// Guest-physical addresses of the kernel's structures and of the case's regions.
const PML4 = 0x1000;
const PDPT_LOW = 0x2000;
const PD_LOW = 0x3000;
const PT_CODE = 0x4000;
const PT_DATA = 0x5000;
const PDPT_HIGH = 0x6000;
const PD_HIGH = 0x7000;
const GDT = 0x8000;
const LDT_TABLE = 0x8800;
const TSS = 0x9000;
const IDT = 0xa000;
export const HANDLERS = 0xc000;
export const SYSTEM_CALL_HANDLER = 0xe000;
const KERNEL_STACK_TOP = 0x11000;
export const REGION_GPA: Record<MemoryRegion["name"], number> = {
  code: 0x100000,
  data: 0x110000,
  readOnly: 0x120000,
  stack: 0x130000,
};

const KERNEL_CODE = 0x08;
const TSS_SELECTOR = 0x40;
const LDT_SELECTOR = 0x50;
const HLT = 0xf4;
/** What Linux clears at a system call: TF, IF, DF, IOPL, NT, AC and more. */
const SYSCALL_FLAG_MASK = 0x25_7fd5n;

const P = 1n;
const RW = 2n;
const US = 4n;
const PS = 0x80n;
const NX = 1n << 63n;

const CR0 = 0x8005_0033n;
/** PAE, PGE, OSFXSR, OSXMMEXCPT, FSGSBASE, OSXSAVE. */
const CR4 = 0x5_06a0n;
const EFER = 0xd01n;

/** Descriptor bits 40–55 of the user segments of 64-bit Linux. */
const USER_CODE64 = 0xa0fb;
const USER_CODE32 = 0xc0fb;
const USER_DATA = 0xc0f3;
const LIMIT_4G = 0xffffffff;

function attributesOf(d: SegmentDescriptor): number {
  const type = d.code
    ? 0x9 | (d.writableOrReadable ? 2 : 0)
    : 0x1 | (d.writableOrReadable ? 2 : 0) | (d.expandDown ? 4 : 0);
  // Linux sets AVL in the entries that modify_ldt makes.
  return type | 0x1070 | (d.present ? 0x80 : 0) | (d.big ? 0x4000 : 0);
}

function descriptorBits(base: number, limit: number, attributes: number): bigint {
  const b = BigInt(base);
  const l = BigInt((attributes & 0x8000) !== 0 ? limit >>> 12 : limit);
  return (
    (l & 0xffffn) |
    ((b & 0xffffffn) << 16n) |
    (BigInt(attributes & 0xff) << 40n) |
    (((l >> 16n) & 0xfn) << 48n) |
    (BigInt(attributes >> 12) << 52n) |
    ((b >> 24n) << 56n)
  );
}

const NULL_SEGMENT: SegmentState = { selector: 0, base: 0n, limit: 0, attributes: 0 };

/** The segment register that loading `selector` would give. */
function segmentOf(selector: number, nullBase = 0n): SegmentState {
  if ((selector & ~3) === 0) return { ...NULL_SEGMENT, selector, base: nullBase };
  if (selector === SELECTOR.code64) return { selector, base: 0n, limit: LIMIT_4G, attributes: USER_CODE64 };
  if (selector === SELECTOR.code32) return { selector, base: 0n, limit: LIMIT_4G, attributes: USER_CODE32 };
  if (selector === SELECTOR.flat) return { selector, base: 0n, limit: LIMIT_4G, attributes: USER_DATA };
  const entry = LDT.find((each) => each.selector === selector);
  if (entry === undefined) throw new RangeError(`no segment has the selector 0x${selector.toString(16)}`);
  return { selector, base: BigInt(entry.base), limit: entry.limit, attributes: attributesOf(entry) };
}

/** Writes page tables, descriptor tables and handlers into guest RAM, which begins at the view's first byte. */
export function writeKernel(view: DataView): void {
  const put64 = (gpa: number, value: bigint): void => {
    view.setBigUint64(gpa, BigInt.asUintN(64, value), true);
  };
  put64(PML4, BigInt(PDPT_LOW) | P | RW | US);
  put64(PML4 + 511 * 8, BigInt(PDPT_HIGH) | P | RW);
  put64(PDPT_LOW, BigInt(PD_LOW) | P | RW | US);
  put64(PDPT_HIGH + 510 * 8, BigInt(PD_HIGH) | P | RW);
  put64(PD_HIGH, P | RW | PS);
  put64(PD_LOW + (CODE.gva >>> 21) * 8, BigInt(PT_CODE) | P | RW | US);
  put64(PD_LOW + (DATA.gva >>> 21) * 8, BigInt(PT_DATA) | P | RW | US);
  for (const region of [CODE, DATA, READ_ONLY, STACK]) {
    const table = region.name === "code" ? PT_CODE : PT_DATA;
    const rights = P | US | (region.writable ? RW : 0n) | (region.executable ? 0n : NX);
    for (let offset = 0; offset < region.sizeBytes; offset += L.PAGE_SIZE) {
      const index = ((region.gva + offset) >>> 12) & 511;
      put64(table + index * 8, BigInt(REGION_GPA[region.name] + offset) | rights);
    }
  }
  put64(GDT + KERNEL_CODE, descriptorBits(0, LIMIT_4G, 0xa09b));
  put64(GDT + 0x10, descriptorBits(0, LIMIT_4G, 0xc093));
  put64(GDT + (SELECTOR.code32 & ~7), descriptorBits(0, LIMIT_4G, USER_CODE32));
  put64(GDT + (SELECTOR.flat & ~7), descriptorBits(0, LIMIT_4G, USER_DATA));
  put64(GDT + (SELECTOR.code64 & ~7), descriptorBits(0, LIMIT_4G, USER_CODE64));
  for (const [i, entry] of LDT.entries()) {
    put64(LDT_TABLE + i * 8, descriptorBits(entry.base, entry.limit, attributesOf(entry)));
  }
  put64(TSS + 4, KERNEL + BigInt(KERNEL_STACK_TOP));
  view.setUint16(TSS + 102, 0x68, true);
  for (let vector = 0; vector < 256; vector++) {
    const handler = KERNEL + BigInt(HANDLERS + vector * 16);
    view.setUint8(HANDLERS + vector * 16, HLT);
    const dpl = vector === 3 || vector === 4 || vector === 0x80 ? 3n : 0n;
    const low =
      (handler & 0xffffn) |
      (BigInt(KERNEL_CODE) << 16n) |
      ((0x8en | (dpl << 5n)) << 40n) |
      (((handler >> 16n) & 0xffffn) << 48n);
    put64(IDT + vector * 16, low);
    put64(IDT + vector * 16 + 8, (handler >> 32n) & 0xffffffffn);
  }
  view.setUint8(SYSTEM_CALL_HANDLER, HLT);
}

/** The state before a case, as the registers' owner takes it. */
export function machineStateOf(state: CpuState): MachineState {
  const { segments } = state;
  return {
    gpr: [...state.gpr],
    rip: state.rip,
    rflags: state.rflags,
    cs: segmentOf(segments.cs),
    ss: { ...segmentOf(segments.ss), ...((segments.ss & ~3) === 0 ? { attributes: 0x60 } : {}) },
    ds: segmentOf(segments.ds),
    es: segmentOf(segments.es),
    fs: segmentOf(segments.fs, state.fsBase),
    gs: segmentOf(segments.gs, state.gsBase),
    ldtr: {
      selector: LDT_SELECTOR,
      base: KERNEL + BigInt(LDT_TABLE),
      limit: LDT.length * 8 - 1,
      attributes: 0x82,
    },
    tr: { selector: TSS_SELECTOR, base: KERNEL + BigInt(TSS), limit: 0x67, attributes: 0x8b },
    gdtr: { base: KERNEL + BigInt(GDT), limit: 0x7f },
    idtr: { base: KERNEL + BigInt(IDT), limit: 256 * 16 - 1 },
    cr0: CR0,
    cr2: 0n,
    cr3: BigInt(PML4),
    cr4: CR4,
    cr8: 0n,
    efer: EFER,
  };
}

/** What the kernel has turned on besides: where system calls lead, which state XSAVE manages (x87, SSE); by field. */
export const kernelRegisters: readonly (readonly [field: number, value: bigint])[] = [
  [L.MSR_LSTAR, KERNEL + BigInt(SYSTEM_CALL_HANDLER)],
  [L.MSR_CSTAR, KERNEL + BigInt(SYSTEM_CALL_HANDLER)],
  [L.MSR_STAR, BigInt(KERNEL_CODE) << 32n],
  [L.MSR_FMASK, SYSCALL_FLAG_MASK],
  [L.MSR_SYSENTER_CS, BigInt(KERNEL_CODE)],
  [L.MSR_SYSENTER_EIP, KERNEL + BigInt(SYSTEM_CALL_HANDLER)],
  [L.MSR_SYSENTER_ESP, KERNEL + BigInt(KERNEL_STACK_TOP)],
  [L.XCR0, 3n],
];
