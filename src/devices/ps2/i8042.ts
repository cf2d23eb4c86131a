/**
 * Keyboard controller: the Intel 8042 with IBM's firmware of the PS/2 (IBM PS/2 Hardware Interface Technical
 * Reference, "Keyboard and Auxiliary Device Controller"), ports 60h and 64h, with a keyboard and a mouse.
 *
 * The controller obeys at once; bytes from the devices take BYTE_TIME_NS each, so that a guest which reads port 60h
 * twice sees the same byte twice, as on hardware. After reset the command byte is what a PC's self-test leaves:
 * keyboard interrupts and translation on, the mouse's connector off.
 *
 * Deliberately missing: passwords, the diagnostic dump, and the test mode of commands nothing uses.
 */

import { NS_PER_US } from "../../base/index.ts";
import type { Clock, Device, DeviceState, IrqLine, RegisterHooks, Timer, Timers } from "../../hw/index.ts";
import { defineRegisters, RegisterFile, StateReader } from "../../hw/index.ts";
import { ByteQueue } from "../byte-queue.ts";
import type { Ps2Device } from "./ps2-device.ts";
import { SetTranslator } from "./scan-codes.ts";

export interface I8042Config {
  readonly clock: Clock;
  readonly timers: Timers;
  /** IRQ 1. */
  readonly keyboardIrq: IrqLine;
  /** IRQ 12. */
  readonly auxIrq: IrqLine;
  readonly keyboard: Ps2Device;
  readonly aux: Ps2Device;
  /** Output port bit 1. */
  readonly onA20: (enabled: boolean) => void;
  /** Output port bit 0 was pulled low or pulsed; called from within the guest's port write. */
  readonly onReset: () => void;
}

/** Less than the millisecond that eleven bits take on the wire, so that drivers that poll come up quickly. */
const BYTE_TIME_NS = 250 * NS_PER_US;

const REGISTERS = defineRegisters({
  data: { at: 0, read: "takeData", write: "dataWritten" },
  status: { at: 4, access: "ro", read: "readStatus" },
  command: { at: 4, access: "wo", write: "commandWritten" },
});
export const I8042_DATA_OFFSET = REGISTERS.data.at;
export const I8042_COMMAND_OFFSET = REGISTERS.command.at;

const STATUS = {
  outputFull: 0x01,
  systemFlag: 0x04,
  wasCommand: 0x08,
  notLocked: 0x10,
  auxOutput: 0x20,
} as const;
/** The command byte, controller RAM byte 0. */
const CONFIG = {
  keyboardInterrupt: 0x01,
  auxInterrupt: 0x02,
  systemFlag: 0x04,
  keyboardDisabled: 0x10,
  auxDisabled: 0x20,
  translate: 0x40,
} as const;
const CONFIG_AT_RESET = CONFIG.keyboardInterrupt | CONFIG.systemFlag | CONFIG.auxDisabled | CONFIG.translate;
const OUTPUT_PORT = { notReset: 0x01, a20: 0x02, keyboardFull: 0x10, auxFull: 0x20, lines: 0xc0 } as const;
const OUTPUT_PORT_AT_RESET = OUTPUT_PORT.lines | OUTPUT_PORT.a20 | OUTPUT_PORT.notReset;

const COMMAND = {
  readRam: 0x20,
  writeRam: 0x60,
  testPassword: 0xa4,
  disableAux: 0xa7,
  enableAux: 0xa8,
  testAux: 0xa9,
  selfTest: 0xaa,
  testKeyboard: 0xab,
  disableKeyboard: 0xad,
  enableKeyboard: 0xae,
  readInputPort: 0xc0,
  readOutputPort: 0xd0,
  writeOutputPort: 0xd1,
  writeKeyboardOutput: 0xd2,
  writeAuxOutput: 0xd3,
  writeAux: 0xd4,
  disableA20: 0xdd,
  enableA20: 0xdf,
  readTestInputs: 0xe0,
  pulse: 0xf0,
} as const;
const RAM_BYTES = 32;
const SELF_TEST_PASSED = 0x55;
const INTERFACE_GOOD = 0x00;
const NO_PASSWORD = 0xf1;
/** Input port: the keyboard is not locked. */
const INPUT_PORT = 0x80;

/** In the queue of the controller's own bytes: this one goes out as if the mouse had sent it. */
const FROM_AUX = 0x100;
const MAX_OWN_BYTES = 16;

export class I8042 implements Device, RegisterHooks<typeof REGISTERS> {
  readonly name = "i8042";
  readonly registers = new RegisterFile(REGISTERS, this);
  readonly #config: I8042Config;
  readonly #ram = new Uint8Array(RAM_BYTES);
  readonly #translator = new SetTranslator();
  /** Replies and looped bytes of the controller itself, which go out before those of devices. */
  readonly #own = new ByteQueue(MAX_OWN_BYTES);
  #output = 0;
  #outputFull = false;
  #outputFromAux = false;
  #outputPort: number = OUTPUT_PORT_AT_RESET;
  #wasCommand = false;
  /** The command whose byte of data is awaited at port 60h. */
  #awaiting: number | undefined;
  /** Set while a device's byte is on its way. */
  #wire: Timer | undefined;

  constructor(config: I8042Config) {
    this.#config = config;
    config.keyboard.onByte = () => this.#poll();
    config.aux.onByte = () => this.#poll();
    this.reset();
  }

  // Lifecycle.

  reset(): void {
    this.#ram.fill(0);
    this.#ram[0] = CONFIG_AT_RESET;
    this.#translator.isBreak = false;
    this.#own.clear();
    this.#output = 0;
    this.#outputFull = false;
    this.#outputFromAux = false;
    this.#wasCommand = false;
    this.#awaiting = undefined;
    this.#wire?.cancel();
    this.#wire = undefined;
    this.#setOutputPort(OUTPUT_PORT_AT_RESET);
    this.#update();
  }

  save(): DeviceState {
    return {
      ram: this.#ram.slice(),
      isBreak: this.#translator.isBreak,
      own: this.#own.toArray(),
      output: this.#output,
      outputFull: this.#outputFull,
      outputFromAux: this.#outputFromAux,
      outputPort: this.#outputPort,
      wasCommand: this.#wasCommand,
      awaiting: this.#awaiting ?? null,
    };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    this.#ram.set(reader.bytes("ram", RAM_BYTES));
    this.#translator.isBreak = reader.boolean("isBreak");
    this.#own.clear();
    for (const item of reader.integers("own", MAX_OWN_BYTES, 0x1ff)) this.#own.push(item);
    this.#output = reader.u8("output");
    this.#outputFull = reader.boolean("outputFull");
    this.#outputFromAux = reader.boolean("outputFromAux");
    this.#wasCommand = reader.boolean("wasCommand");
    this.#awaiting = reader.isNull("awaiting") ? undefined : reader.u8("awaiting");
    this.#setOutputPort(reader.u8("outputPort") | OUTPUT_PORT.notReset);
    this.#wire?.cancel();
    this.#wire = undefined;
    this.#update();
    this.#poll();
  }

  // Register hooks.

  takeData(): number {
    if (this.#outputFull) {
      this.#outputFull = false;
      // Both lines fall, so that the next byte makes an edge.
      this.#update();
      this.#poll();
    }
    return this.#output;
  }

  readStatus(): number {
    return (
      (this.#outputFull ? STATUS.outputFull : 0) |
      (this.#outputFull && this.#outputFromAux ? STATUS.auxOutput : 0) |
      (this.#has(CONFIG.systemFlag) ? STATUS.systemFlag : 0) |
      (this.#wasCommand ? STATUS.wasCommand : 0) |
      STATUS.notLocked
    );
  }

  dataWritten(byte: number): void {
    this.#wasCommand = false;
    const command = this.#awaiting;
    this.#awaiting = undefined;
    if (command === undefined) {
      // Talking to the keyboard switches its connector on.
      this.#configure(CONFIG.keyboardDisabled, false);
      this.#config.keyboard.receive(byte);
    } else this.#obeyWithData(command, byte);
    this.#update();
    this.#poll();
  }

  commandWritten(command: number): void {
    this.#wasCommand = true;
    this.#awaiting = undefined;
    this.#obey(command);
    this.#update();
    this.#poll();
  }

  // Workings.

  #obey(command: number): void {
    if (command >= COMMAND.pulse) {
      // Bits 0–3 that are clear pulse their output low for 6 µs; bit 0 is the CPU's reset.
      if ((command & OUTPUT_PORT.notReset) === 0) this.#config.onReset();
      return;
    }
    if (command >= COMMAND.readRam && command < COMMAND.readRam + RAM_BYTES) {
      this.#own.push(this.#ram[command - COMMAND.readRam] ?? 0);
      return;
    }
    if (command >= COMMAND.writeRam && command < COMMAND.writeRam + RAM_BYTES) {
      this.#awaiting = command;
      return;
    }
    switch (command) {
      case COMMAND.testPassword:
        this.#own.push(NO_PASSWORD);
        break;
      case COMMAND.disableAux:
      case COMMAND.enableAux:
        this.#configure(CONFIG.auxDisabled, command === COMMAND.disableAux);
        break;
      case COMMAND.disableKeyboard:
      case COMMAND.enableKeyboard:
        this.#configure(CONFIG.keyboardDisabled, command === COMMAND.disableKeyboard);
        break;
      case COMMAND.selfTest:
        this.#configure(CONFIG.systemFlag, true);
        this.#own.push(SELF_TEST_PASSED);
        break;
      case COMMAND.testAux:
      case COMMAND.testKeyboard:
        this.#own.push(INTERFACE_GOOD);
        break;
      case COMMAND.readInputPort:
        this.#own.push(INPUT_PORT);
        break;
      case COMMAND.readOutputPort:
        this.#own.push(this.#readOutputPort());
        break;
      case COMMAND.readTestInputs:
        this.#own.push(0);
        break;
      case COMMAND.disableA20:
      case COMMAND.enableA20: {
        const a20 = command === COMMAND.enableA20 ? OUTPUT_PORT.a20 : 0;
        this.#setOutputPort((this.#outputPort & ~OUTPUT_PORT.a20) | a20);
        break;
      }
      case COMMAND.writeOutputPort:
      case COMMAND.writeKeyboardOutput:
      case COMMAND.writeAuxOutput:
      case COMMAND.writeAux:
        this.#awaiting = command;
        break;
      default:
        // The 8042 ignores what it does not know.
        break;
    }
  }

  #obeyWithData(command: number, data: number): void {
    switch (command) {
      case COMMAND.writeOutputPort:
        this.#setOutputPort(data | OUTPUT_PORT.notReset);
        if ((data & OUTPUT_PORT.notReset) === 0) this.#config.onReset();
        break;
      case COMMAND.writeKeyboardOutput:
        this.#own.push(data);
        break;
      case COMMAND.writeAuxOutput:
        this.#own.push(data | FROM_AUX);
        break;
      case COMMAND.writeAux:
        this.#configure(CONFIG.auxDisabled, false);
        this.#config.aux.receive(data);
        break;
      default:
        this.#ram[command - COMMAND.writeRam] = data;
        break;
    }
  }

  #has(bit: number): boolean {
    return ((this.#ram[0] ?? 0) & bit) !== 0;
  }

  #configure(bit: number, set: boolean): void {
    const config = this.#ram[0] ?? 0;
    this.#ram[0] = set ? config | bit : config & ~bit;
  }

  #setOutputPort(value: number): void {
    this.#outputPort = value;
    this.#config.onA20((value & OUTPUT_PORT.a20) !== 0);
  }

  #readOutputPort(): number {
    const full = this.#outputFull
      ? this.#outputFromAux
        ? OUTPUT_PORT.auxFull
        : OUTPUT_PORT.keyboardFull
      : 0;
    return (this.#outputPort & ~(OUTPUT_PORT.keyboardFull | OUTPUT_PORT.auxFull)) | full;
  }

  /** Fills the output buffer if it is free: with a byte of our own at once, with a device's after its time. */
  #poll(): void {
    if (this.#outputFull) return;
    if (this.#own.length > 0) {
      const item = this.#own.shift();
      this.#fill(item & 0xff, (item & FROM_AUX) !== 0);
      return;
    }
    if (this.#wire !== undefined || this.#sender() === undefined) return;
    this.#wire = this.#config.timers.schedule(this.#config.clock.nowNs() + BYTE_TIME_NS, () => {
      this.#wire = undefined;
      this.#arrive();
    });
  }

  /** A device's byte has come over the wire, unless the buffer was filled or the connector switched off meanwhile. */
  #arrive(): void {
    const sender = this.#sender();
    if (this.#outputFull || sender === undefined) return;
    const byte = sender.takeByte();
    const fromAux = sender === this.#config.aux;
    const shown = fromAux || !this.#has(CONFIG.translate) ? byte : this.#translator.translate(byte);
    if (shown === undefined) this.#poll();
    else this.#fill(shown, fromAux);
  }

  #sender(): Ps2Device | undefined {
    const { keyboard, aux } = this.#config;
    if (keyboard.hasByte && !this.#has(CONFIG.keyboardDisabled)) return keyboard;
    if (aux.hasByte && !this.#has(CONFIG.auxDisabled)) return aux;
    return undefined;
  }

  #fill(byte: number, fromAux: boolean): void {
    this.#output = byte;
    this.#outputFull = true;
    this.#outputFromAux = fromAux;
    this.#update();
  }

  #update(): void {
    const keyboardFull = this.#outputFull && !this.#outputFromAux;
    const auxFull = this.#outputFull && this.#outputFromAux;
    this.#config.keyboardIrq.set(keyboardFull && this.#has(CONFIG.keyboardInterrupt));
    this.#config.auxIrq.set(auxFull && this.#has(CONFIG.auxInterrupt));
  }
}
