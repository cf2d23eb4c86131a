/** What context descriptors tell the card about the frames behind them (the manual's section 3.3.6). */

import type { DeviceState, StateReader } from "../../hw/index.ts";

export const CONTEXT_COMMAND = { tcp: 1 << 0, ipv4: 1 << 1, segment: 1 << 2 } as const;

/** Offsets in the descriptor. */
const AT = { ip: 0, transport: 4, command: 11, headerBytes: 13, segmentBytes: 14 } as const;

/** Where a checksum is computed from and put to; an end of 0 is the frame's. */
export interface ChecksumPlace {
  start: number;
  field: number;
  end: number;
}

export class ChecksumContext {
  readonly ip: ChecksumPlace = { start: 0, field: 0, end: 0 };
  readonly transport: ChecksumPlace = { start: 0, field: 0, end: 0 };
  isTcp = false;
  isIpv4 = false;
  headerBytes = 0;
  segmentBytes = 0;

  load(view: DataView): void {
    loadPlace(this.ip, view, AT.ip);
    loadPlace(this.transport, view, AT.transport);
    const command = view.getUint8(AT.command);
    this.isTcp = (command & CONTEXT_COMMAND.tcp) !== 0;
    this.isIpv4 = (command & CONTEXT_COMMAND.ipv4) !== 0;
    this.headerBytes = view.getUint8(AT.headerBytes);
    this.segmentBytes = view.getUint16(AT.segmentBytes, true);
  }

  reset(): void {
    Object.assign(this.ip, { start: 0, field: 0, end: 0 });
    Object.assign(this.transport, { start: 0, field: 0, end: 0 });
    this.isTcp = false;
    this.isIpv4 = false;
    this.headerBytes = 0;
    this.segmentBytes = 0;
  }

  save(): DeviceState {
    const { ip, transport, isTcp, isIpv4, headerBytes, segmentBytes } = this;
    return { ip: { ...ip }, transport: { ...transport }, isTcp, isIpv4, headerBytes, segmentBytes };
  }

  restore(reader: StateReader): void {
    restorePlace(this.ip, reader.child("ip"));
    restorePlace(this.transport, reader.child("transport"));
    this.isTcp = reader.boolean("isTcp");
    this.isIpv4 = reader.boolean("isIpv4");
    this.headerBytes = reader.u8("headerBytes");
    this.segmentBytes = reader.u16("segmentBytes");
  }
}

function loadPlace(place: ChecksumPlace, view: DataView, at: number): void {
  place.start = view.getUint8(at);
  place.field = view.getUint8(at + 1);
  place.end = view.getUint16(at + 2, true);
}

function restorePlace(place: ChecksumPlace, reader: StateReader): void {
  place.start = reader.u8("start");
  place.field = reader.u8("field");
  place.end = reader.u16("end");
}
