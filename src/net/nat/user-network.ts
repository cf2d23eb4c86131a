/**
 * User-mode networking: a network for one guest that needs no rights on the host. A router (10.0.2.2) with DHCP and a resolver
 * (10.0.2.3) on an Ethernet of its own; what goes outside goes through sockets of the host.
 *
 * Whatever the guest sends, nothing here throws, and everything that is kept has a maximum. Deliberately missing: IPv6 (its
 * frames are counted and dropped), multicast, ICMP to and from outside.
 */

import type { Clock, Result, Timers } from "../../base/index.ts";
import type { ConnectFailure, HostEnd, HostSockets } from "../host-sockets.ts";
import { ETHERNET_HEADER_BYTES } from "../network-link.ts";
import type { FrameReceiver, NetworkLink, SendOffload } from "../network-link.ts";
import { TcpConnections } from "../tcp/tcp-connections.ts";
import { macNumber } from "../wire/addresses.ts";
import { ARP_BYTES, ARP_OPERATION, readArp, writeArp } from "../wire/arp.ts";
import { DHCP_PORT } from "../wire/dhcp.ts";
import { DNS_PORT } from "../wire/dns.ts";
import { BROADCAST_MAC, ETHER_TYPE, isStation, readEthernet } from "../wire/ethernet.ts";
import { ICMP_QUOTE_BYTES, ICMP_TYPE, isIcmpQuery, readIcmpType, UNREACHABLE } from "../wire/icmp.ts";
import { IP_PROTOCOL, readIpv4 } from "../wire/ipv4.ts";
import type { Ipv4Header } from "../wire/ipv4.ts";
import { readTcp } from "../wire/tcp.ts";
import { readUdp, UDP_HEADER_BYTES } from "../wire/udp.ts";
import {
  DNS_ADDRESS,
  GATEWAY_ADDRESS,
  isGuestAddress,
  isOnNetwork,
  LIMITED_BROADCAST,
  macOf,
  NETWORK_BROADCAST,
} from "./addresses.ts";
import { DhcpServer } from "./dhcp-server.ts";
import { DnsProxy } from "./dns-proxy.ts";
import { GuestPort } from "./guest-port.ts";
import { IcmpResponder } from "./icmp-responder.ts";
import { NetworkTimers } from "./network-timers.ts";
import { PortForwards } from "./port-forwards.ts";
import type { PortForward } from "./port-forwards.ts";
import { Reach } from "./reach.ts";
import type { ReachSettings } from "./reach.ts";
import { Reassembly } from "./reassembly.ts";
import { NetworkCounters } from "./statistics.ts";
import type { DropReason, NetworkStatistics } from "./statistics.ts";
import { sendDatagram, UdpAssociations } from "./udp-associations.ts";

export interface UserNetworkParts {
  /** Of the guest's card. */
  readonly macAddress: Uint8Array;
  /** What DHCP calls the guest. */
  readonly hostName: string | undefined;
  readonly reach: ReachSettings;
  readonly sockets: HostSockets;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly entropy: (byteCount: number) => Uint8Array;
  /** Runs `callback` once, soon, when what runs now is over. */
  readonly soon: (callback: () => void) => void;
  /** The guest has sent something for which it may expect an answer of the host's. */
  readonly hostAsked?: () => void;
}

/** A packet of the guest's, whole. */
interface Packet {
  readonly header: Ipv4Header;
  /** From the IPv4 header on, at least as much as errors quote. */
  readonly bytes: Uint8Array;
  /** What is behind the header: [at, endAt) of this. */
  readonly view: DataView;
  readonly data: Uint8Array;
  /** Its transport checksum was left to us. */
  readonly isSummed: boolean;
}

const OUR_MACS: ReadonlySet<number> = new Set([GATEWAY_ADDRESS, DNS_ADDRESS].map(macOf));

export class UserNetwork implements NetworkLink {
  readonly isUp = true;
  readonly offload: SendOffload = { send: (frame) => this.#frame(frame, true) };
  readonly #parts: UserNetworkParts;
  readonly #counters = new NetworkCounters();
  readonly #timers: NetworkTimers;
  readonly #port: GuestPort;
  readonly #reach: Reach;
  readonly #reassembly: Reassembly;
  readonly #dhcp: DhcpServer;
  readonly #icmp: IcmpResponder;
  readonly #dns: DnsProxy;
  readonly #udp: UdpAssociations;
  readonly #tcp: TcpConnections;
  readonly #forwards: PortForwards;

  constructor(parts: UserNetworkParts) {
    const { clock, sockets, entropy, soon } = parts;
    const counters = this.#counters;
    const timers = new NetworkTimers(clock, parts.timers);
    const port = new GuestPort(macNumber(parts.macAddress), counters);
    this.#parts = parts;
    this.#timers = timers;
    this.#port = port;
    this.#reach = new Reach(parts.reach, (address) => sockets.isOwnAddress(address));
    this.#reassembly = new Reassembly(clock, counters);
    this.#dhcp = new DhcpServer({ port, counters, hostName: parts.hostName });
    this.#icmp = new IcmpResponder(port, clock);
    this.#dns = new DnsProxy({ sockets, timers, counters, entropy, isRestricted: parts.reach.isRestricted });
    this.#udp = new UdpAssociations({ sockets, timers, port, counters });
    this.#tcp = new TcpConnections({ sockets, timers, port, counters, entropy, soon });
    this.#forwards = new PortForwards({ sockets, port, connections: this.#tcp, counters });
  }

  get statistics(): NetworkStatistics {
    const { dropped, ...counts } = this.#counters;
    return {
      ...counts,
      tcpConnectionsOpen: this.#tcp.openCount,
      udpAssociationsOpen: this.#udp.openCount,
      dropped: { ...dropped },
    };
  }

  /** Opens ports of the host that lead to the guest; an error is one sentence about the first that cannot be had. */
  openForwards(forwards: readonly PortForward[]): Promise<Result<void>> {
    return this.#forwards.open(forwards);
  }

  /** Gives all sockets back. Frames that come afterwards are lost. */
  close(): void {
    this.#port.connect(undefined);
    this.#forwards.close();
    this.#dns.close();
    this.#udp.close();
    this.#tcp.close();
    this.#timers.close();
  }

  connect(receiver: FrameReceiver | undefined): void {
    this.#port.connect(receiver);
    this.#tcp.cardReady();
  }

  send(frame: Uint8Array): void {
    this.#frame(frame, false);
  }

  receiverReady(): void {
    this.#port.receiverReady();
    if (this.#port.isReady) this.#tcp.cardReady();
  }

  #frame(frame: Uint8Array, isSummed: boolean): void {
    this.#counters.framesFromGuest++;
    this.#counters.bytesFromGuest += frame.length;
    const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
    const ethernet = readEthernet(view);
    if (ethernet === undefined || !isStation(ethernet.source)) {
      this.#drop("malformed");
      return;
    }
    const { destination, source, type } = ethernet;
    if (destination !== BROADCAST_MAC && !OUR_MACS.has(destination)) this.#drop("unknownProtocol");
    else if (type === ETHER_TYPE.arp) this.#arp(view, source);
    else if (type === ETHER_TYPE.ipv4) this.#ipv4(view, frame, source, isSummed);
    else this.#drop("unknownProtocol");
  }

  #drop(reason: DropReason): void {
    this.#counters.drop(reason);
  }

  #arp(view: DataView, sourceMac: number): void {
    const arp = readArp(view, ETHERNET_HEADER_BYTES);
    if (arp === undefined) {
      this.#drop("malformed");
      return;
    }
    const { senderIp, senderMac, targetIp, operation } = arp;
    if (isGuestAddress(senderIp) && senderMac === sourceMac) this.#port.learn(senderIp, senderMac);
    const isForUs = targetIp === GATEWAY_ADDRESS || targetIp === DNS_ADDRESS;
    if (operation !== ARP_OPERATION.request || !isForUs) return;
    writeArp(this.#port.view, ETHERNET_HEADER_BYTES, {
      operation: ARP_OPERATION.reply,
      senderMac: macOf(targetIp),
      senderIp: targetIp,
      targetMac: senderMac,
      targetIp: senderIp,
    });
    this.#port.sendFrame(targetIp, sourceMac, ETHER_TYPE.arp, ARP_BYTES);
  }

  #ipv4(view: DataView, frame: Uint8Array, sourceMac: number, isSummed: boolean): void {
    const header = readIpv4(view, ETHERNET_HEADER_BYTES);
    if (header === undefined) {
      this.#drop("malformed");
      return;
    }
    const bytes = frame.subarray(ETHERNET_HEADER_BYTES, ETHERNET_HEADER_BYTES + header.totalBytes);
    const data = bytes.subarray(header.headerBytes);
    // Who asks for an address has none.
    const isFromNobody = header.source === 0 && header.protocol === IP_PROTOCOL.udp;
    if (!isFromNobody && !isGuestAddress(header.source)) {
      this.#drop("spoofed");
      return;
    }
    if (!isFromNobody) this.#port.learn(header.source, sourceMac);
    if (header.fragmentOffsetBytes === 0 && !header.hasMoreFragments) {
      this.#packet({ header, bytes, view: viewOf(data), data, isSummed });
      return;
    }
    const whole = this.#reassembly.add(header, data);
    if (whole === undefined) return;
    const first = { ...header, fragmentOffsetBytes: 0, hasMoreFragments: false };
    // As much as errors quote.
    const beginning = Uint8Array.from([
      ...bytes.subarray(0, header.headerBytes),
      ...whole.subarray(0, ICMP_QUOTE_BYTES),
    ]);
    this.#packet({ header: first, bytes: beginning, view: viewOf(whole), data: whole, isSummed });
  }

  #packet(packet: Packet): void {
    const { header } = packet;
    const { destination, ttl } = header;
    // A router's way of answering who looks for the routers on a path.
    if (ttl <= 1 && !isOnNetwork(destination) && destination !== LIMITED_BROADCAST) {
      this.#icmp.sendError(header, packet.bytes, ICMP_TYPE.timeExceeded, 0);
      return;
    }
    switch (header.protocol) {
      case IP_PROTOCOL.icmp:
        this.#icmpMessage(packet);
        return;
      case IP_PROTOCOL.udp:
        this.#datagram(packet);
        return;
      case IP_PROTOCOL.tcp:
        this.#segment(packet);
        return;
      default:
        this.#drop("unknownProtocol");
        this.#unreachable(packet, UNREACHABLE.protocol);
    }
  }

  #icmpMessage(packet: Packet): void {
    const { header, view, data } = packet;
    const type = readIcmpType(view, 0, data.length);
    if (type === undefined) {
      this.#drop("malformed");
      return;
    }
    const isOurs = header.destination === GATEWAY_ADDRESS || header.destination === DNS_ADDRESS;
    if (type === ICMP_TYPE.echoRequest && isOurs) {
      this.#icmp.answerEcho(header, data);
      return;
    }
    // Nothing that we send needs the guest's errors.
    if (isOurs || !isIcmpQuery(type)) return;
    this.#drop("refused");
    this.#unreachable(packet, isOnNetwork(header.destination) ? UNREACHABLE.host : UNREACHABLE.prohibited);
  }

  #datagram(packet: Packet): void {
    const { header, view, data, isSummed } = packet;
    const { source, destination } = header;
    const udp = readUdp(view, 0, data.length, header, isSummed);
    if (udp === undefined) {
      this.#drop("malformed");
      return;
    }
    const { sourcePort, destinationPort, lengthBytes } = udp;
    const isForAll = destination === LIMITED_BROADCAST || destination === NETWORK_BROADCAST;
    const isForGateway = isForAll || destination === GATEWAY_ADDRESS;
    if (isForGateway && destinationPort === DHCP_PORT.server) {
      this.#dhcp.receive(view, UDP_HEADER_BYTES, lengthBytes);
      return;
    }
    // Nobody else listens to everybody, and whoever has no address gets no answer.
    if (isForAll || source === 0) return;
    const payload = data.subarray(UDP_HEADER_BYTES, lengthBytes);
    const flow = {
      guestAddress: source,
      guestPort: sourcePort,
      remoteAddress: destination,
      remotePort: destinationPort,
    };
    this.#parts.hostAsked?.();
    if (destination === DNS_ADDRESS && destinationPort === DNS_PORT) {
      this.#dns.query(payload, (message) => sendDatagram(this.#port, flow, message));
      return;
    }
    if (this.#forwards.answer(flow, payload)) return;
    const to = this.#reach.hostEndOf(destination, destinationPort);
    if (to === undefined) {
      this.#drop("refused");
      this.#unreachable(packet, isOnNetwork(destination) ? UNREACHABLE.port : UNREACHABLE.prohibited);
      return;
    }
    this.#udp.send(flow, to, payload);
  }

  #segment(packet: Packet): void {
    const { header, view, data, isSummed } = packet;
    const segment = readTcp(view, 0, data.length, header, isSummed);
    if (segment === undefined) {
      this.#drop("malformed");
      return;
    }
    const flow = {
      guestAddress: header.source,
      guestPort: segment.sourcePort,
      remoteAddress: header.destination,
      remotePort: segment.destinationPort,
    };
    this.#parts.hostAsked?.();
    const connection = this.#tcp.find(flow);
    if (connection !== undefined && !this.#tcp.replaces(connection, segment)) {
      connection.segment(segment, data.subarray(segment.dataAt));
      return;
    }
    connection?.close();
    if (!this.#tcp.isOpening(segment)) {
      this.#tcp.refuse(flow, segment);
      return;
    }
    const to = this.#tcpEndOf(flow.remoteAddress, flow.remotePort);
    if (to === undefined) {
      this.#drop("refused");
      this.#tcp.refuse(flow, segment);
      return;
    }
    // Its bytes are the card's again by the time the host has an answer.
    const quote = { header, bytes: packet.bytes.slice(0, header.headerBytes + ICMP_QUOTE_BYTES) };
    this.#tcp.open(flow, segment, to, (reason) => this.#connectFailed(quote, reason));
  }

  /** Queries over TCP go to the host's first resolver. */
  #tcpEndOf(address: number, port: number): HostEnd | undefined {
    const isDns = address === DNS_ADDRESS && port === DNS_PORT && !this.#reach.isRestricted;
    if (isDns) return this.#parts.sockets.nameServers()[0];
    return this.#reach.hostEndOf(address, port);
  }

  #connectFailed(packet: Pick<Packet, "header" | "bytes">, reason: ConnectFailure): void {
    const codes = {
      "host-unreachable": UNREACHABLE.host,
      "timed-out": UNREACHABLE.host,
      "network-unreachable": UNREACHABLE.network,
      // A reset says it.
      refused: undefined,
      failed: undefined,
    };
    const code = codes[reason];
    if (code !== undefined) this.#unreachable(packet, code);
  }

  #unreachable({ header, bytes }: Pick<Packet, "header" | "bytes">, code: number): void {
    this.#icmp.sendError(header, bytes, ICMP_TYPE.unreachable, code);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
