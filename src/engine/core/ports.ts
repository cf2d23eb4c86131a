// Port I/O: IN, OUT, INS and OUTS with the checks of IOPL and the TSS's permission bitmap. SDM 1 chapter 19 (in older
// editions 18), SDM 3A 7.2.1 and 20.3.3.
import * as L from "../layout";
import { S, get32, get64, set64, raiseWithError, VECTOR_GP, charge, COST_DEVICE_ACCESS } from "./state";
import { readPort, writePort } from "./host";
import * as C from "./control-bits";
import { watchPort } from "./debug";
import { NO_ADDRESS } from "./paging";
import {
  readable,
  slowReadForWrite16,
  slowReadForWrite32,
  slowReadForWrite8,
  systemReadable,
  tlbLookup,
  writeAtBlockEnd,
} from "./memory";
import { attributesOf, isRealMode, limitOf } from "./mode";
import { ioPrivilege, isVirtual8086 } from "./rflags";
import { raiseSegment } from "./segments";
import { addressSizeOf, advance, countOf, elementSizeOf, indexOf, linear, locate, segmentOf, setCount, trapIsDue, yieldToInterrupts } from "./string-operands";

const TSS32_LIMIT: u32 = 0x67;
const TSS_IO_MAP: u64 = 0x66;

/** #GP(0) unless the program may use these ports. */
export function checkPort(port: u32, size: u32): u32 {
  if (isRealMode()) return 0;
  if (!isVirtual8086() && get32(L.CPL) <= ioPrivilege()) return 0;
  const limit = limitOf(L.SEG_TR);
  // Only a 32-bit or 64-bit TSS has a bitmap.
  if (!(attributesOf(L.SEG_TR) & 8) || limit < TSS32_LIMIT) return raiseWithError(VECTOR_GP, 0);
  let hva = systemReadable<u16>(get64(L.TR_BASE) + TSS_IO_MAP);
  if (hva == NO_ADDRESS) return 1;
  const at = <u32>load<u16>(hva) + (port >> 3);
  // Two bytes are always read, so that ports may straddle: the map ends with a byte of ones.
  if (at + 1 > limit) return raiseWithError(VECTOR_GP, 0);
  hva = systemReadable<u16>(get64(L.TR_BASE) + at);
  if (hva == NO_ADDRESS) return 1;
  const bits = ((<u32>1 << size) - 1) << (port & 7);
  return load<u16>(hva) & bits ? raiseWithError(VECTOR_GP, 0) : 0;
}

function count(): void {
  set64(L.STAT_PORT_ACCESSES, get64(L.STAT_PORT_ACCESSES) + 1);
  charge(COST_DEVICE_ACCESS);
}

/** 1 if an I/O breakpoint wants the instruction executed alone first. */
@inline
function isWatched(port: u32, size: u32): u32 {
  return get32(L.DEBUG_ARMED) & L.ARMED_PORT ? watchPort(port, size) : 0;
}

@inline
function portOf(imm: i32): u32 {
  return imm & 0x1000000 ? <u32>load<u16>(S + L.GPR_RDX) : (<u32>imm >> 8) & 0xff;
}

export function h_in(d: u32, s: u32, imm: i32): u32 {
  const size = imm & 0xff;
  const port = portOf(imm);
  if (checkPort(port, size) || isWatched(port, size)) return 1;
  count();
  const value = readPort(port, size);
  if (size == 4) store<u64>(S + L.GPR_RAX, value);
  else if (size == 2) store<u16>(S + L.GPR_RAX, <u16>value);
  else store<u8>(S + L.GPR_RAX, <u8>value);
  return 0;
}

export function h_out(d: u32, s: u32, imm: i32): u32 {
  const size = imm & 0xff;
  const port = portOf(imm);
  if (checkPort(port, size) || isWatched(port, size)) return 1;
  count();
  let value = load<u32>(S + L.GPR_RAX);
  if (size == 2) value &= 0xffff;
  else if (size == 1) value &= 0xff;
  writePort(port, size, value);
  return 0;
}

/** Makes sure that the store after a port was read cannot fault, since the device has given its value away. */
function prepareStore(va: u64, size: u32): u32 {
  const tlb = get32(L.CPL) == 3 ? L.TLB_USER_WRITE : L.TLB_KERNEL_WRITE;
  if (tlbLookup(tlb, va, size) != NO_ADDRESS) return 0;
  let hva: u32;
  if (size == 4) hva = slowReadForWrite32(va);
  else if (size == 2) hva = slowReadForWrite16(va);
  else hva = slowReadForWrite8(va);
  return hva == NO_ADDRESS ? 1 : 0;
}

function insOne(imm: u32): u32 {
  const size = elementSizeOf(imm);
  const addressSize = addressSizeOf(imm);
  const port = load<u16>(S + L.GPR_RDX);
  if (checkPort(port, size)) return 1;
  if (!locate(L.SEG_ES, indexOf(L.GPR_RDI, addressSize), size, true)) return raiseSegment(L.SEG_ES);
  const to = linear;
  if (prepareStore(to, size) || isWatched(port, size)) return 1;
  count();
  const value = readPort(port, size);
  const user: u32 = get32(L.CPL) == 3 ? 1 : 0;
  if (size == 4) writeAtBlockEnd<u32>(to, value, user);
  else if (size == 2) writeAtBlockEnd<u16>(to, <u16>value, user);
  else writeAtBlockEnd<u8>(to, <u8>value, user);
  advance(L.GPR_RDI, addressSize, size, 1);
  return 0;
}

function outsOne(imm: u32): u32 {
  const size = elementSizeOf(imm);
  const addressSize = addressSizeOf(imm);
  const segment = segmentOf(imm);
  const port = load<u16>(S + L.GPR_RDX);
  if (checkPort(port, size)) return 1;
  if (!locate(segment, indexOf(L.GPR_RSI, addressSize), size, false)) return raiseSegment(segment);
  let hva: u32;
  if (size == 4) hva = readable<u32>(linear);
  else if (size == 2) hva = readable<u16>(linear);
  else hva = readable<u8>(linear);
  if (hva == NO_ADDRESS) return 1;
  const value: u32 = size == 4 ? load<u32>(hva) : size == 2 ? load<u16>(hva) : load<u8>(hva);
  if (isWatched(port, size)) return 1;
  count();
  writePort(port, size, value);
  advance(L.GPR_RSI, addressSize, size, 1);
  return 0;
}

export function h_ins(d: u32, s: u32, imm: i32): u32 {
  return insOne(imm);
}

export function h_outs(d: u32, s: u32, imm: i32): u32 {
  return outsOne(imm);
}

/** Elements that one invocation moves: a device access costs far more than a copied element. */
const PORT_ELEMENTS_MAX: u32 = 2048;

function repeat(imm: u32, input: bool): u32 {
  const addressSize = addressSizeOf(imm);
  // A count of zero does not excuse from the permission.
  if (checkPort(load<u16>(S + L.GPR_RDX), elementSizeOf(imm))) return 1;
  const elementsMax: u32 = get32(L.MODE) & L.MODE_STEP ? 1 : PORT_ELEMENTS_MAX;
  let left = countOf(addressSize);
  for (let done: u32 = 0; left != 0; done++) {
    if (done == elementsMax || get32(L.EXIT_REQUEST) != 0 || trapIsDue()) {
      yieldToInterrupts();
      return 0;
    }
    if (input ? insOne(imm) : outsOne(imm)) return 1;
    left--;
    setCount(addressSize, left);
  }
  return 0;
}

export function h_repins(d: u32, s: u32, imm: i32): u32 {
  return repeat(imm, true);
}

export function h_repouts(d: u32, s: u32, imm: i32): u32 {
  return repeat(imm, false);
}
