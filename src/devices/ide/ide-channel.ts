/**
 * One IDE channel: the cable with up to two drives, the command block and control block registers as the host reaches
 * them (ATA/ATAPI-6, sections 6.2, 6.3, 7 and 9.16), device selection, INTRQ and SRST.
 *
 * Both drives hear every register that is written, the selected one answers. Where nobody drives the bus, its lines are
 * pulled up except DD7, which the host pulls down (section 4.3), so that an empty channel does not look busy. Drive 0
 * alone answers for the missing drive 1, with a status of 0 (9.16.1); drive 1 alone leaves the bus to itself while
 * drive 0 is selected.
 */

import { allOnes } from "../../base/index.ts";
import { defineRegisters, RegisterFile, StateReader } from "../../hw/index.ts";
import type { AccessSize, DeviceState, IrqLine, PortHandler, RegisterHooks } from "../../hw/index.ts";
import { COMMAND_DIAGNOSE } from "./ata-commands.ts";
import { deviceRegister } from "./ide-drive.ts";
import type { DmaPath, IdeDrive } from "./ide-drive.ts";
import { DEVICE } from "./task-file.ts";
import type { DeepRegister } from "./task-file.ts";

const COMMAND_BLOCK = defineRegisters({
  error: { at: 1, access: "ro", read: "readError" },
  features: { at: 1, access: "wo", write: "writeFeatures" },
  sectorCount: { at: 2, read: "readSectorCount", write: "writeSectorCount" },
  lbaLow: { at: 3, read: "readLbaLow", write: "writeLbaLow" },
  lbaMid: { at: 4, read: "readLbaMid", write: "writeLbaMid" },
  lbaHigh: { at: 5, read: "readLbaHigh", write: "writeLbaHigh" },
  device: { at: 6, read: "readDevice", write: "writeDevice" },
  status: { at: 7, access: "ro", read: "readStatus" },
  command: { at: 7, access: "wo", write: "writeCommand" },
});
const DATA_OFFSET = 0;
export const COMMAND_BLOCK_BYTES = 8;

const CONTROL_BLOCK = defineRegisters({
  alternateStatus: { at: 0, access: "ro", read: "readAlternateStatus" },
  deviceControl: { at: 0, access: "wo", write: "writeDeviceControl" },
});
export const CONTROL_BLOCK_BYTES = 1;
const CONTROL = { interruptDisable: 0x02, softReset: 0x04, highOrder: 0x80 } as const;

const FLOATING = 0x7f;
const FLOATING_DATA = 0xff7f;

export interface IdeChannelConfig {
  readonly name: string;
  /** Drive 0 and drive 1. */
  readonly drives: readonly [IdeDrive | undefined, IdeDrive | undefined];
  /** INTRQ. */
  readonly irq: IrqLine;
  readonly dma: DmaPath;
}

export class IdeChannel implements RegisterHooks<typeof COMMAND_BLOCK>, RegisterHooks<typeof CONTROL_BLOCK> {
  readonly name: string;
  readonly drives: readonly [IdeDrive | undefined, IdeDrive | undefined];
  /** Eight ports: 1F0h or 170h. */
  readonly commandBlock: PortHandler = {
    readPort: (offset, size) =>
      offset === DATA_OFFSET ? this.#readData(size) : this.#commandBlock.read(offset, size),
    writePort: (offset, size, value) => {
      if (offset === DATA_OFFSET) this.#selected?.writeData(size, value);
      else this.#commandBlock.write(offset, size, value);
    },
  };
  /** One port: 3F6h or 376h. */
  readonly controlBlock: PortHandler = {
    readPort: (offset, size) => this.#controlBlock.read(offset, size),
    writePort: (offset, size, value) => this.#controlBlock.write(offset, size, value),
  };
  readonly #commandBlock = new RegisterFile(COMMAND_BLOCK, this);
  readonly #controlBlock = new RegisterFile(CONTROL_BLOCK, this);
  readonly #irq: IrqLine;
  /** The DEV bit as both drives have seen it. */
  #isSecondSelected = false;
  #deviceControl = 0;

  constructor({ name, drives, irq, dma }: IdeChannelConfig) {
    this.name = name;
    this.drives = drives;
    this.#irq = irq;
    for (const drive of drives) drive?.connect({ interruptChanged: () => this.#driveInterrupt(), dma });
  }

  /** The bus master was started, or may reach memory again. */
  continueDma(): void {
    for (const drive of this.drives) drive?.continueDma();
  }

  // Lifecycle, as the controller calls it.

  reset(): void {
    this.#deviceControl = 0;
    this.#isSecondSelected = false;
    for (const drive of this.drives) {
      drive?.beginReset();
      drive?.endReset(true);
    }
    this.#driveInterrupt();
  }

  save(): DeviceState {
    return {
      deviceControl: this.#deviceControl,
      isSecondSelected: this.#isSecondSelected,
      drive0: this.drives[0]?.save() ?? null,
      drive1: this.drives[1]?.save() ?? null,
    };
  }

  restore(state: DeviceState, path: string): void {
    const reader = new StateReader(path, state);
    this.#deviceControl = reader.u8("deviceControl");
    this.#isSecondSelected = reader.boolean("isSecondSelected");
    this.drives.forEach((drive, index) => {
      const field = `drive${index}`;
      if (drive === undefined) return;
      drive.restore(reader.object(field), `${path}.${field}`);
      // Only a back end kept it from being over.
      if (drive.isResetting && !this.#has(CONTROL.softReset)) drive.endReset(false);
    });
    this.#driveInterrupt();
  }

  // Command block.

  readError(): number {
    return this.#answering?.taskFile.error ?? FLOATING;
  }

  readSectorCount(): number {
    return this.#readDeep("sectorCount");
  }

  readLbaLow(): number {
    return this.#readDeep("lbaLow");
  }

  readLbaMid(): number {
    return this.#readDeep("lbaMid");
  }

  readLbaHigh(): number {
    return this.#readDeep("lbaHigh");
  }

  readDevice(): number {
    const drive = this.#answering;
    return drive === undefined ? FLOATING : deviceRegister(drive.taskFile, this.#isSecondSelected);
  }

  /** Reading the status register acknowledges the interrupt; the alternate status does not. */
  readStatus(): number {
    const drive = this.#selected;
    return drive === undefined ? this.#absentStatus : drive.readStatus();
  }

  writeFeatures(value: number): void {
    this.#writeDeep("features", value);
  }

  writeSectorCount(value: number): void {
    this.#writeDeep("sectorCount", value);
  }

  writeLbaLow(value: number): void {
    this.#writeDeep("lbaLow", value);
  }

  writeLbaMid(value: number): void {
    this.#writeDeep("lbaMid", value);
  }

  writeLbaHigh(value: number): void {
    this.#writeDeep("lbaHigh", value);
  }

  writeDevice(value: number): void {
    this.#deviceControl &= ~CONTROL.highOrder;
    // While a drive is busy or moves data, what is written here is undefined; drives keep their selection.
    if (this.#selected?.isOccupied === true) return;
    for (const drive of this.drives) if (drive !== undefined) drive.taskFile.device = value;
    this.#isSecondSelected = (value & DEVICE.dev) !== 0;
    this.#driveInterrupt();
  }

  writeCommand(command: number): void {
    this.#deviceControl &= ~CONTROL.highOrder;
    const drive = this.#selected;
    if (command === COMMAND_DIAGNOSE && drive?.isOccupied !== true) this.#diagnose();
    else drive?.writeCommand(command);
  }

  // Control block.

  readAlternateStatus(): number {
    return this.#selected?.status ?? this.#absentStatus;
  }

  writeDeviceControl(value: number): void {
    const wasReset = this.#has(CONTROL.softReset);
    this.#deviceControl = value & (CONTROL.interruptDisable | CONTROL.softReset | CONTROL.highOrder);
    const isReset = this.#has(CONTROL.softReset);
    if (isReset !== wasReset) {
      this.#isSecondSelected = false;
      for (const drive of this.drives) {
        if (isReset) drive?.beginReset();
        else drive?.endReset(false);
      }
    }
    this.#driveInterrupt();
  }

  // Workings.

  get #selected(): IdeDrive | undefined {
    return this.drives[this.#isSecondSelected ? 1 : 0];
  }

  /** Whose registers the host reads. */
  get #answering(): IdeDrive | undefined {
    return this.#selected ?? (this.#isSecondSelected ? this.drives[0] : undefined);
  }

  get #absentStatus(): number {
    return this.#answering === undefined ? FLOATING : 0;
  }

  #has(bit: number): boolean {
    return (this.#deviceControl & bit) !== 0;
  }

  #readData(size: AccessSize): number {
    const drive = this.#selected;
    if (drive !== undefined) return drive.readData(size);
    const word = this.#answering === undefined ? FLOATING_DATA : 0;
    return (((word << 16) | word) & allOnes(size)) >>> 0;
  }

  #readDeep(register: DeepRegister): number {
    const drive = this.#answering;
    if (drive === undefined) return FLOATING;
    return drive.taskFile.byte(register, this.#has(CONTROL.highOrder));
  }

  #writeDeep(register: DeepRegister, value: number): void {
    this.#deviceControl &= ~CONTROL.highOrder;
    if (this.#selected?.isOccupied === true) return;
    for (const drive of this.drives) drive?.taskFile.push(register, value);
  }

  #diagnose(): void {
    this.#isSecondSelected = false;
    this.drives.forEach((drive, index) => drive?.diagnose({ hasInterrupt: index === 0 }));
  }

  #driveInterrupt(): void {
    const isEnabled = !this.#has(CONTROL.interruptDisable);
    this.#irq.set(isEnabled && this.#selected?.isInterrupting === true);
  }
}
