/**
 * The IDE controller of Intel's 82371SB PIIX3 (order 290550): function 1 of device 1, sections 2.3 (configuration) and
 * 4.8 (IDE interface). Two channels at the ports and interrupts of the PC/AT, which IDETIM and the command register
 * switch on, and the bus master at BMIBA.
 *
 * Timing registers hold what is written and change nothing: transfers take no time of their own. Deliberately missing:
 * native mode, which this controller has not either.
 */

import {
  definePciRegisters,
  PCI_COMMAND,
  PciConfigSpace,
  RegisterFile,
  StateReader,
} from "../../hw/index.ts";
import { fanOut } from "../../hw/index.ts";
import type {
  AccessSize,
  DeviceState,
  Dma,
  IrqLine,
  PciBuses,
  PciFunction,
  PortHandler,
  RegisterHooks,
} from "../../hw/index.ts";
import type { Releasable } from "../../base/index.ts";
import { BUS_MASTER_BYTES, BusMaster, busMasterPorts } from "./bus-master.ts";
import { COMMAND_BLOCK_BYTES, CONTROL_BLOCK_BYTES, IdeChannel } from "./ide-channel.ts";
import type { IdeDrive } from "./ide-drive.ts";

const REGISTERS = definePciRegisters({
  idetimPrimary: { at: 0x40, size: 2, reset: 0, writable: 0xf3ff },
  idetimSecondary: { at: 0x42, size: 2, reset: 0, writable: 0xf3ff },
  sidetim: { at: 0x44, reset: 0 },
});
const TIMING_NAMES = ["idetimPrimary", "idetimSecondary"] as const;
/** IDETIM: the channel's ports are decoded. */
const DECODE_ENABLE = 0x8000;
const BUS_MASTER_BAR = 4;
const RECEIVED_MASTER_ABORT = 1 << 13;

/** Where the channels have been since the PC/AT. */
export const IDE_CHANNELS = [
  { name: "primary", commandBlock: 0x1f0, controlBlock: 0x3f6, irq: 14 },
  { name: "secondary", commandBlock: 0x170, controlBlock: 0x376, irq: 15 },
] as const;
export const IDE_DRIVES_MAX = 4;

export interface Piix3IdeConfig {
  readonly buses: PciBuses;
  readonly dma: Dma;
  /** IRQ 14 and 15. */
  readonly irqs: readonly [IrqLine, IrqLine];
  /** Primary 0 and 1, secondary 0 and 1. */
  readonly drives: readonly (IdeDrive | undefined)[];
}

interface Channel {
  readonly ide: IdeChannel;
  readonly busMaster: BusMaster;
  claims: readonly Releasable[];
}

export class Piix3Ide implements PciFunction, RegisterHooks<typeof REGISTERS> {
  readonly name = "piix3-ide";
  readonly #registers = new RegisterFile(REGISTERS, this);
  readonly #config: PciConfigSpace;
  readonly #buses: PciBuses;
  readonly #channels: readonly Channel[];
  #conflicts = 0;

  constructor({ buses, dma, irqs, drives }: Piix3IdeConfig) {
    this.#buses = buses;
    this.#channels = IDE_CHANNELS.map(({ name }, index) => {
      const busMaster = new BusMaster({
        dma,
        isBusMaster: () => this.#config.isBusMaster,
        onMasterAbort: () => {
          this.#config.header.values.status |= RECEIVED_MASTER_ABORT;
        },
        onStart: () => ide.continueDma(),
      });
      // The bus master has seen the interrupt before the processor has.
      const intrq = fanOut(busMaster.interruptInput, irqs[index] ?? { set: () => undefined });
      const ide = new IdeChannel({
        name,
        drives: [drives[2 * index], drives[2 * index + 1]],
        irq: intrq,
        dma: busMaster,
      });
      return { ide, busMaster, claims: [] };
    });
    this.#config = new PciConfigSpace({
      name: this.name,
      identity: {
        vendorId: 0x8086,
        deviceId: 0x7010,
        baseClass: 0x01,
        subClass: 0x01,
        // A bus master, both channels fixed in compatibility mode.
        progIf: 0x80,
        commandWritable: PCI_COMMAND.busMaster,
        status: 0x0280,
      },
      bars: [
        undefined,
        undefined,
        undefined,
        undefined,
        {
          kind: "ports",
          sizeBytes: IDE_CHANNELS.length * BUS_MASTER_BYTES,
          handler: busMasterPorts(this.#channels.map(({ busMaster }) => busMaster)),
        },
      ],
      buses,
      registers: this.#registers,
    });
  }

  /** How often ports of a channel were taken when it was switched on; it is then not decoded. */
  get conflicts(): number {
    return this.#conflicts;
  }

  /** Where the bus master's registers are decoded. */
  get busMasterBase(): number | undefined {
    return this.#config.mappedAt(BUS_MASTER_BAR);
  }

  readConfig(offset: number, size: AccessSize): number {
    return this.#config.read(offset, size);
  }

  writeConfig(offset: number, size: AccessSize, value: number): void {
    this.#config.write(offset, size, value);
    this.#decodeChanged();
    for (const { ide } of this.#channels) ide.continueDma();
  }

  reset(): void {
    this.#config.reset();
    for (const { ide, busMaster } of this.#channels) {
      busMaster.reset();
      ide.reset();
    }
    this.#decodeChanged();
  }

  save(): DeviceState {
    return {
      config: this.#config.save(),
      channels: this.#channels.map(({ ide, busMaster }) => ({
        ide: ide.save(),
        busMaster: busMaster.save(),
      })),
    };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    this.#config.restore(reader.object("config"));
    reader.children("channels", this.#channels.length).forEach((saved, index) => {
      const channel = this.#channels[index];
      const path = `${this.name}.channels[${index}]`;
      channel?.ide.restore(saved.object("ide"), `${path}.ide`);
      // After the line, whose edge must not count twice.
      channel?.busMaster.restore(saved.object("busMaster"), `${path}.busMaster`);
    });
    this.#decodeChanged();
  }

  readReserved(): number {
    return 0;
  }

  #decodeChanged(): void {
    const isIoEnabled = (this.#config.header.values.command & PCI_COMMAND.io) !== 0;
    this.#channels.forEach((channel, index) => {
      const timing = this.#registers.values[TIMING_NAMES[index] ?? "idetimPrimary"];
      const isWanted = isIoEnabled && (timing & DECODE_ENABLE) !== 0;
      if (isWanted === channel.claims.length > 0) return;
      for (const claim of channel.claims) claim.release();
      channel.claims = isWanted ? this.#claim(channel.ide, index) : [];
    });
  }

  /** Both blocks of a channel, or none while something else has ports of them. */
  #claim(ide: IdeChannel, index: number): Releasable[] {
    const place = IDE_CHANNELS[index];
    if (place === undefined) return [];
    const name = `${this.name} ${place.name}`;
    const { ports } = this.#buses;
    const claim = (base: number, lengthBytes: number, handler: PortHandler) =>
      ports.tryClaim(name, base, lengthBytes, handler);
    const commandBlock = claim(place.commandBlock, COMMAND_BLOCK_BYTES, ide.commandBlock);
    const controlBlock = claim(place.controlBlock, CONTROL_BLOCK_BYTES, ide.controlBlock);
    if (commandBlock !== undefined && controlBlock !== undefined) return [commandBlock, controlBlock];
    commandBlock?.release();
    controlBlock?.release();
    this.#conflicts++;
    return [];
  }
}
