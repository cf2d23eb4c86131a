/**
 * The interrupt controllers of a board with one processor. ISA lines reach the 8259s and the I/O APIC; the 8259s' INTR is the
 * local APIC's LINT0, which passes it on as ExtINT, or directly while the APIC is disabled; the local APIC drives the
 * processor's pin. Messages are writes to FEEx_xxxx.
 */

import type { Clock, SendMessage, Timers } from "../../hw/index.ts";
import type { PlatformDescription } from "../acpi/index.ts";
import { IoApic } from "../irq/ioapic.ts";
import { ApicBus } from "../irq/lapic-bus.ts";
import { LocalApic } from "../irq/lapic.ts";
import { PicPair } from "../irq/pic-pair.ts";
import { IsaInterrupts } from "./isa-interrupts.ts";
import type { PoweredPins } from "./powered-pins.ts";

/** Bits 31:20 of an address. */
const MESSAGE_ADDRESS = 0xfee;

export class InterruptControllers {
  readonly localApic: LocalApic;
  readonly pic: PicPair;
  readonly ioApic: IoApic;
  readonly isa: IsaInterrupts;
  readonly sendMessage: SendMessage;

  constructor(parts: {
    readonly platform: PlatformDescription;
    readonly clock: Clock;
    readonly timers: Timers;
    readonly pins: PoweredPins;
    /** Guest time at which the TSC has this value. */
    readonly nsAtTsc: (tsc: bigint) => number;
  }) {
    const { platform, clock, timers, pins, nsAtTsc } = parts;
    const apicBus = new ApicBus();
    this.localApic = new LocalApic({
      apicId: platform.apicIds[0] ?? 0,
      ...{ clock, timers },
      bus: apicBus,
      cpu: {
        setInterruptLine: (level) => pins.setInterrupt(level),
        raiseNmi: () => pins.raiseNmi(),
        setTaskPriority: (priorityClass) => pins.setTaskPriority(priorityClass),
      },
      tsc: { nsAtTsc },
      acknowledgeExternal: () => this.pic.acknowledge(),
    });
    this.pic = new PicPair(this.localApic.lint0);
    this.ioApic = new IoApic(apicBus, platform.ioApic.id);
    this.isa = new IsaInterrupts(platform, this.pic, this.ioApic.inputs);
    this.sendMessage = (address, data) => {
      if (address >>> 20 === MESSAGE_ADDRESS) apicBus.deliverMsi(address, data);
    };
  }
}
