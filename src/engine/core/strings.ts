// String instructions: MOVS, STOS, LODS, CMPS, SCAS, alone and repeated. SDM 1 7.3.9, SDM 2 REP.
//
// Repeated ones work on runs: as many elements as lie in one page at both ends, through host addresses. What has no
// run (MMIO, an element across pages, a segment's limit) goes element by element. Registers are current whenever a
// fault is reported, so the instruction restarts at the element that faulted.
import * as L from "../layout";
import { S, get32, get64, set32, set64, charge } from "./state";
import { NO_ADDRESS } from "./paging";
import { readable, readableRun, writableRun, writeAtBlockEnd, writeMem } from "./memory";
import { moveQuickly, storeQuickly } from "./quick-strings";
import { raiseSegment } from "./segments";
import {
  addressMask,
  addressSizeOf,
  advance,
  countOf,
  elementSizeOf,
  goesDown,
  indexOf,
  linear,
  locate,
  repeatsWhileDifferent,
  segmentOf,
  setCount,
  trapIsDue,
  yieldToInterrupts,
} from "./string-operands";

/** Elements of one invocation of a repeated instruction. */
const ELEMENTS_MAX: u32 = 16384;

/**
 * As many, but one if #DB follows each iteration. Charges for those of the `left` that this invocation may do:
 * elements are quick, but an instruction may have many.
 */
@inline
function elementsMax(left: u64): u32 {
  charge(<i32>min<u64>(left, ELEMENTS_MAX) >> 3);
  return get32(L.MODE) & L.MODE_STEP ? 1 : ELEMENTS_MAX;
}

const GPR_RAX = L.GPR_RAX;
const RSI = L.GPR_RSI;
const RDI = L.GPR_RDI;

// ---- One element ------------------------------------------------------------------------------------------------

/** The element that readElement() read, zero-extended. */
let element: u64 = 0;

function readElement(segment: u32, register: u32, size: u32, addressSize: u32): u32 {
  if (!locate(segment, indexOf(register, addressSize), size, false)) return raiseSegment(segment);
  let hva: u32;
  switch (size) {
    case 1:
      hva = readable<u8>(linear);
      if (hva == NO_ADDRESS) return 1;
      element = load<u8>(hva);
      return 0;
    case 2:
      hva = readable<u16>(linear);
      if (hva == NO_ADDRESS) return 1;
      element = load<u16>(hva);
      return 0;
    case 4:
      hva = readable<u32>(linear);
      if (hva == NO_ADDRESS) return 1;
      element = load<u32>(hva);
      return 0;
    default:
      hva = readable<u64>(linear);
      if (hva == NO_ADDRESS) return 1;
      element = load<u64>(hva);
      return 0;
  }
}

/** Stores to ES:rDI. A repeated instruction ends its block: code it changes does not stop it. */
function writeElement(value: u64, size: u32, addressSize: u32, repeated: bool): u32 {
  if (!locate(L.SEG_ES, indexOf(RDI, addressSize), size, true)) return raiseSegment(L.SEG_ES);
  const user: u32 = get32(L.CPL) == 3 ? 1 : 0;
  switch (size) {
    case 1:
      return repeated ? writeAtBlockEnd<u8>(linear, <u8>value, user) : writeMem<u8>(linear, <u8>value);
    case 2:
      return repeated ? writeAtBlockEnd<u16>(linear, <u16>value, user) : writeMem<u16>(linear, <u16>value);
    case 4:
      return repeated ? writeAtBlockEnd<u32>(linear, <u32>value, user) : writeMem<u32>(linear, <u32>value);
    default:
      return repeated ? writeAtBlockEnd<u64>(linear, value, user) : writeMem<u64>(linear, value);
  }
}

function moveElement(imm: u32, repeated: bool): u32 {
  const size = elementSizeOf(imm);
  const addressSize = addressSizeOf(imm);
  if (readElement(segmentOf(imm), RSI, size, addressSize)) return 1;
  if (writeElement(element, size, addressSize, repeated)) return 1;
  advance(RSI, addressSize, size, 1);
  advance(RDI, addressSize, size, 1);
  return 0;
}

function storeElement(imm: u32, repeated: bool): u32 {
  const size = elementSizeOf(imm);
  const addressSize = addressSizeOf(imm);
  if (writeElement(get64(GPR_RAX), size, addressSize, repeated)) return 1;
  advance(RDI, addressSize, size, 1);
  return 0;
}

function loadElement(imm: u32): u32 {
  const size = elementSizeOf(imm);
  const addressSize = addressSizeOf(imm);
  if (readElement(segmentOf(imm), RSI, size, addressSize)) return 1;
  if (size == 1) store<u8>(S + GPR_RAX, <u8>element);
  else if (size == 2) store<u16>(S + GPR_RAX, <u16>element);
  else set64(GPR_RAX, element);
  advance(RSI, addressSize, size, 1);
  return 0;
}

const KIND_SUB: u32 = 3;

/** The flags of first − second; both zero-extended. */
function setFlagsOfSub(first: u64, second: u64, size: u32): void {
  set32(L.CC_OP, KIND_SUB * 4 + ctz(size));
  set64(L.CC_DST, first);
  set64(L.CC_SRC, second);
}

/** rAX in the element's size. */
function accumulator(size: u32): u64 {
  if (size == 1) return load<u8>(S + GPR_RAX);
  if (size == 2) return load<u16>(S + GPR_RAX);
  return size == 4 ? load<u32>(S + GPR_RAX) : get64(GPR_RAX);
}

// The operands of the last comparison.
let comparedFirst: u64 = 0;
let comparedSecond: u64 = 0;

/** Compares DS:rSI (CMPS) or rAX (SCAS) with ES:rDI, leaving the operands for the flags. */
function compareElement(imm: u32, scan: bool): u32 {
  const size = elementSizeOf(imm);
  const addressSize = addressSizeOf(imm);
  let first = accumulator(size);
  if (!scan) {
    if (readElement(segmentOf(imm), RSI, size, addressSize)) return 1;
    first = element;
  }
  if (readElement(L.SEG_ES, RDI, size, addressSize)) return 1;
  comparedFirst = first;
  comparedSecond = element;
  if (!scan) advance(RSI, addressSize, size, 1);
  advance(RDI, addressSize, size, 1);
  return 0;
}

export function h_movs(d: u32, s: u32, imm: i32): u32 {
  return moveElement(imm, false);
}

export function h_stos(d: u32, s: u32, imm: i32): u32 {
  return storeElement(imm, false);
}

export function h_lods(d: u32, s: u32, imm: i32): u32 {
  return loadElement(imm);
}

export function h_cmps(d: u32, s: u32, imm: i32): u32 {
  if (compareElement(imm, false)) return 1;
  setFlagsOfSub(comparedFirst, comparedSecond, elementSizeOf(imm));
  return 0;
}

export function h_scas(d: u32, s: u32, imm: i32): u32 {
  if (compareElement(imm, true)) return 1;
  setFlagsOfSub(comparedFirst, comparedSecond, elementSizeOf(imm));
  return 0;
}

// ---- Runs -------------------------------------------------------------------------------------------------------

/**
 * How many of at most `elements` elements from this index on lie in one page, without the index wrapping: 0 if the
 * first one does not.
 */
function runLength(segment: u32, index: u64, size: u32, addressSize: u32, elements: u32): u32 {
  // Unchecked: withinSegment() follows, when the length is known.
  const address = <u32>(index + segmentBase(segment)) & 0xfff;
  const mask = addressMask(addressSize);
  if (address + size > <u32>L.PAGE_SIZE || index > mask - (size - 1)) return 0;
  let inPage: u32, beforeWrap: u64;
  if (goesDown()) {
    inPage = address / size + 1;
    beforeWrap = index / size + 1;
  } else {
    inPage = (L.PAGE_SIZE - address) / size;
    beforeWrap = (mask - index - (size - 1)) / size + 1;
  }
  const length = min<u32>(elements, inPage);
  return <u64>length <= beforeWrap ? length : <u32>beforeWrap;
}

@inline
function segmentBase(segment: u32): u64 {
  const flat = (get32(L.MODE) & L.MODE_CODE_SIZE) == 2 && segment < <u32>L.SEG_FS;
  return flat ? 0 : load<u64>(S + (segment << 3), L.SEG_BASE);
}

/** Whether the segment allows the whole run; then `linear` is the address of the element at `index`. */
function withinSegment(segment: u32, index: u64, size: u32, elements: u32, write: bool): bool {
  const below = goesDown() ? <u64>(elements - 1) * size : 0;
  if (!locate(segment, index - below, elements * size, write)) return false;
  if (below != 0) locate(segment, index, size, write);
  return true;
}

// What a run works on: host addresses of the lowest byte of the operands.
let runSource: u32 = 0;
let runTarget: u32 = 0;

const RUN_FAULT: i32 = -1;
/** No run is possible here: do one element. */
const RUN_NONE: i32 = 0;

/** Finds the source of a run; the number of elements, RUN_NONE or RUN_FAULT. */
function openSource(segment: u32, register: u32, size: u32, addressSize: u32, elements: u32): i32 {
  const index = indexOf(register, addressSize);
  const length = runLength(segment, index, size, addressSize, elements);
  if (length == 0 || !withinSegment(segment, index, size, length, false)) return RUN_NONE;
  const hva = readableRun(linear);
  if (hva == NO_ADDRESS) return RUN_FAULT;
  if (hva == 0) return RUN_NONE;
  runSource = goesDown() ? hva - (length - 1) * size : hva;
  return length;
}

/** The same for the target at ES:rDI; code in it is dropped. */
function openTarget(size: u32, addressSize: u32, elements: u32): i32 {
  const index = indexOf(RDI, addressSize);
  const length = runLength(L.SEG_ES, index, size, addressSize, elements);
  if (length == 0 || !withinSegment(L.SEG_ES, index, size, length, true)) return RUN_NONE;
  const below = goesDown() ? (length - 1) * size : 0;
  const hva = writableRun(linear, below, length * size);
  if (hva == NO_ADDRESS) return RUN_FAULT;
  if (hva == 0) return RUN_NONE;
  runTarget = hva - below;
  return length;
}

/** The lower of two counts of elements: the operand with more of them starts at its other end when going down. */
@inline
function shorten(address: u32, from: u32, to: u32, size: u32): u32 {
  return goesDown() ? address + (from - to) * size : address;
}

/** Copies element by element, in the direction of DF, because the target overlaps what is still to be read. */
function copyPropagating<T>(source: u32, target: u32, elements: u32): void {
  const size = <u32>sizeof<T>();
  if (goesDown()) {
    for (let at = (elements - 1) * size; ; at -= size) {
      store<T>(target + at, load<T>(source + at));
      if (at == 0) return;
    }
  }
  const end = elements * size;
  for (let at: u32 = 0; at < end; at += size) store<T>(target + at, load<T>(source + at));
}

function moveRun(imm: u32, elements: u32): i32 {
  const size = elementSizeOf(imm);
  const addressSize = addressSizeOf(imm);
  const fromSource = openSource(segmentOf(imm), RSI, size, addressSize, elements);
  if (fromSource <= 0) return fromSource;
  const length = openTarget(size, addressSize, fromSource);
  if (length <= 0) return length;
  const source = shorten(runSource, fromSource, length, size);
  const target = runTarget;
  const bytes = <u32>length * size;
  const distance = goesDown() ? source - target : target - source;
  // Copied as a whole unless an element written is read later on.
  if (distance == 0 || distance >= bytes) memory.copy(target, source, bytes);
  else if (size == 1) copyPropagating<u8>(source, target, length);
  else if (size == 2) copyPropagating<u16>(source, target, length);
  else if (size == 4) copyPropagating<u32>(source, target, length);
  else copyPropagating<u64>(source, target, length);
  advance(RSI, addressSize, size, length);
  advance(RDI, addressSize, size, length);
  return length;
}

function storeRun(imm: u32, elements: u32): i32 {
  const size = elementSizeOf(imm);
  const addressSize = addressSizeOf(imm);
  const length = openTarget(size, addressSize, elements);
  if (length <= 0) return length;
  const target = runTarget;
  const bytes = <u32>length * size;
  const value = get64(GPR_RAX);
  if (size == 1) memory.fill(target, <u8>value, bytes);
  else if (value == 0) memory.fill(target, 0, bytes);
  else {
    const end = target + bytes;
    if (size == 2) for (let at = target; at < end; at += 2) store<u16>(at, <u16>value);
    else if (size == 4) for (let at = target; at < end; at += 4) store<u32>(at, <u32>value);
    else for (let at = target; at < end; at += 8) store<u64>(at, value);
  }
  advance(RDI, addressSize, size, length);
  return length;
}

/** Set when a comparison ended the repetition. */
let decided: bool = false;

/** Compares up to `elements` elements and stops after the first that decides; returns how many were compared. */
function compareRunOf<T>(source: u32, target: u32, elements: u32, scan: bool, different: bool): u32 {
  const size = <u32>sizeof<T>();
  const step: i32 = goesDown() ? -(<i32>size) : <i32>size;
  let second = goesDown() ? target + (elements - 1) * size : target;
  let first = goesDown() ? source + (elements - 1) * size : source;
  const wanted = <T>get64(GPR_RAX);
  let done: u32 = 0;
  while (done < elements) {
    const a = scan ? wanted : load<T>(first);
    const b = load<T>(second);
    done++;
    comparedFirst = <u64>a;
    comparedSecond = <u64>b;
    if ((a == b) == different) {
      decided = true;
      break;
    }
    first += step;
    second += step;
  }
  return done;
}

function compareRun(imm: u32, elements: u32, scan: bool): i32 {
  const size = elementSizeOf(imm);
  const addressSize = addressSizeOf(imm);
  let source: u32 = 0;
  let available = <i32>elements;
  if (!scan) {
    available = openSource(segmentOf(imm), RSI, size, addressSize, elements);
    if (available <= 0) return available;
    source = runSource;
  }
  const length = openSource(L.SEG_ES, RDI, size, addressSize, available);
  if (length <= 0) return length;
  if (!scan) source = shorten(source, available, length, size);
  const target = runSource;
  const different = repeatsWhileDifferent(imm);
  let done: u32;
  if (size == 1) done = compareRunOf<u8>(source, target, length, scan, different);
  else if (size == 2) done = compareRunOf<u16>(source, target, length, scan, different);
  else if (size == 4) done = compareRunOf<u32>(source, target, length, scan, different);
  else done = compareRunOf<u64>(source, target, length, scan, different);
  if (!scan) advance(RSI, addressSize, size, done);
  advance(RDI, addressSize, size, done);
  return done;
}

// ---- Repetition -------------------------------------------------------------------------------------------------

export function h_repmovs(d: u32, s: u32, imm: i32): u32 {
  if (moveQuickly(imm)) return 0;
  const addressSize = addressSizeOf(imm);
  let left = countOf(addressSize);
  let budget = elementsMax(left);
  while (left != 0) {
    if (budget == 0 || trapIsDue()) {
      yieldToInterrupts();
      return 0;
    }
    let done = moveRun(imm, left < <u64>budget ? <u32>left : budget);
    if (done == RUN_FAULT) return 1;
    if (done == RUN_NONE) {
      if (moveElement(imm, true)) return 1;
      done = 1;
    }
    left -= done;
    budget -= done;
    setCount(addressSize, left);
  }
  return 0;
}

export function h_repstos(d: u32, s: u32, imm: i32): u32 {
  if (storeQuickly(imm)) return 0;
  const addressSize = addressSizeOf(imm);
  let left = countOf(addressSize);
  let budget = elementsMax(left);
  while (left != 0) {
    if (budget == 0 || trapIsDue()) {
      yieldToInterrupts();
      return 0;
    }
    let done = storeRun(imm, left < <u64>budget ? <u32>left : budget);
    if (done == RUN_FAULT) return 1;
    if (done == RUN_NONE) {
      if (storeElement(imm, true)) return 1;
      done = 1;
    }
    left -= done;
    budget -= done;
    setCount(addressSize, left);
  }
  return 0;
}

export function h_replods(d: u32, s: u32, imm: i32): u32 {
  const addressSize = addressSizeOf(imm);
  let left = countOf(addressSize);
  for (let budget = elementsMax(left); left != 0; budget--) {
    if (budget == 0 || trapIsDue()) {
      yieldToInterrupts();
      return 0;
    }
    if (loadElement(imm)) return 1;
    left--;
    setCount(addressSize, left);
  }
  return 0;
}

/** Flags are of the last comparison only: an instruction that stops before it leaves them alone. SDM 2, REP. */
function repeatComparison(imm: u32, scan: bool): u32 {
  const addressSize = addressSizeOf(imm);
  const size = elementSizeOf(imm);
  const different = repeatsWhileDifferent(imm);
  let left = countOf(addressSize);
  if (left == 0) return 0;
  let budget = elementsMax(left);
  decided = false;
  while (left != 0 && !decided) {
    if (budget == 0 || trapIsDue()) {
      yieldToInterrupts();
      return 0;
    }
    let done = compareRun(imm, left < <u64>budget ? <u32>left : budget, scan);
    if (done == RUN_FAULT) return 1;
    if (done == RUN_NONE) {
      if (compareElement(imm, scan)) return 1;
      decided = (comparedFirst == comparedSecond) == different;
      done = 1;
    }
    left -= done;
    budget -= done;
    setCount(addressSize, left);
  }
  setFlagsOfSub(comparedFirst, comparedSecond, size);
  return 0;
}

export function h_repcmps(d: u32, s: u32, imm: i32): u32 {
  return repeatComparison(imm, false);
}

export function h_repscas(d: u32, s: u32, imm: i32): u32 {
  return repeatComparison(imm, true);
}
