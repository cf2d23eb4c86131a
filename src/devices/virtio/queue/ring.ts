/** What the two layouts of virtqueues have in common, as Virtqueue uses them. */

import type { DescriptorChain, QueueFault } from "./descriptor-chain.ts";

export interface QueueSetup {
  readonly size: number;
  /** The areas as section 2.6 names them. */
  readonly descriptorGpa: number;
  readonly driverGpa: number;
  readonly deviceGpa: number;
  readonly isPacked: boolean;
  readonly hasIndirect: boolean;
  readonly hasEventIndex: boolean;
}

/** How far a ring has been worked through: 16 bits each, in a packed ring an index with its wrap counter in bit 15. */
export interface RingCursors {
  readonly nextAvailable: number;
  readonly nextUsed: number;
  /** `nextUsed` when it was last decided whether to interrupt. */
  readonly interruptedAt: number;
}

export interface Ring {
  /** Whether the ring can be worked with at all; nothing else may be called where it cannot. */
  check(): QueueFault | undefined;
  /** The next available chain, if there is one. */
  take(): DescriptorChain | QueueFault | undefined;
  complete(chain: DescriptorChain, writtenBytes: number): void;
  /** Whether the driver wants an interrupt for what was completed since the last call. */
  takeInterrupt(): boolean;
  /** Whether the driver should tell of new buffers from now on. */
  setNotifications(isWanted: boolean): void;
  cursors: RingCursors;
}
