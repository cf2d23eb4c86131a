/**
 * PS/2 keyboard (IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device Controller" and
 * "Keyboards"; the MF2 with ID 83ABh): sends scan code set 2 or 1 and obeys the commands that operating systems use. A key that is
 * held repeats by itself: that it is pressed again meanwhile, as by the repeat of the host's keyboard, is nothing new to it.
 *
 * Deliberately missing: scan code set 3 with its per-key commands.
 */

import { NS_PER_MS } from "../../base/index.ts";
import type { Device, DeviceState, Timer } from "../../hw/index.ts";
import { StateReader } from "../../hw/index.ts";
import { ByteQueue } from "../byte-queue.ts";
import { PS2_REPLY } from "./ps2-device.ts";
import type { Ps2Device } from "./ps2-device.ts";
import { breakCode, makeCode, SetTranslator } from "./scan-codes.ts";
import type { KeyCode } from "./scan-codes.ts";
import { Typematic, TYPEMATIC_DEFAULT, TYPEMATIC_MAX } from "./typematic.ts";
import type { TypematicParts } from "./typematic.ts";
import { usKeyStroke } from "./us-layout.ts";

/** Key events waiting on the host's side until the guest has read what came before them. */
export const MAX_PENDING_KEY_EVENTS = 4096;
/**
 * Between the keys of a text: a fast typist's on a fast keyboard, so that programs take keys from the BIOS's buffer, which
 * holds 15, before it is full.
 */
export const TYPED_KEY_NS = 10 * NS_PER_MS;
/** Longer than the longest reply or key sequence. */
const OUTPUT_BYTES = 16;

const COMMAND = {
  setLeds: 0xed,
  echo: 0xee,
  scanCodeSet: 0xf0,
  identify: 0xf2,
  setTypematic: 0xf3,
  enable: 0xf4,
  disable: 0xf5,
  setDefaults: 0xf6,
  resend: 0xfe,
  reset: 0xff,
} as const;
/** Commands followed by a byte of data. */
const COMMANDS_WITH_DATA: readonly number[] = [COMMAND.setLeds, COMMAND.scanCodeSet, COMMAND.setTypematic];
const IDENTITY = [0xab, 0x83] as const;
/** Pause has no break code, so that nothing would end its repeat. */
const WITHOUT_REPEAT: KeyCode = "Pause";

interface KeyEvent {
  readonly key: KeyCode;
  readonly down: boolean;
  /** It comes {@link TYPED_KEY_NS} behind the one before it that does, or later. */
  readonly isTyped: boolean;
}

export interface KeyboardLeds {
  readonly scrollLock: boolean;
  readonly numLock: boolean;
  readonly capsLock: boolean;
}

export class Ps2Keyboard implements Device, Ps2Device {
  readonly name = "keyboard";
  onByte: () => void = () => {};
  readonly #output = new ByteQueue(OUTPUT_BYTES);
  readonly #events: KeyEvent[] = [];
  /** Keys that are down on the host's side. */
  readonly #held = new Set<KeyCode>();
  readonly #typematic: Typematic;
  readonly #parts: TypematicParts;
  /** When the next key of a text may come. */
  #typedFromNs = 0;
  /** Set while one waits for that. */
  #typing: Timer | undefined;
  #command: number | undefined;
  #lastSent = 0;
  #isScanning = true;
  #set = 2;
  #leds = 0;

  constructor(parts: TypematicParts) {
    this.#parts = parts;
    this.#typematic = new Typematic(parts, (key) => this.#repeat(key));
  }

  // The host's side.

  /** A key goes down or up. False when too many events are waiting. */
  key(key: KeyCode, down: boolean): boolean {
    return this.#give({ key, down, isTyped: false });
  }

  /** Types `text` as on a US keyboard, a key every {@link TYPED_KEY_NS}, and returns how many characters were typed; stops at one that cannot be. */
  type(text: string): number {
    let typed = 0;
    for (const character of text) {
      const stroke = usKeyStroke(character);
      if (stroke === undefined || this.#events.length + 4 > MAX_PENDING_KEY_EVENTS) return typed;
      if (stroke.shift) this.key("ShiftLeft", true);
      this.#give({ key: stroke.key, down: true, isTyped: true });
      this.key(stroke.key, false);
      if (stroke.shift) this.key("ShiftLeft", false);
      typed++;
    }
    return typed;
  }

  get leds(): KeyboardLeds {
    return {
      scrollLock: (this.#leds & 1) !== 0,
      numLock: (this.#leds & 2) !== 0,
      capsLock: (this.#leds & 4) !== 0,
    };
  }

  // The controller's side.

  get hasByte(): boolean {
    return this.#output.length > 0;
  }

  takeByte(): number {
    this.#lastSent = this.#output.shift();
    this.#feed();
    return this.#lastSent;
  }

  receive(byte: number): void {
    // A command interrupts what the keyboard was sending.
    this.#output.clear();
    const command = this.#command;
    this.#command = undefined;
    // A byte of data never looks like a command; one that does replaces the command that waited for it.
    if (command !== undefined && byte < COMMAND.setLeds) this.#obeyWithData(command, byte);
    else this.#obey(byte);
  }

  // Lifecycle.

  reset(): void {
    this.#output.clear();
    this.#events.length = 0;
    this.#typing?.cancel();
    this.#typing = undefined;
    this.#setDefaults();
    this.#leds = 0;
  }

  /** Without the keys that are held: who restores a machine has let them go. */
  save(): DeviceState {
    return {
      output: this.#output.toArray(),
      command: this.#command ?? null,
      lastSent: this.#lastSent,
      isScanning: this.#isScanning,
      set: this.#set,
      leds: this.#leds,
      typematic: this.#typematic.setting,
    };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    this.#output.clear();
    for (const byte of reader.integers("output", OUTPUT_BYTES, 0xff)) this.#output.push(byte);
    this.#command = reader.isNull("command") ? undefined : reader.u8("command");
    this.#lastSent = reader.u8("lastSent");
    this.#isScanning = reader.boolean("isScanning");
    this.#set = reader.integer("set", 2);
    this.#leds = reader.integer("leds", 7);
    this.#typematic.setting = reader.integer("typematic", TYPEMATIC_MAX);
    this.#typematic.stop();
    this.#typedFromNs = 0;
    this.#held.clear();
  }

  // Workings.

  #obey(command: number): void {
    if (COMMANDS_WITH_DATA.includes(command)) {
      this.#command = command;
      this.#send(PS2_REPLY.acknowledge);
      return;
    }
    switch (command) {
      case COMMAND.echo:
        this.#send(COMMAND.echo);
        break;
      case COMMAND.identify:
        this.#send(PS2_REPLY.acknowledge, ...IDENTITY);
        break;
      case COMMAND.enable:
        this.#isScanning = true;
        this.#send(PS2_REPLY.acknowledge);
        break;
      case COMMAND.disable:
        this.#setDefaults();
        this.#isScanning = false;
        this.#send(PS2_REPLY.acknowledge);
        break;
      case COMMAND.setDefaults:
        this.#setDefaults();
        this.#send(PS2_REPLY.acknowledge);
        break;
      case COMMAND.resend:
        this.#send(this.#lastSent);
        break;
      case COMMAND.reset:
        this.reset();
        this.#send(PS2_REPLY.acknowledge, PS2_REPLY.selfTestPassed);
        break;
      default:
        this.#send(PS2_REPLY.resend);
        break;
    }
  }

  #obeyWithData(command: number, data: number): void {
    if (command === COMMAND.scanCodeSet && data === 0) {
      this.#send(PS2_REPLY.acknowledge, this.#set);
      return;
    }
    if (command === COMMAND.scanCodeSet && data !== 1 && data !== 2) {
      this.#send(PS2_REPLY.resend);
      return;
    }
    if (command === COMMAND.scanCodeSet) this.#set = data;
    if (command === COMMAND.setLeds) this.#leds = data & 7;
    if (command === COMMAND.setTypematic) this.#typematic.setting = data & TYPEMATIC_MAX;
    this.#send(PS2_REPLY.acknowledge);
  }

  #setDefaults(): void {
    this.#command = undefined;
    this.#isScanning = true;
    this.#set = 2;
    this.#typematic.setting = TYPEMATIC_DEFAULT;
    this.#typematic.stop();
  }

  #send(...bytes: readonly number[]): void {
    for (const byte of bytes) this.#output.push(byte);
    this.onByte();
  }

  #give(event: KeyEvent): boolean {
    const { key, down } = event;
    if (down && this.#held.has(key)) return true;
    if (this.#events.length >= MAX_PENDING_KEY_EVENTS) return false;
    if (down) this.#held.add(key);
    else this.#held.delete(key);
    this.#events.push(event);
    this.#feed();
    return true;
  }

  /** Moves the next key event to the output when everything before it has been taken, and its time has come. */
  #feed(): void {
    while (this.#output.length === 0 && this.#typing === undefined) {
      const [event] = this.#events;
      if (event === undefined || (event.isTyped && this.#isEarly())) return;
      this.#events.shift();
      // A keyboard that is not scanning does not see its keys.
      if (!this.#isScanning) continue;
      if (!event.down) this.#typematic.keyUp(event.key);
      else if (event.key !== WITHOUT_REPEAT) this.#typematic.keyDown(event.key);
      this.#send(...this.#codes(event.key, event.down));
    }
  }

  /** What the system has not read yet is enough for it. */
  #repeat(key: KeyCode): void {
    if (this.#output.length === 0) this.#send(...this.#codes(key, true));
  }

  /** Whether a key of a text has to wait, which it then does. */
  #isEarly(): boolean {
    const { clock, timers } = this.#parts;
    const nowNs = clock.nowNs();
    if (nowNs >= this.#typedFromNs) {
      this.#typedFromNs = nowNs + TYPED_KEY_NS;
      return false;
    }
    this.#typing = timers.schedule(this.#typedFromNs, () => {
      this.#typing = undefined;
      this.#feed();
    });
    return true;
  }

  #codes(key: KeyCode, down: boolean): readonly number[] {
    const codes = down ? makeCode(key) : breakCode(key);
    if (this.#set === 2) return codes;
    const translator = new SetTranslator();
    return codes.flatMap((code) => translator.translate(code) ?? []);
  }
}
