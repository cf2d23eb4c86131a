/**
 * ACPI Machine Language, encoded (ACPI 6.5 section 20.2). A term is its bytes; the functions here are named after the
 * ASL operators they encode, and nest as ASL does. Only what the DSDT needs is here.
 */

import { assert, concatBytes } from "../../base/index.ts";

export type Term = Uint8Array;

const bytes = (...values: readonly number[]): Term => Uint8Array.from(values);

/** Section 20.2.4: the length counts its own bytes. */
function packageLength(contentBytes: number): Term {
  if (contentBytes + 1 < 0x40) return bytes(contentBytes + 1);
  for (let extra = 1; extra <= 3; extra++) {
    const total = contentBytes + 1 + extra;
    if (total >= 1 << (4 + 8 * extra)) continue;
    const rest = Array.from({ length: extra }, (_, index) => (total >>> (4 + 8 * index)) & 0xff);
    return bytes((extra << 6) | (total & 0xf), ...rest);
  }
  assert(false, "an AML package is below 256 MiB");
}

function withLength(opcode: readonly number[], ...content: readonly Term[]): Term {
  const body = concatBytes(...content);
  return concatBytes(bytes(...opcode), packageLength(body.length), body);
}

const ROOT_PREFIX = 0x5c;
const DUAL_NAME_PREFIX = 0x2e;
const MULTI_NAME_PREFIX = 0x2f;

/** A path such as "\\_SB.PCI0" or "_HID"; segments are padded to four characters. Section 20.2.2. */
export function path(text: string): Term {
  const isAbsolute = text.startsWith("\\");
  const segments = (isAbsolute ? text.slice(1) : text).split(".").filter((segment) => segment !== "");
  const encoded = segments.map((segment) => {
    assert(/^[A-Z_][A-Z0-9_]{0,3}$/.test(segment), `${segment} is an ACPI name`);
    return new TextEncoder().encode(segment.padEnd(4, "_"));
  });
  const prefix =
    encoded.length === 0
      ? bytes(0)
      : encoded.length === 1
        ? bytes()
        : encoded.length === 2
          ? bytes(DUAL_NAME_PREFIX)
          : bytes(MULTI_NAME_PREFIX, encoded.length);
  return concatBytes(isAbsolute ? bytes(ROOT_PREFIX) : bytes(), prefix, ...encoded);
}

/** The shortest encoding of an unsigned integer below 2^53. */
export function integer(value: number): Term {
  if (value === 0 || value === 1) return bytes(value);
  if (value < 0x100) return bytes(0x0a, value);
  if (value < 0x1_0000) return bytes(0x0b, value & 0xff, value >>> 8);
  const wide = new DataView(new ArrayBuffer(9));
  if (value <= 0xffffffff) {
    wide.setUint8(0, 0x0c);
    wide.setUint32(1, value, true);
    return new Uint8Array(wide.buffer, 0, 5);
  }
  wide.setUint8(0, 0x0e);
  wide.setBigUint64(1, BigInt(value), true);
  return new Uint8Array(wide.buffer);
}

export function text(value: string): Term {
  return concatBytes(bytes(0x0d), new TextEncoder().encode(value), bytes(0));
}

/** EISAID("PNP0A03"): three letters of five bits and four hexadecimal digits, big-endian. */
export function eisaId(id: string): Term {
  const match = /^([A-Z])([A-Z])([A-Z])([0-9A-F]{4})$/.exec(id);
  assert(match !== null, `${id} is an EISA id`);
  const letter = (index: number): number => (match[index] ?? "@").charCodeAt(0) - 0x40;
  const vendor = (letter(1) << 10) | (letter(2) << 5) | letter(3);
  const product = Number.parseInt(match[4] ?? "", 16);
  const swapped = (value: number): number => ((value & 0xff) << 8) | (value >>> 8);
  return integer(((swapped(product) << 16) | swapped(vendor)) >>> 0);
}

export function name(object: string, value: Term): Term {
  return concatBytes(bytes(0x08), path(object), value);
}

export function packageOf(...elements: readonly Term[]): Term {
  assert(elements.length < 256, "a package has at most 255 elements");
  return withLength([0x12], bytes(elements.length), ...elements);
}

export function buffer(data: Uint8Array): Term {
  return withLength([0x11], integer(data.length), data);
}

export function scope(object: string, ...terms: readonly Term[]): Term {
  return withLength([0x10], path(object), ...terms);
}

export function device(object: string, ...terms: readonly Term[]): Term {
  return withLength([0x5b, 0x82], path(object), ...terms);
}

/** A method that is not serialized; `argumentCount` 0–7. */
export function method(object: string, argumentCount: number, ...terms: readonly Term[]): Term {
  return withLength([0x14], path(object), bytes(argumentCount), ...terms);
}

/** The same, serialized: for methods that create named objects, which may not run twice at a time. */
export function serializedMethod(object: string, argumentCount: number, ...terms: readonly Term[]): Term {
  return withLength([0x14], path(object), bytes(argumentCount | 0x08), ...terms);
}

const REGION_SPACE = { systemMemory: 0, systemIo: 1, pciConfig: 2 } as const;

export function operationRegion(
  object: string,
  space: keyof typeof REGION_SPACE,
  offset: number,
  lengthBytes: number,
): Term {
  return concatBytes(
    bytes(0x5b, 0x80),
    path(object),
    bytes(REGION_SPACE[space]),
    integer(offset),
    integer(lengthBytes),
  );
}

/** Fields of one byte each, side by side from the region's beginning, accessed as bytes. */
export function byteFields(region: string, ...fields: readonly string[]): Term {
  const ACCESS_BYTE = 1;
  const elements = fields.map((field) => concatBytes(path(field), bytes(8)));
  return withLength([0x5b, 0x81], path(region), bytes(ACCESS_BYTE), ...elements);
}

export const LOCAL_0: Term = bytes(0x60);
export const ARG_0: Term = bytes(0x68);
/** A result that nobody wants. */
const NOWHERE: Term = bytes(0);

export function returns(value: Term): Term {
  return concatBytes(bytes(0xa4), value);
}

export function store(value: Term, target: Term): Term {
  return concatBytes(bytes(0x70), value, target);
}

export function and(left: Term, right: Term, target: Term = NOWHERE): Term {
  return concatBytes(bytes(0x7b), left, right, target);
}

export function or(left: Term, right: Term, target: Term = NOWHERE): Term {
  return concatBytes(bytes(0x7d), left, right, target);
}

export function createDWordField(source: Term, byteIndex: number, field: string): Term {
  return concatBytes(bytes(0x8a), source, integer(byteIndex), path(field));
}

export function notify(object: Term, value: number): Term {
  return concatBytes(bytes(0x86), object, integer(value));
}

export function ifThen(condition: Term, ...terms: readonly Term[]): Term {
  return withLength([0xa0], condition, ...terms);
}
