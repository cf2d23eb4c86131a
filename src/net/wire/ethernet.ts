/** Ethernet II headers (IEEE 802.3, 3.1.1 with a type field). Frames with 802.1Q tags or lengths are nobody's here. */

import { ETHERNET_HEADER_BYTES } from "../network-link.ts";

export const ETHER_TYPE = { ipv4: 0x0800, arp: 0x0806 } as const;
export const BROADCAST_MAC = 0xffff_ffff_ffff;

export interface EthernetHeader {
  readonly destination: number;
  readonly source: number;
  readonly type: number;
}

/** Undefined for frames shorter than a header. */
export function readEthernet(view: DataView): EthernetHeader | undefined {
  if (view.byteLength < ETHERNET_HEADER_BYTES) return undefined;
  return { destination: readMac(view, 0), source: readMac(view, 6), type: view.getUint16(12) };
}

export function writeEthernet(view: DataView, { destination, source, type }: EthernetHeader): void {
  writeMac(view, 0, destination);
  writeMac(view, 6, source);
  view.setUint16(12, type);
}

export function readMac(view: DataView, at: number): number {
  return view.getUint16(at) * 2 ** 32 + view.getUint32(at + 2);
}

export function writeMac(view: DataView, at: number, address: number): void {
  view.setUint16(at, Math.floor(address / 2 ** 32));
  view.setUint32(at + 2, address % 2 ** 32);
}

/** Of one station: neither broadcast nor multicast (the I/G bit), and not zero. */
export function isStation(address: number): boolean {
  return address !== 0 && (Math.floor(address / 2 ** 40) & 1) === 0;
}
