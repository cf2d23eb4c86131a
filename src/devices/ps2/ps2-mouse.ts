/**
 * PS/2 mouse with three buttons and a wheel (IBM PS/2 Hardware Interface Technical Reference, "Auxiliary Device"): the
 * standard commands and three-byte packets in stream and remote mode. A driver that knows wheels sets the sample rates 200, 100
 * and 80 one after the other; from then on the mouse has the ID 3 and packets of four bytes (Microsoft, "IntelliMouse").
 *
 * Deliberately missing: 2:1 scaling, sample rate and resolution beyond being remembered, and two more buttons (ID 4).
 */

import type { Device, DeviceState } from "../../hw/index.ts";
import { StateReader } from "../../hw/index.ts";
import { ByteQueue } from "../byte-queue.ts";
import { PS2_REPLY } from "./ps2-device.ts";
import type { Ps2Device } from "./ps2-device.ts";

const OUTPUT_BYTES = 16;
const PACKET_BYTES = 3;
/** Behind a packet of a mouse with a wheel: its turns, -8 to 7. */
const WHEEL_BYTES = 1;
const WHEEL_STEP = { least: -8, most: 7 } as const;
const WHEEL_KNOCK = [200, 100, 80] as const;
/** Largest movement of one packet; more stays for the next one. */
const MAX_STEP = 255;

const COMMAND = {
  scale1: 0xe6,
  scale2: 0xe7,
  setResolution: 0xe8,
  statusRequest: 0xe9,
  streamMode: 0xea,
  readData: 0xeb,
  leaveWrap: 0xec,
  wrapMode: 0xee,
  remoteMode: 0xf0,
  identify: 0xf2,
  setSampleRate: 0xf3,
  enable: 0xf4,
  disable: 0xf5,
  setDefaults: 0xf6,
  resend: 0xfe,
  reset: 0xff,
} as const;
const IDENTITY = { plain: 0x00, wheel: 0x03 } as const;

export interface MouseButtons {
  readonly left: boolean;
  readonly right: boolean;
  readonly middle: boolean;
}

export class Ps2Mouse implements Device, Ps2Device {
  readonly name = "mouse";
  onByte: () => void = () => {};
  readonly #output = new ByteQueue(OUTPUT_BYTES);
  #command: number | undefined;
  #lastSent = 0;
  #isReporting = false;
  #isRemote = false;
  #isWrapping = false;
  #isScaled = false;
  #resolution = 2;
  #sampleRate = 100;
  /** The last ones that were set, the newest last. */
  #rates: readonly number[] = [];
  #hasWheel = false;
  #buttons = 0;
  #hasNews = false;
  /** Movement that no packet has carried yet; y grows upwards. */
  #dx = 0;
  #dy = 0;
  #wheel = 0;

  /** The mouse moves by so many counts (y upwards), its wheel turns towards the user, and its buttons are as given. */
  move(dx: number, dy: number, buttons: MouseButtons, wheel = 0): void {
    this.#dx += Math.trunc(dx);
    this.#dy += Math.trunc(dy);
    if (this.#hasWheel) this.#wheel += Math.trunc(wheel);
    this.#buttons = (buttons.left ? 1 : 0) | (buttons.right ? 2 : 0) | (buttons.middle ? 4 : 0);
    this.#hasNews = true;
    this.#report();
  }

  get hasByte(): boolean {
    return this.#output.length > 0;
  }

  takeByte(): number {
    this.#lastSent = this.#output.shift();
    if (this.#dx !== 0 || this.#dy !== 0 || this.#wheel !== 0) this.#hasNews = true;
    this.#report();
    return this.#lastSent;
  }

  receive(byte: number): void {
    this.#output.clear();
    if (this.#isWrapping && byte !== COMMAND.reset && byte !== COMMAND.leaveWrap) {
      this.#send(byte);
      return;
    }
    const command = this.#command;
    this.#command = undefined;
    if (command === COMMAND.setResolution) this.#resolution = byte & 3;
    else if (command === COMMAND.setSampleRate) this.#setSampleRate(byte);
    else {
      this.#obey(byte);
      return;
    }
    this.#send(PS2_REPLY.acknowledge);
  }

  reset(): void {
    this.#output.clear();
    this.#hasWheel = false;
    this.#setDefaults();
  }

  save(): DeviceState {
    return {
      output: this.#output.toArray(),
      command: this.#command ?? null,
      lastSent: this.#lastSent,
      isReporting: this.#isReporting,
      isRemote: this.#isRemote,
      isWrapping: this.#isWrapping,
      isScaled: this.#isScaled,
      resolution: this.#resolution,
      sampleRate: this.#sampleRate,
      rates: [...this.#rates],
      hasWheel: this.#hasWheel,
      buttons: this.#buttons,
    };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    this.#output.clear();
    for (const byte of reader.integers("output", OUTPUT_BYTES, 0xff)) this.#output.push(byte);
    this.#command = reader.isNull("command") ? undefined : reader.u8("command");
    this.#lastSent = reader.u8("lastSent");
    this.#isReporting = reader.boolean("isReporting");
    this.#isRemote = reader.boolean("isRemote");
    this.#isWrapping = reader.boolean("isWrapping");
    this.#isScaled = reader.boolean("isScaled");
    this.#resolution = reader.integer("resolution", 3);
    this.#sampleRate = reader.u8("sampleRate");
    this.#rates = reader.integers("rates", WHEEL_KNOCK.length, 0xff);
    this.#hasWheel = reader.boolean("hasWheel");
    this.#buttons = reader.integer("buttons", 7);
    this.#forgetMovement();
  }

  #setSampleRate(rate: number): void {
    this.#sampleRate = rate;
    this.#rates = [...this.#rates, rate].slice(-WHEEL_KNOCK.length);
    if (WHEEL_KNOCK.every((knock, index) => this.#rates[index] === knock)) this.#hasWheel = true;
  }

  #obey(command: number): void {
    let reply: readonly number[] = [];
    switch (command) {
      case COMMAND.scale1:
      case COMMAND.scale2:
        this.#isScaled = command === COMMAND.scale2;
        break;
      case COMMAND.setResolution:
      case COMMAND.setSampleRate:
        this.#command = command;
        break;
      case COMMAND.statusRequest:
        reply = [this.#status(), this.#resolution, this.#sampleRate];
        break;
      case COMMAND.streamMode:
      case COMMAND.remoteMode:
        this.#isRemote = command === COMMAND.remoteMode;
        this.#forgetMovement();
        break;
      case COMMAND.readData:
        reply = this.#packet();
        break;
      case COMMAND.wrapMode:
      case COMMAND.leaveWrap:
        this.#isWrapping = command === COMMAND.wrapMode;
        break;
      case COMMAND.identify:
        reply = [this.#hasWheel ? IDENTITY.wheel : IDENTITY.plain];
        break;
      case COMMAND.enable:
      case COMMAND.disable:
        this.#isReporting = command === COMMAND.enable;
        this.#forgetMovement();
        break;
      case COMMAND.setDefaults:
        this.#setDefaults();
        break;
      case COMMAND.resend:
        this.#send(this.#lastSent);
        return;
      case COMMAND.reset:
        this.#hasWheel = false;
        this.#setDefaults();
        reply = [PS2_REPLY.selfTestPassed, IDENTITY.plain];
        break;
      default:
        this.#send(PS2_REPLY.resend);
        return;
    }
    this.#send(PS2_REPLY.acknowledge, ...reply);
  }

  #setDefaults(): void {
    this.#command = undefined;
    this.#isReporting = false;
    this.#isRemote = false;
    this.#isWrapping = false;
    this.#isScaled = false;
    this.#resolution = 2;
    this.#sampleRate = 100;
    this.#rates = [];
    this.#forgetMovement();
  }

  #forgetMovement(): void {
    this.#dx = 0;
    this.#dy = 0;
    this.#wheel = 0;
    this.#hasNews = false;
  }

  #status(): number {
    const { left, right, middle } = {
      left: this.#buttons & 1,
      right: this.#buttons & 2,
      middle: this.#buttons & 4,
    };
    return (
      (right !== 0 ? 0x01 : 0) |
      (middle !== 0 ? 0x02 : 0) |
      (left !== 0 ? 0x04 : 0) |
      (this.#isScaled ? 0x10 : 0) |
      (this.#isReporting ? 0x20 : 0) |
      (this.#isRemote ? 0x40 : 0)
    );
  }

  /** One packet, which carries as much of the movement as fits. */
  #packet(): number[] {
    const dx = Math.min(Math.max(this.#dx, -MAX_STEP), MAX_STEP);
    const dy = Math.min(Math.max(this.#dy, -MAX_STEP), MAX_STEP);
    this.#dx -= dx;
    this.#dy -= dy;
    this.#hasNews = false;
    const signs = (dx < 0 ? 0x10 : 0) | (dy < 0 ? 0x20 : 0);
    const packet = [0x08 | this.#buttons | signs, dx & 0xff, dy & 0xff];
    if (!this.#hasWheel) return packet;
    const turns = Math.min(Math.max(this.#wheel, WHEEL_STEP.least), WHEEL_STEP.most);
    this.#wheel -= turns;
    return [...packet, turns & 0xff];
  }

  #report(): void {
    const room = this.#output.capacity - this.#output.length;
    if (!this.#hasNews || !this.#isReporting || this.#isRemote || room < PACKET_BYTES + WHEEL_BYTES) return;
    this.#send(...this.#packet());
  }

  #send(...bytes: readonly number[]): void {
    for (const byte of bytes) this.#output.push(byte);
    this.onByte();
  }
}
