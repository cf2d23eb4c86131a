/**
 * The protocol between a VM's process and whoever started it: typed messages over a channel that keeps their order.
 *
 * The parent sends "create" first and gets "created" or "refused"; then commands, each answered by "reply" with its
 * id. Bytes of each connector flow both ways under windows that both sides keep, so that neither can flood the other: output is
 * confirmed by "serialConsumed", input by "inputTaken". "ended" is the child's last message.
 */

import { MiB } from "../base/index.ts";
import type { OperatorError } from "../base/index.ts";
import type {
  CodeProfileFinding,
  CodeProfileTask,
  CaseButton,
  Connector,
  GuestMemory,
  InputEvent,
  MediumChange,
  TextScreen,
  VmDefinition,
  VmOutcome,
  VmState,
  VmStatistics,
} from "../vmm/index.ts";
import type { FrameUpdate } from "./frame-changes.ts";

export type VmProcessCommand = "start" | "pause" | "resume" | "reset" | "stop";

/** What the child should report by itself, until told otherwise. */
export interface Observation {
  /** Milliseconds between samples; undefined for none. */
  readonly sampleEveryMs: number | undefined;
  /** Milliseconds between looks at the text screen, which is sent when it has changed; undefined for none. */
  readonly screenEveryMs: number | undefined;
}

export type ToVmMessage =
  | {
      readonly kind: "create";
      readonly definition: VmDefinition;
      readonly codeProfile: CodeProfileTask | undefined;
    }
  | { readonly kind: "command"; readonly id: number; readonly command: VmProcessCommand }
  | { readonly kind: "serialInput"; readonly connector: Connector; readonly bytes: Uint8Array }
  | { readonly kind: "serialConsumed"; readonly connector: Connector; readonly byteCount: number }
  | { readonly kind: "observe"; readonly observation: Observation }
  /** Answered by "reply", as commands are. */
  | {
      readonly kind: "changeMedium";
      readonly id: number;
      readonly drive: string;
      readonly change: MediumChange;
    }
  /** For the PC's keyboard and mouse. */
  | { readonly kind: "input"; readonly inputs: readonly InputEvent[] }
  | { readonly kind: "pressButton"; readonly button: CaseButton }
  /** Asks for one "screenshot". */
  | { readonly kind: "takeScreenshot" }
  /** Asks for one "textScreen". */
  | { readonly kind: "readTextScreen" }
  /** Asks for one "frame": what has changed since the last one, or all of it. */
  | { readonly kind: "lookAtFrame"; readonly isWhole: boolean }
  /** The guest's balloon shall have this size. */
  | { readonly kind: "setBalloon"; readonly sizeBytes: number }
  /** Asks for one "guestMemory". */
  | { readonly kind: "askGuestMemory" }
  /** Asks for one "sample". */
  | { readonly kind: "measure" };

/** Resident memory of a VM's process. */
export interface ProcessMemory {
  readonly resident: number;
  /** What the guest has written of its RAM. */
  readonly touchedGuestRam: number;
  /** The others together, in bytes too. */
  readonly overhead: number;
  readonly parts: {
    /** Of programs and libraries, which processes share. */
    readonly programFiles: number;
    /** State, TLBs, translated code. */
    readonly enginePrefix: number;
    /** Machine code of regions and of the program. */
    readonly compiledCode: number;
    readonly anonymousRest: number;
  };
}

/** The resources of a VM's process and what the VM has done, all since its start. */
export interface VmSample {
  /** Monotonic host time of the child; only differences mean something. */
  readonly atNs: number;
  /** Processor time of the whole process. */
  readonly cpuTimeNs: number;
  readonly residentBytes: number;
  readonly peakResidentBytes: number;
  /** What is resident, by part: when asked for it and at the end, on hosts that tell. */
  readonly memory: ProcessMemory | undefined;
  readonly statistics: VmStatistics;
}

export type FromVmMessage =
  | { readonly kind: "created" }
  | { readonly kind: "refused"; readonly error: OperatorError }
  | { readonly kind: "reply"; readonly id: number; readonly error: OperatorError | undefined }
  | { readonly kind: "state"; readonly state: VmState }
  | { readonly kind: "serialOutput"; readonly connector: Connector; readonly bytes: Uint8Array }
  | { readonly kind: "inputTaken"; readonly connector: Connector; readonly byteCount: number }
  | { readonly kind: "sample"; readonly sample: VmSample }
  | { readonly kind: "screen"; readonly screen: TextScreen | undefined }
  /** A PNG file; undefined when the machine has no display. */
  | { readonly kind: "screenshot"; readonly png: Uint8Array | undefined }
  /** Undefined when the screen shows no text: graphics, or nothing. */
  | { readonly kind: "textScreen"; readonly screen: TextScreen | undefined }
  /** Undefined when the machine has no display. */
  | { readonly kind: "frame"; readonly update: FrameUpdate | undefined }
  /** Undefined when the machine has no balloon. */
  | { readonly kind: "guestMemory"; readonly memory: GuestMemory | undefined }
  /** At most once. */
  | { readonly kind: "codeProfile"; readonly found: CodeProfileFinding }
  | { readonly kind: "ended"; readonly outcome: VmOutcome; readonly sample: VmSample };

/** More than the largest picture takes that a display can show, even if nothing of it can be compressed. */
export const SCREENSHOT_MAX_BYTES = 32 * MiB;
/** Shorter would only heat the room. */
export const MIN_OBSERVATION_MS = 20;
