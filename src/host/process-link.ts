/** A VM's process as its parent sees it: a channel that keeps the order of messages, and a way to end it for good. */

import type { ToVmMessage } from "./messages.ts";

/** How a process went. */
export interface ProcessEnding {
  /** Undefined when a signal ended it, or when it could not even be started. */
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  /** The last of what it wrote to its standard error, or why it could not be started. */
  readonly lastWords: string;
}

export interface VmProcessLink {
  readonly pid: number | undefined;
  /** Does nothing once the process is gone. */
  send(message: ToVmMessage): void;
  /** Ends the process at once; "ended" follows. */
  kill(): void;
  /** Both are set once, before the first message can arrive. */
  listen(listeners: {
    readonly message: (message: unknown) => void;
    readonly ended: (ending: ProcessEnding) => void;
  }): void;
}

/** Starts the process of one VM. */
export type SpawnVmProcess = () => VmProcessLink;
