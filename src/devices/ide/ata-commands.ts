/**
 * The commands of an ATA disk by their codes (ATA/ATAPI-6 chapter 8 and its table E.2; those that later standards have
 * made obsolete and old systems use: ATA-1 and ATA/ATAPI-5). A code that is not here is aborted.
 */

export interface TransferCommand {
  readonly kind: "transfer";
  /** "verify" reads and moves nothing. */
  readonly direction: "in" | "out" | "verify";
  readonly by: "pio" | "dma";
  /** The 48-bit address feature set. */
  readonly isWide: boolean;
  /** Blocks of several sectors, as SET MULTIPLE MODE says. */
  readonly isMultiple: boolean;
  /** Forced unit access: on the medium before the command ends. */
  readonly isForced: boolean;
}

const SIMPLE_KINDS = [
  "check power mode",
  "diagnose",
  "flush",
  "identify",
  "idle",
  "initialize device parameters",
  "nop",
  "read native max",
  "read native max wide",
  "seek",
  "recalibrate",
  "set features",
  "set multiple mode",
  "sleep",
  "standby",
] as const;
export interface SimpleCommand {
  readonly kind: (typeof SIMPLE_KINDS)[number];
}
export type AtaCommand = TransferCommand | SimpleCommand;

export const COMMAND_DIAGNOSE = 0x90;

type Flag = "wide" | "multiple" | "forced";
const transfer = (
  direction: TransferCommand["direction"],
  by: TransferCommand["by"],
  ...flags: readonly Flag[]
): TransferCommand => ({
  kind: "transfer",
  direction,
  by,
  isWide: flags.includes("wide"),
  isMultiple: flags.includes("multiple"),
  isForced: flags.includes("forced"),
});
const simple = (kind: SimpleCommand["kind"]): SimpleCommand => ({ kind });

const COMMANDS: ReadonlyMap<number, AtaCommand> = new Map<number, AtaCommand>([
  [0x00, simple("nop")],
  // RECALIBRATE and SEEK had sixteen codes each, one for every step rate.
  ...codes(0x10, 16).map((code) => [code, simple("recalibrate")] as const),
  ...codes(0x70, 16).map((code) => [code, simple("seek")] as const),
  // With and without retries.
  [0x20, transfer("in", "pio")],
  [0x21, transfer("in", "pio")],
  [0x24, transfer("in", "pio", "wide")],
  [0x25, transfer("in", "dma", "wide")],
  [0x27, simple("read native max wide")],
  [0x29, transfer("in", "pio", "wide", "multiple")],
  [0x30, transfer("out", "pio")],
  [0x31, transfer("out", "pio")],
  [0x34, transfer("out", "pio", "wide")],
  [0x35, transfer("out", "dma", "wide")],
  [0x39, transfer("out", "pio", "wide", "multiple")],
  [0x3d, transfer("out", "dma", "wide", "forced")],
  [0x40, transfer("verify", "pio")],
  [0x41, transfer("verify", "pio")],
  [0x42, transfer("verify", "pio", "wide")],
  [COMMAND_DIAGNOSE, simple("diagnose")],
  [0x91, simple("initialize device parameters")],
  // ATA-1's codes of the power management commands, and today's.
  [0x94, simple("standby")],
  [0x95, simple("idle")],
  [0x96, simple("standby")],
  [0x97, simple("idle")],
  [0x98, simple("check power mode")],
  [0x99, simple("sleep")],
  [0xc4, transfer("in", "pio", "multiple")],
  [0xc5, transfer("out", "pio", "multiple")],
  [0xc6, simple("set multiple mode")],
  [0xc8, transfer("in", "dma")],
  [0xc9, transfer("in", "dma")],
  [0xca, transfer("out", "dma")],
  [0xcb, transfer("out", "dma")],
  [0xce, transfer("out", "pio", "wide", "multiple", "forced")],
  [0xe0, simple("standby")],
  [0xe1, simple("idle")],
  [0xe2, simple("standby")],
  [0xe3, simple("idle")],
  [0xe5, simple("check power mode")],
  [0xe6, simple("sleep")],
  [0xe7, simple("flush")],
  [0xea, simple("flush")],
  [0xec, simple("identify")],
  [0xef, simple("set features")],
  [0xf8, simple("read native max")],
]);

export function ataCommand(code: number): AtaCommand | undefined {
  return COMMANDS.get(code);
}

function codes(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}
