/** DHCP messages (RFC 2131, section 2; options of RFC 2132). Fields overloaded with options (option 52) are not read. */

import { readMac, writeMac } from "./ethernet.ts";

export const DHCP_PORT = { server: 67, client: 68 } as const;
export const DHCP_TYPE = {
  discover: 1,
  offer: 2,
  request: 3,
  decline: 4,
  ack: 5,
  nak: 6,
  release: 7,
  inform: 8,
} as const;
export const DHCP_OPTION = {
  pad: 0,
  subnetMask: 1,
  router: 3,
  dnsServer: 6,
  hostName: 12,
  domainName: 15,
  interfaceMtu: 26,
  broadcastAddress: 28,
  requestedAddress: 50,
  leaseTime: 51,
  messageType: 53,
  serverIdentifier: 54,
  renewalTime: 58,
  rebindingTime: 59,
  clientIdentifier: 61,
  end: 255,
} as const;

const BOOT = { request: 1, reply: 2 } as const;
const HARDWARE_ETHERNET = 1;
const MAC_BYTES = 6;
const BROADCAST_FLAG = 0x8000;
const COOKIE_AT = 236;
const COOKIE = 0x63825363;
const OPTIONS_AT = COOKIE_AT + 4;
/** What every client takes (section 2, "options"); BOOTP relays drop shorter ones than 300 (RFC 1542, section 2.1). */
const REPLY_BYTES_MAX = 548;
const REPLY_BYTES_MIN = 300;
const OPTION_BYTES_MAX = 255;

export interface DhcpRequest {
  readonly transactionId: number;
  readonly secondsAndFlags: number;
  readonly wantsBroadcast: boolean;
  readonly clientAddress: number;
  readonly relayAddress: number;
  readonly clientMac: number;
  /** Undefined in plain BOOTP. */
  readonly type: number | undefined;
  readonly requestedAddress: number | undefined;
  readonly serverIdentifier: number | undefined;
  /** To be given back (RFC 6842). */
  readonly clientIdentifier: Uint8Array | undefined;
}

/** A request of an Ethernet client in [at, endAt), or undefined. */
export function readDhcpRequest(view: DataView, at: number, endAt: number): DhcpRequest | undefined {
  if (endAt - at < OPTIONS_AT) return undefined;
  const isEthernet =
    view.getUint8(at) === BOOT.request &&
    view.getUint8(at + 1) === HARDWARE_ETHERNET &&
    view.getUint8(at + 2) === MAC_BYTES;
  if (!isEthernet) return undefined;
  const options =
    view.getUint32(at + COOKIE_AT) === COOKIE
      ? readOptions(view, at + OPTIONS_AT, endAt)
      : new Map<number, DataView>();
  const address = (option: number): number | undefined => {
    const bytes = options.get(option);
    return bytes?.byteLength === 4 ? bytes.getUint32(0) : undefined;
  };
  const type = options.get(DHCP_OPTION.messageType);
  const identifier = options.get(DHCP_OPTION.clientIdentifier);
  return {
    transactionId: view.getUint32(at + 4),
    secondsAndFlags: view.getUint32(at + 8),
    wantsBroadcast: (view.getUint16(at + 10) & BROADCAST_FLAG) !== 0,
    clientAddress: view.getUint32(at + 12),
    relayAddress: view.getUint32(at + 24),
    clientMac: readMac(view, at + 28),
    type: type?.byteLength === 1 ? type.getUint8(0) : undefined,
    requestedAddress: address(DHCP_OPTION.requestedAddress),
    serverIdentifier: address(DHCP_OPTION.serverIdentifier),
    clientIdentifier:
      identifier && new Uint8Array(identifier.buffer, identifier.byteOffset, identifier.byteLength).slice(),
  };
}

/** The last option of a kind counts; reading stops where one does not fit. */
function readOptions(view: DataView, from: number, endAt: number): Map<number, DataView> {
  const options = new Map<number, DataView>();
  let at = from;
  while (at < endAt) {
    const code = view.getUint8(at++);
    if (code === DHCP_OPTION.pad) continue;
    if (code === DHCP_OPTION.end || at >= endAt) break;
    const lengthBytes = view.getUint8(at++);
    if (at + lengthBytes > endAt) break;
    options.set(code, new DataView(view.buffer, view.byteOffset + at, lengthBytes));
    at += lengthBytes;
  }
  return options;
}

export interface DhcpReply {
  readonly yourAddress: number;
  readonly serverAddress: number;
  /** In this order. */
  readonly options: readonly (readonly [option: number, value: Uint8Array])[];
}

/** Writes the answer to `request` at `at` and returns its length; there are REPLY_BYTES_MAX to write in. */
export function writeDhcpReply(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  request: DhcpRequest,
  reply: DhcpReply,
): number {
  bytes.fill(0, at, at + REPLY_BYTES_MAX);
  view.setUint8(at, BOOT.reply);
  view.setUint8(at + 1, HARDWARE_ETHERNET);
  view.setUint8(at + 2, MAC_BYTES);
  view.setUint32(at + 4, request.transactionId);
  view.setUint16(at + 10, request.secondsAndFlags & 0xffff);
  // An acknowledged client keeps its own (table 3 of RFC 2131).
  if (reply.yourAddress !== 0) view.setUint32(at + 12, request.clientAddress);
  view.setUint32(at + 16, reply.yourAddress);
  view.setUint32(at + 20, reply.serverAddress);
  view.setUint32(at + 24, request.relayAddress);
  writeMac(view, at + 28, request.clientMac);
  view.setUint32(at + COOKIE_AT, COOKIE);
  let next = at + OPTIONS_AT;
  for (const [option, value] of reply.options) {
    // One byte stays for the end.
    if (value.length > OPTION_BYTES_MAX || next + 2 + value.length >= at + REPLY_BYTES_MAX) continue;
    view.setUint8(next, option);
    view.setUint8(next + 1, value.length);
    bytes.set(value, next + 2);
    next += 2 + value.length;
  }
  view.setUint8(next, DHCP_OPTION.end);
  return Math.max(next + 1 - at, REPLY_BYTES_MIN);
}
