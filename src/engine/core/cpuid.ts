// CPUID: looks the leaf up in the table that the host fills, and adds what changes at run time. SDM 2A, CPUID.
import * as L from "../layout";
import { S, get64, set64 } from "./state";
import * as C from "./control-bits";

const ENTRY_EAX = 8;
const ENTRY_EBX = 12;
const ENTRY_ECX = 16;
const ENTRY_EDX = 20;

/** Leaves whose answer depends on ECX; the table has one entry for each of their subleaves. */
function hasSubleaves(leaf: u32): bool {
  switch (leaf) {
    case 4:
    case 7:
    case 0xb:
    case 0xd:
    case 0xf:
    case 0x10:
    case 0x12:
    case 0x14:
    case 0x1f:
    case 0x8000001d:
      return true;
    default:
      return false;
  }
}

/** Address of the table's entry, or 0. */
function findLeaf(leaf: u32, subleaf: u32): u32 {
  const wanted: u32 = hasSubleaves(leaf) ? subleaf : 0;
  const table = S + L.CPUID_TABLE;
  let entry = table + 4;
  for (let i: u32 = load<u32>(table); i > 0; i--) {
    if (load<u32>(entry) == leaf && load<u32>(entry, 4) == wanted) return entry;
    entry += L.CPUID_ENTRY_SIZE;
  }
  return 0;
}

/** What the table says in EAX of leaf 1, the processor's signature, which EDX holds after reset. */
export function cpuidSignature(): u32 {
  const entry = findLeaf(1, 0);
  return entry ? load<u32>(entry, ENTRY_EAX) : 0;
}

/** Feature words of the table: 0 if the leaf is missing. */
export function cpuidEbx(leaf: u32, subleaf: u32 = 0): u32 {
  const entry = findLeaf(leaf, subleaf);
  return entry ? load<u32>(entry, ENTRY_EBX) : 0;
}
export function cpuidEcx(leaf: u32, subleaf: u32 = 0): u32 {
  const entry = findLeaf(leaf, subleaf);
  return entry ? load<u32>(entry, ENTRY_ECX) : 0;
}
export function cpuidEdx(leaf: u32, subleaf: u32 = 0): u32 {
  const entry = findLeaf(leaf, subleaf);
  return entry ? load<u32>(entry, ENTRY_EDX) : 0;
}

/** The XSAVE components that exist: XCR0 may have these bits. */
export function xcr0Supported(): u64 {
  const entry = findLeaf(0xd, 0);
  return entry ? (<u64>load<u32>(entry, ENTRY_EDX) << 32) | load<u32>(entry, ENTRY_EAX) : 0;
}

/** AMD's processors differ in SYSCALL and SYSENTER outside 64-bit mode. */
export function isAmd(): bool {
  return cpuidEbx(0) == 0x68747541; // "Auth"enticAMD
}

/** This vCPU's APIC id. */
@inline
function apicId(): u32 {
  return (S - L.VCPU_BASE) / L.VCPU_STRIDE;
}

const XSAVE_COMPACTED: u32 = 1 << 1;
const XSAVE_XGETBV1: u32 = 1 << 2;

function xsaveFeatures(): u32 {
  const entry = findLeaf(0xd, 1);
  return entry ? load<u32>(entry, ENTRY_EAX) : 0;
}
export function hasXsavec(): bool {
  return (xsaveFeatures() & XSAVE_COMPACTED) != 0;
}
export function hasXgetbv1(): bool {
  return (xsaveFeatures() & XSAVE_XGETBV1) != 0;
}

/** Bytes of an XSAVE area for the components enabled in XCR0: the legacy region, the header, and what lies behind. */
function xsaveSize(compacted: bool): u32 {
  let size: u32 = 512 + 64;
  for (let component: u32 = 2, rest = get64(L.XCR0) >> 2; rest != 0; component++, rest >>= 1) {
    const entry = rest & 1 ? findLeaf(0xd, component) : 0;
    if (entry == 0) continue;
    const bytes = load<u32>(entry, ENTRY_EAX);
    size = compacted ? size + bytes : max<u32>(size, load<u32>(entry, ENTRY_EBX) + bytes);
  }
  return size;
}

const CPUID_1_ECX_OSXSAVE: u32 = 1 << 27;

export function h_cpuid(d: u32, s: u32, imm: i32): u32 {
  const leaf = <u32>get64(L.GPR_RAX);
  const subleaf = <u32>get64(L.GPR_RCX);
  let eax: u32 = 0;
  let ebx: u32 = 0;
  let ecx: u32 = 0;
  let edx: u32 = 0;
  const entry = findLeaf(leaf, subleaf);
  if (entry) {
    eax = load<u32>(entry, ENTRY_EAX);
    ebx = load<u32>(entry, ENTRY_EBX);
    ecx = load<u32>(entry, ENTRY_ECX);
    edx = load<u32>(entry, ENTRY_EDX);
  }
  if (leaf == 1) {
    ebx = (ebx & 0x00ffffff) | (apicId() << 24);
    ecx &= ~CPUID_1_ECX_OSXSAVE;
    if (get64(L.CR4) & C.CR4_OSXSAVE) ecx |= CPUID_1_ECX_OSXSAVE;
  } else if (leaf == 0xb || leaf == 0x1f) {
    ecx = (ecx & 0xffffff00) | (subleaf & 0xff);
    edx = apicId();
  } else if (leaf == 0xd && subleaf == 0 && entry != 0) {
    ebx = xsaveSize(false);
  } else if (leaf == 0xd && subleaf == 1 && hasXsavec()) {
    ebx = xsaveSize(true);
  }
  set64(L.GPR_RAX, eax);
  set64(L.GPR_RBX, ebx);
  set64(L.GPR_RCX, ecx);
  set64(L.GPR_RDX, edx);
  return 0;
}
