/** The 82077AA's commands and status bits (data sheet, table 5-1 and section 6), as data. */

export type ControlCommand =
  | "specify"
  | "senseDriveStatus"
  | "recalibrate"
  | "senseInterruptStatus"
  | "dumpRegisters"
  | "seek"
  | "relativeSeek"
  | "version"
  | "perpendicularMode"
  | "configure"
  | "lock";

export type TransferCommand =
  | "readData"
  | "readDeletedData"
  | "writeData"
  | "writeDeletedData"
  | "readTrack"
  | "verify"
  | "readId"
  | "formatTrack";

interface CommandCode {
  /** The fixed bits of the first byte, and their values. */
  readonly mask: number;
  readonly code: number;
  /** Bytes of the command phase, the first one included. */
  readonly lengthBytes: number;
}
export type CommandRow = CommandCode &
  (
    | { readonly kind: "control"; readonly name: ControlCommand }
    | { readonly kind: "transfer"; readonly name: TransferCommand }
  );

/** Modifier bits of the first byte. */
export const MODIFIER = { multiTrack: 0x80, mfm: 0x40, skip: 0x20 } as const;

export const COMMANDS: readonly CommandRow[] = [
  { kind: "transfer", name: "readTrack", mask: 0xbf, code: 0x02, lengthBytes: 9 },
  { kind: "control", name: "specify", mask: 0xff, code: 0x03, lengthBytes: 3 },
  { kind: "control", name: "senseDriveStatus", mask: 0xff, code: 0x04, lengthBytes: 2 },
  { kind: "transfer", name: "writeData", mask: 0x3f, code: 0x05, lengthBytes: 9 },
  { kind: "transfer", name: "readData", mask: 0x1f, code: 0x06, lengthBytes: 9 },
  { kind: "control", name: "recalibrate", mask: 0xff, code: 0x07, lengthBytes: 2 },
  { kind: "control", name: "senseInterruptStatus", mask: 0xff, code: 0x08, lengthBytes: 1 },
  { kind: "transfer", name: "writeDeletedData", mask: 0x3f, code: 0x09, lengthBytes: 9 },
  { kind: "transfer", name: "readId", mask: 0xbf, code: 0x0a, lengthBytes: 2 },
  { kind: "transfer", name: "readDeletedData", mask: 0x1f, code: 0x0c, lengthBytes: 9 },
  { kind: "transfer", name: "formatTrack", mask: 0xbf, code: 0x0d, lengthBytes: 6 },
  { kind: "control", name: "dumpRegisters", mask: 0xff, code: 0x0e, lengthBytes: 1 },
  { kind: "control", name: "seek", mask: 0xff, code: 0x0f, lengthBytes: 3 },
  { kind: "control", name: "version", mask: 0xff, code: 0x10, lengthBytes: 1 },
  { kind: "control", name: "perpendicularMode", mask: 0xff, code: 0x12, lengthBytes: 2 },
  { kind: "control", name: "configure", mask: 0xff, code: 0x13, lengthBytes: 4 },
  { kind: "control", name: "lock", mask: 0x7f, code: 0x14, lengthBytes: 1 },
  { kind: "transfer", name: "verify", mask: 0x1f, code: 0x16, lengthBytes: 9 },
  { kind: "control", name: "relativeSeek", mask: 0xbf, code: 0x8f, lengthBytes: 3 },
];
export const MAX_COMMAND_BYTES = 9;
export const MAX_RESULT_BYTES = 10;

/** The command that begins with `byte`; undefined for an invalid one. */
export function commandOf(byte: number): CommandRow | undefined {
  return COMMANDS.find((row) => (byte & row.mask) === row.code);
}

export const ST0 = {
  abnormal: 0x40,
  invalid: 0x80,
  polled: 0xc0,
  seekEnd: 0x20,
  equipmentCheck: 0x10,
} as const;
export const ST1 = {
  missingAddressMark: 0x01,
  notWritable: 0x02,
  noData: 0x04,
  overrun: 0x10,
  dataError: 0x20,
  endOfCylinder: 0x80,
} as const;
export const ST2 = { wrongCylinder: 0x10, dataErrorInField: 0x20, controlMark: 0x40 } as const;
/** Bits 3 and 5 are always set. */
export const ST3 = { always: 0x28, track0: 0x10, writeProtected: 0x40 } as const;
/** HDS and DS of the second command byte, as they come back in ST0 and ST3. */
export const SELECT = { drive: 0x03, head: 0x04 } as const;
