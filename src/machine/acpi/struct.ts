/**
 * ACPI's fixed structures as data: a layout lists the specification's fields in order, values are given by name.
 * What is not given is zero; a misspelt field does not compile.
 */

import { assert } from "../../base/index.ts";

const FIELD_BYTES = { u8: 1, u16: 2, u32: 4, u64: 8, gas: 12 } as const;
export type FieldType = keyof typeof FIELD_BYTES;

/** Generic Address Structure (section 5.2.3.2). */
export interface GenericAddress {
  readonly space: "memory" | "io";
  readonly bits: number;
  readonly address: number;
}
const ADDRESS_SPACE = { memory: 0, io: 1 } as const;
/** Access size by register width: 1 byte, 2 bytes, 4 bytes, 8 bytes; 0 leaves it to the OS. */
const ACCESS_SIZE: Readonly<Record<number, number>> = { 8: 1, 16: 2, 32: 3, 64: 4 };

export type StructLayout = readonly (readonly [name: string, type: FieldType])[];

/** A field that is nowhere valued. */
type FieldValue<T extends FieldType> = T extends "gas" ? GenericAddress : number;
export type StructValues<L extends StructLayout> = {
  readonly [F in L[number] as F[0]]?: FieldValue<F[1]>;
};

export function defineStruct<const L extends StructLayout>(layout: L): L {
  return layout;
}

export function structBytes(layout: StructLayout): number {
  return layout.reduce((sum, [, type]) => sum + FIELD_BYTES[type], 0);
}

/** Where a field begins. */
export function fieldOffset<const L extends StructLayout>(layout: L, field: L[number][0]): number {
  const index = layout.findIndex(([name]) => name === field);
  assert(index >= 0, `${field} is a field`);
  return structBytes(layout.slice(0, index));
}

export function encodeStruct<const L extends StructLayout>(layout: L, values: StructValues<L>): Uint8Array {
  const bytes = new Uint8Array(structBytes(layout));
  const view = new DataView(bytes.buffer);
  const given: Readonly<Record<string, number | GenericAddress | undefined>> = values;
  let at = 0;
  for (const [name, type] of layout) {
    const value = given[name];
    if (value !== undefined) writeField(view, at, type, value, name);
    at += FIELD_BYTES[type];
  }
  return bytes;
}

function writeField(
  view: DataView,
  at: number,
  type: FieldType,
  value: number | GenericAddress,
  name: string,
): void {
  if (typeof value !== "number") {
    view.setUint8(at, ADDRESS_SPACE[value.space]);
    view.setUint8(at + 1, value.bits);
    view.setUint8(at + 3, ACCESS_SIZE[value.bits] ?? 0);
    view.setBigUint64(at + 4, BigInt(value.address), true);
    return;
  }
  assert(value >= 0 && value < 2 ** (8 * FIELD_BYTES[type]), `${name} fits ${type}`);
  if (type === "u8") view.setUint8(at, value);
  else if (type === "u16") view.setUint16(at, value, true);
  else if (type === "u32") view.setUint32(at, value, true);
  else view.setBigUint64(at, BigInt(value), true);
}

/** What must be added to make the bytes sum to zero. */
export function checksum(bytes: Uint8Array): number {
  return -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
}
