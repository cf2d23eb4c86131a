/**
 * The states of a VM and who may change them. Commands come from the operator; `ended` also comes from the guest
 * (power-off, triple fault, debug exit) and from a limit (timeout).
 *
 *     ready ──start──> running ──pause──> paused
 *       │               │  ^ │             │ │ ^
 *       │               │  │ └<──resume────┘ │ │
 *       │               │  └reset┘           │ └reset┘
 *       └────stop────>  └──stop, guest──> ended <──stop──┘
 *
 * `ended` is final. Stopping an ended VM does nothing, since a guest may end by itself at any moment; every other
 * command in a state that does not know it is the operator's error.
 */

import { OperatorFault } from "../base/index.ts";

export type VmState = "ready" | "running" | "paused" | "ended";
export type VmCommand = "start" | "pause" | "resume" | "reset" | "stop";

/** The state after a command; a missing entry is a refusal. */
const TRANSITIONS: Readonly<Record<VmState, Partial<Record<VmCommand, VmState>>>> = {
  ready: { start: "running", stop: "ended" },
  running: { pause: "paused", reset: "running", stop: "ended" },
  paused: { resume: "running", reset: "paused", stop: "ended" },
  ended: { stop: "ended" },
};

const DESCRIPTIONS: Readonly<Record<VmState, string>> = {
  ready: "has not been started",
  running: "is running",
  paused: "is paused",
  ended: "has ended",
};

/** A command that the VM's state does not allow. */
export class WrongStateFault extends OperatorFault {
  readonly state: VmState;
  readonly command: VmCommand;

  constructor(vmName: string, state: VmState, command: VmCommand) {
    super("wrong-state", `The VM ${vmName} ${DESCRIPTIONS[state]}: it cannot be told to ${command}.`);
    this.state = state;
    this.command = command;
  }
}

/** The state that follows, or a thrown {@link WrongStateFault}. */
export function nextState(vmName: string, state: VmState, command: VmCommand): VmState {
  const next = TRANSITIONS[state][command];
  if (next === undefined) throw new WrongStateFault(vmName, state, command);
  return next;
}
