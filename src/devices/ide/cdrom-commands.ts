/**
 * Which commands a CD-ROM drive knows (SFF-8020i section 10.8, MMC-3 chapter 6), by operation code, and what of the
 * drive's state may keep them from being carried out.
 */

export type CdromCommand =
  | "test unit ready"
  | "request sense"
  | "inquiry"
  | "mode select 6"
  | "mode sense 6"
  | "start stop unit"
  | "prevent allow medium removal"
  | "read capacity"
  | "read 10"
  | "seek"
  | "read sub-channel"
  | "read toc"
  | "get configuration"
  | "get event status notification"
  | "read disc information"
  | "read track information"
  | "mode select 10"
  | "mode sense 10"
  | "read 12"
  | "read cd msf"
  | "set cd speed"
  | "mechanism status"
  | "read cd";

interface CommandSpec {
  readonly command: CdromCommand;
  /** Fails with NOT READY when there is no disc, or the tray is open. */
  readonly needsDisc: boolean;
  /** A unit attention is reported by other commands, not by this one. */
  readonly isPatient: boolean;
}

const spec = (command: CdromCommand, ...flags: readonly ("disc" | "patient")[]): CommandSpec => ({
  command,
  needsDisc: flags.includes("disc"),
  isPatient: flags.includes("patient"),
});

const COMMANDS: ReadonlyMap<number, CommandSpec> = new Map([
  [0x00, spec("test unit ready", "disc")],
  [0x03, spec("request sense", "patient")],
  [0x12, spec("inquiry", "patient")],
  [0x15, spec("mode select 6")],
  [0x1a, spec("mode sense 6")],
  [0x1b, spec("start stop unit")],
  [0x1e, spec("prevent allow medium removal")],
  [0x25, spec("read capacity", "disc")],
  [0x28, spec("read 10", "disc")],
  [0x2b, spec("seek", "disc")],
  [0x42, spec("read sub-channel", "disc")],
  [0x43, spec("read toc", "disc")],
  [0x46, spec("get configuration", "patient")],
  [0x4a, spec("get event status notification", "patient")],
  [0x51, spec("read disc information", "disc")],
  [0x52, spec("read track information", "disc")],
  [0x55, spec("mode select 10")],
  [0x5a, spec("mode sense 10")],
  [0xa8, spec("read 12", "disc")],
  [0xb9, spec("read cd msf", "disc")],
  [0xbb, spec("set cd speed")],
  [0xbd, spec("mechanism status")],
  [0xbe, spec("read cd", "disc")],
]);

export function cdromCommand(operationCode: number): CommandSpec | undefined {
  return COMMANDS.get(operationCode);
}
