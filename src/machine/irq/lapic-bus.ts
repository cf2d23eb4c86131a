/**
 * Interrupt messages between I/O APICs, devices that send MSIs, and local APICs (Intel SDM volume 3A, 11.6.2
 * "Determining IPI Destination" and 11.11 "Message Signalled Interrupts"; chapter 10 in older editions).
 *
 * Missing on purpose: arbitration by priority on the bus, remote reads, SMI and ExtINT messages; x2APIC destinations.
 */

/** Delivery modes by their number in the ICR, LVT and redirection entries. */
export const DELIVERY_MODE = {
  fixed: 0,
  lowestPriority: 1,
  smi: 2,
  nmi: 4,
  init: 5,
  startUp: 6,
  extInt: 7,
} as const;

export interface InterruptMessage {
  /** 0–255; 255 is everybody in physical mode. */
  readonly destination: number;
  readonly isLogical: boolean;
  readonly deliveryMode: number;
  readonly vector: number;
  readonly isLevel: boolean;
}

/** A local APIC as the bus sees it. */
export interface MessageTarget {
  readonly apicId: number;
  /** Whether the message's logical destination includes this APIC. */
  matchesLogical(destination: number): boolean;
  /** The lower, the better for lowest-priority delivery. */
  readonly processorPriority: number;
  /** Whether fixed interrupts are taken at all: the APIC is enabled by software. */
  readonly acceptsFixed: boolean;
  receive(message: InterruptMessage): void;
}

/** Told when a level-triggered interrupt ends. */
export interface EoiListener {
  endOfInterrupt(vector: number): void;
}

const PHYSICAL_BROADCAST = 0xff;

export class ApicBus {
  readonly #targets: MessageTarget[] = [];
  readonly #listeners: EoiListener[] = [];

  attachLocalApic(target: MessageTarget): void {
    this.#targets.push(target);
  }

  attachIoApic(listener: EoiListener): void {
    this.#listeners.push(listener);
  }

  /** Whether any local APIC took the message. */
  deliver(message: InterruptMessage): boolean {
    const addressed = this.#targets.filter((target) => isAddressed(target, message));
    return this.#deliverTo(addressed, message);
  }

  /** To all, or to all but `sender`: the ICR's shorthands. */
  broadcast(message: InterruptMessage, except?: MessageTarget): boolean {
    return this.#deliverTo(
      this.#targets.filter((target) => target !== except),
      message,
    );
  }

  broadcastEoi(vector: number): void {
    for (const listener of this.#listeners) listener.endOfInterrupt(vector);
  }

  /**
   * A device's write of `data` to FEEx_xxxx. Address bits 12–19 are the destination, bit 2 its mode (bit 3, the
   * redirection hint, only repeats what the delivery mode says).
   */
  deliverMsi(address: number, data: number): boolean {
    return this.deliver({
      destination: (address >>> 12) & 0xff,
      isLogical: (address & 0x4) !== 0,
      deliveryMode: (data >>> 8) & 7,
      vector: data & 0xff,
      isLevel: (data & 0x8000) !== 0,
    });
  }

  #deliverTo(addressed: readonly MessageTarget[], message: InterruptMessage): boolean {
    const { deliveryMode } = message;
    const isFixed = deliveryMode === DELIVERY_MODE.fixed || deliveryMode === DELIVERY_MODE.lowestPriority;
    const takers = isFixed ? addressed.filter((target) => target.acceptsFixed) : addressed;
    if (deliveryMode === DELIVERY_MODE.lowestPriority) {
      const [first, ...others] = takers;
      if (first === undefined) return false;
      others
        .reduce((best, target) => (target.processorPriority < best.processorPriority ? target : best), first)
        .receive(message);
      return true;
    }
    for (const target of takers) target.receive(message);
    return takers.length > 0;
  }
}

function isAddressed(target: MessageTarget, message: InterruptMessage): boolean {
  const { destination } = message;
  if (message.isLogical) return target.matchesLogical(destination);
  return destination === PHYSICAL_BROADCAST || destination === target.apicId;
}
