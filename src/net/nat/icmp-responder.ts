/**
 * ICMP of the gateway (RFC 792, RFC 1812): answers to echo requests for the addresses that are ours, and errors about packets
 * that go nowhere. Echo requests to the outside are refused: raw sockets of the host are no guest's. Errors are limited in
 * number (RFC 1812, section 4.3.2.8).
 */

import { NS_PER_MS } from "../../base/index.ts";
import type { Clock } from "../../base/index.ts";
import { finishIcmp, ICMP_HEADER_BYTES, ICMP_QUOTE_BYTES, ICMP_TYPE } from "../wire/icmp.ts";
import { IP_PROTOCOL } from "../wire/ipv4.ts";
import type { Ipv4Header } from "../wire/ipv4.ts";
import { GATEWAY_ADDRESS } from "./addresses.ts";
import { PACKET_DATA_AT } from "./guest-port.ts";
import type { GuestPort } from "./guest-port.ts";

/** A burst of errors, and then one in this time. */
export const ICMP_ERROR_BURST = 32;
const ICMP_ERROR_INTERVAL_NS = 10 * NS_PER_MS;

export class IcmpResponder {
  readonly #port: GuestPort;
  readonly #clock: Clock;
  #errorsLeft = ICMP_ERROR_BURST;
  #countedAtNs = 0;

  constructor(port: GuestPort, clock: Clock) {
    this.#port = port;
    this.#clock = clock;
  }

  /** Answers an echo request whose ICMP message is `message`. */
  answerEcho(header: Ipv4Header, message: Uint8Array): void {
    const { bytes, view } = this.#port;
    bytes.set(message, PACKET_DATA_AT);
    finishIcmp(view, PACKET_DATA_AT, PACKET_DATA_AT + message.length, ICMP_TYPE.echoReply, 0);
    this.#port.sendPacket({
      source: header.destination,
      destination: header.source,
      protocol: IP_PROTOCOL.icmp,
      dataBytes: message.length,
    });
  }

  /** Tells the guest that `packet` (from its IPv4 header on) goes nowhere. */
  sendError(header: Ipv4Header, packet: Uint8Array, type: number, code: number): void {
    if (!this.#mayTell()) return;
    const { bytes, view } = this.#port;
    const quote = packet.subarray(0, header.headerBytes + ICMP_QUOTE_BYTES);
    const dataBytes = ICMP_HEADER_BYTES + quote.length;
    view.setUint32(PACKET_DATA_AT + 4, 0);
    bytes.set(quote, PACKET_DATA_AT + ICMP_HEADER_BYTES);
    finishIcmp(view, PACKET_DATA_AT, PACKET_DATA_AT + dataBytes, type, code);
    this.#port.sendPacket({
      source: GATEWAY_ADDRESS,
      destination: header.source,
      protocol: IP_PROTOCOL.icmp,
      dataBytes,
    });
  }

  #mayTell(): boolean {
    const nowNs = this.#clock.nowNs();
    const earned = Math.floor((nowNs - this.#countedAtNs) / ICMP_ERROR_INTERVAL_NS);
    if (earned > 0) {
      this.#errorsLeft = Math.min(ICMP_ERROR_BURST, this.#errorsLeft + earned);
      this.#countedAtNs = nowNs;
    }
    if (this.#errorsLeft === 0) return false;
    this.#errorsLeft--;
    return true;
  }
}
