/**
 * The pointing device: INT 15h, AH = C2h, by which programs talk to a PS/2 mouse, and INT 74h, its interrupt, which gathers
 * a packet and then calls the program's handler. IBM PS/2 and PC BIOS Interface Technical Reference; the extended BIOS data
 * area keeps the handler and the packet where other BIOSes keep them.
 *
 * The mouse is spoken to directly; the keyboard controller is told whether its bytes shall interrupt. Deliberately
 * missing: reading and writing the pointer's port (AL = 08h, 09h), which are of some makers only.
 */

import type { Ps2Device } from "../../devices/ps2/index.ts";
import type { PortBus } from "../../hw/index.ts";
import type { GuestRam } from "../../memory/index.ts";
import type { BiosData } from "./bios-data.ts";
import type { ServiceCall } from "./service-call.ts";

const STATUS = {
  ok: 0x00,
  badFunction: 0x01,
  badInput: 0x02,
  interfaceError: 0x03,
  noHandler: 0x05,
} as const;
type Status = (typeof STATUS)[keyof typeof STATUS];

const CONTROLLER = { data: 0x60, status: 0x64, command: 0x64 } as const;
const AUX_OUTPUT_FULL = 0x21;
const WRITE_COMMAND_BYTE = 0x60;
/** Interrupts of both devices, system flag, translation; and without those of the mouse, which is then switched off. */
const COMMAND_BYTE = { enabled: 0x47, disabled: 0x65 } as const;

const MOUSE = {
  scale1: 0xe6,
  scale2: 0xe7,
  setResolution: 0xe8,
  statusRequest: 0xe9,
  identify: 0xf2,
  setSampleRate: 0xf3,
  enable: 0xf4,
  disable: 0xf5,
  reset: 0xff,
  acknowledge: 0xfa,
} as const;
const SAMPLE_RATES = [10, 20, 40, 60, 80, 100, 200] as const;
const RESOLUTION_MAX = 3;
const PACKET_BYTES_MAX = 8;

/** Offsets in the extended BIOS data area: far pointer, how much of a packet is there, its size and the flag, bytes. */
const EBDA = { handler: 0x22, gathered: 0x26, size: 0x27, packet: 0x28 } as const;
export const POINTING_HANDLER_OFFSET = EBDA.handler;
const COUNT_MASK = 0x07;
const HAS_HANDLER = 0x80;
/** What a handler is given of longer packets: the first four bytes. */
const HANDLER_BYTES = 4;

export class PointingDevice {
  readonly #ram: GuestRam;
  readonly #ports: PortBus;
  readonly #data: BiosData;
  readonly #mouse: Ps2Device;

  constructor(ram: GuestRam, ports: PortBus, data: BiosData, mouse: Ps2Device) {
    this.#ram = ram;
    this.#ports = ports;
    this.#data = data;
    this.#mouse = mouse;
  }

  // INT 15h, AH = C2h.

  call(call: ServiceCall): void {
    const status = this.#serve(call);
    call.ah = status;
    call.carry = status !== STATUS.ok;
  }

  #serve(call: ServiceCall): Status {
    switch (call.al) {
      case 0x00:
        return this.#enable(call.bh);
      case 0x01:
        return this.#reset(call);
      case 0x02: {
        const rate = SAMPLE_RATES[call.bh];
        return rate === undefined ? STATUS.badInput : this.#tell(MOUSE.setSampleRate, rate);
      }
      case 0x03:
        return call.bh > RESOLUTION_MAX ? STATUS.badInput : this.#tell(MOUSE.setResolution, call.bh);
      case 0x04: {
        const [id] = this.#ask(MOUSE.identify);
        if (id === undefined) return STATUS.interfaceError;
        call.bh = id;
        return STATUS.ok;
      }
      case 0x05:
        return this.#initialize(call);
      case 0x06:
        return this.#extended(call);
      case 0x07:
        this.#setHandler(call);
        return STATUS.ok;
      default:
        return STATUS.badFunction;
    }
  }

  #enable(wanted: number): Status {
    if (wanted > 1) return STATUS.badInput;
    if (wanted === 1 && (this.#get(EBDA.size) & HAS_HANDLER) === 0) return STATUS.noHandler;
    this.#set(EBDA.gathered, 0);
    this.#configure(wanted === 1);
    return this.#tell(wanted === 1 ? MOUSE.enable : MOUSE.disable);
  }

  #reset(call: ServiceCall): Status {
    const [passed, id] = this.#ask(MOUSE.reset);
    if (passed === undefined || id === undefined) return STATUS.interfaceError;
    this.#set(EBDA.gathered, 0);
    this.#configure(false);
    call.bl = passed;
    call.bh = id;
    return STATUS.ok;
  }

  #initialize(call: ServiceCall): Status {
    if (call.bh === 0 || call.bh > PACKET_BYTES_MAX) return STATUS.badInput;
    this.#set(EBDA.size, (this.#get(EBDA.size) & HAS_HANDLER) | (call.bh - 1));
    return this.#reset(call);
  }

  #extended(call: ServiceCall): Status {
    switch (call.bh) {
      case 0x00: {
        const [status, resolution, rate] = this.#ask(MOUSE.statusRequest);
        if (status === undefined || resolution === undefined || rate === undefined)
          return STATUS.interfaceError;
        call.bl = status;
        call.cl = resolution;
        call.dl = rate;
        return STATUS.ok;
      }
      case 0x01:
        return this.#tell(MOUSE.scale1);
      case 0x02:
        return this.#tell(MOUSE.scale2);
      default:
        return STATUS.badInput;
    }
  }

  /** 0000:0000 takes it away. */
  #setHandler(call: ServiceCall): void {
    const pointer = ((call.es << 16) | call.bx) >>> 0;
    const size = this.#get(EBDA.size) & ~HAS_HANDLER;
    this.#ram.writeU32(this.#at(EBDA.handler), pointer);
    this.#set(EBDA.size, size | (pointer === 0 ? 0 : HAS_HANDLER));
  }

  // INT 74h.

  /** Takes a byte. With the packet's last one, AL says so and BX, CX, DX have what the handler is to be given. */
  interrupt(call: ServiceCall): void {
    call.al = 0;
    if ((this.#ports.readPort(CONTROLLER.status, 1) & AUX_OUTPUT_FULL) !== AUX_OUTPUT_FULL) return;
    const byte = this.#ports.readPort(CONTROLLER.data, 1);
    const size = this.#get(EBDA.size);
    if ((size & HAS_HANDLER) === 0) return;
    const gathered = this.#get(EBDA.gathered) & COUNT_MASK;
    this.#set(EBDA.packet + gathered, byte);
    const isComplete = gathered >= (size & COUNT_MASK);
    this.#set(EBDA.gathered, isComplete ? 0 : gathered + 1);
    if (!isComplete) return;
    const [status = 0, x = 0, y = 0, z = 0] = Array.from({ length: HANDLER_BYTES }, (_, index) =>
      index <= (size & COUNT_MASK) ? this.#get(EBDA.packet + index) : 0,
    );
    call.al = 1;
    call.bx = status;
    call.cx = x;
    call.dx = y;
    call.si = z;
    call.es = this.#data.get("ebdaSegment");
  }

  // Workings.

  /** A command and its data; each byte is to be acknowledged. */
  #tell(...bytes: readonly number[]): Status {
    for (const byte of bytes) if (this.#send(byte)[0] !== MOUSE.acknowledge) return STATUS.interfaceError;
    return STATUS.ok;
  }

  /** What the mouse answers a command with; nothing if it does not acknowledge it. */
  #ask(command: number): readonly number[] {
    const [acknowledgement, ...answer] = this.#send(command);
    return acknowledgement === MOUSE.acknowledge ? answer : [];
  }

  /** A byte for the mouse and all that it says to that. */
  #send(byte: number): number[] {
    this.#mouse.receive(byte);
    const said: number[] = [];
    while (this.#mouse.hasByte && said.length < PACKET_BYTES_MAX) said.push(this.#mouse.takeByte());
    return said;
  }

  #configure(isEnabled: boolean): void {
    this.#ports.writePort(CONTROLLER.command, 1, WRITE_COMMAND_BYTE);
    this.#ports.writePort(CONTROLLER.data, 1, isEnabled ? COMMAND_BYTE.enabled : COMMAND_BYTE.disabled);
  }

  /** Programs may have written anything into the segment's number: it is taken as it is, within the first megabyte. */
  #at(offset: number): number {
    return this.#data.get("ebdaSegment") * 16 + offset;
  }

  #get(offset: number): number {
    return this.#ram.readU8(this.#at(offset));
  }

  #set(offset: number, value: number): void {
    this.#ram.writeU8(this.#at(offset), value);
  }
}
