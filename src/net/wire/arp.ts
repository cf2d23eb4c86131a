/** ARP for IPv4 over Ethernet (RFC 826); other kinds of addresses are not known. */

import { ETHER_TYPE, readMac, writeMac } from "./ethernet.ts";

export const ARP_BYTES = 28;
export const ARP_OPERATION = { request: 1, reply: 2 } as const;
const HARDWARE_ETHERNET = 1;

export interface ArpPacket {
  readonly operation: number;
  readonly senderMac: number;
  readonly senderIp: number;
  readonly targetMac: number;
  readonly targetIp: number;
}

export function readArp(view: DataView, at: number): ArpPacket | undefined {
  if (view.byteLength < at + ARP_BYTES) return undefined;
  const isKnown =
    view.getUint16(at) === HARDWARE_ETHERNET &&
    view.getUint16(at + 2) === ETHER_TYPE.ipv4 &&
    view.getUint16(at + 4) === 0x0604;
  if (!isKnown) return undefined;
  return {
    operation: view.getUint16(at + 6),
    senderMac: readMac(view, at + 8),
    senderIp: view.getUint32(at + 14),
    targetMac: readMac(view, at + 18),
    targetIp: view.getUint32(at + 24),
  };
}

export function writeArp(view: DataView, at: number, packet: ArpPacket): void {
  view.setUint16(at, HARDWARE_ETHERNET);
  view.setUint16(at + 2, ETHER_TYPE.ipv4);
  view.setUint16(at + 4, 0x0604);
  view.setUint16(at + 6, packet.operation);
  writeMac(view, at + 8, packet.senderMac);
  view.setUint32(at + 14, packet.senderIp);
  writeMac(view, at + 18, packet.targetMac);
  view.setUint32(at + 24, packet.targetIp);
}
