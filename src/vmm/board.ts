/** What a VM uses of the machine it is: the part of the PC's board that is seen from above. */

import type { PcBoard } from "../machine/index.ts";

export type Board = Pick<
  PcBoard,
  | "balloon"
  | "bus"
  | "frame"
  | "keyboard"
  | "memoryMap"
  | "mouse"
  | "platform"
  | "pressButton"
  | "removableDrives"
  | "reset"
  | "resume"
  | "resumesAfterReset"
  | "rsdpGpa"
  | "serveFirmware"
  | "serialInput"
  | "serialReady"
  | "textScreen"
>;
