/**
 * The resolver of a guest's network (RFC 5625): answers for the few names that are ours and passes everything else to the
 * host's resolvers, each query from a socket and with an identification of its own, so that nobody can guess them. Queries over
 * TCP are connections to the host's first resolver, and are made elsewhere.
 */

import { NS_PER_S } from "../../base/index.ts";
import type { HostEnd, HostSockets, HostUdpSocket } from "../host-sockets.ts";
import { formatIpv4 } from "../wire/addresses.ts";
import {
  DNS_RCODE,
  DNS_TYPE,
  dnsName,
  dnsReply,
  isDnsAnswerTo,
  readDnsQuery,
  withDnsId,
} from "../wire/dns.ts";
import type { DnsQuestion } from "../wire/dns.ts";
import { DNS_ADDRESS, GATEWAY_ADDRESS } from "./addresses.ts";
import { Deadline } from "./network-timers.ts";
import type { NetworkTimers } from "./network-timers.ts";
import type { NetworkCounters } from "./statistics.ts";

export const DNS_QUERIES_MAX = 64;
/** Until the next resolver is asked. */
export const DNS_TIMEOUT_NS = 3 * NS_PER_S;
/** Resolvers that are asked one after the other, as many as resolv.conf may name. */
const DNS_SERVERS_MAX = 3;
const OWN_TTL_SECONDS = 60;

const OWN_NAMES: ReadonlyMap<string, number> = new Map([
  ["host.typevisor", GATEWAY_ADDRESS],
  ["gateway.typevisor", GATEWAY_ADDRESS],
  ["dns.typevisor", DNS_ADDRESS],
]);

export interface DnsProxyParts {
  readonly sockets: HostSockets;
  readonly timers: NetworkTimers;
  readonly counters: NetworkCounters;
  readonly entropy: (byteCount: number) => Uint8Array;
  /** Only our own names are known. */
  readonly isRestricted: boolean;
}

type Reply = (message: Uint8Array) => void;

interface Query {
  readonly guestsMessage: Uint8Array;
  /** With an identification of ours. */
  readonly message: Uint8Array;
  readonly question: DnsQuestion;
  readonly servers: HostEnd[];
  readonly deadline: Deadline;
  readonly reply: Reply;
  server: HostEnd | undefined;
  socket: HostUdpSocket | undefined;
}

export class DnsProxy {
  readonly #parts: DnsProxyParts;
  readonly #queries = new Set<Query>();

  constructor(parts: DnsProxyParts) {
    this.#parts = parts;
  }

  get queryCount(): number {
    return this.#queries.size;
  }

  /** `reply` is called at most once, at once or later. */
  query(message: Uint8Array, reply: Reply): void {
    const { counters, isRestricted } = this.#parts;
    counters.dnsQueries++;
    const question = readDnsQuery(message);
    if (question === undefined) {
      counters.drop("malformed");
      return;
    }
    const own = ownAnswer(message, question);
    if (own !== undefined) reply(own);
    else if (isRestricted) reply(dnsReply(message, question, DNS_RCODE.refused));
    else this.#forward(message, question, reply);
  }

  close(): void {
    for (const query of this.#queries) this.#end(query);
  }

  #forward(message: Uint8Array, question: DnsQuestion, reply: Reply): void {
    const { counters, sockets, timers, entropy } = this.#parts;
    if (this.#queries.size >= DNS_QUERIES_MAX) {
      counters.drop("limit");
      return;
    }
    const [high = 0, low = 0] = entropy(2);
    const guestsMessage = message.slice();
    const query: Query = {
      guestsMessage,
      message: withDnsId(guestsMessage, (high << 8) | low),
      question,
      servers: sockets.nameServers().slice(0, DNS_SERVERS_MAX),
      deadline: new Deadline(timers, () => this.#askNext(query)),
      reply,
      server: undefined,
      socket: undefined,
    };
    this.#queries.add(query);
    this.#askNext(query);
  }

  #askNext(query: Query): void {
    const { sockets } = this.#parts;
    query.socket?.close();
    const server = query.servers.shift();
    query.server = server;
    if (server === undefined) {
      this.#end(query);
      query.reply(dnsReply(query.guestsMessage, query.question, DNS_RCODE.serverFailure));
      return;
    }
    query.socket = sockets.openUdp({
      received: (from, bytes) => this.#received(query, from, bytes),
      failed: () => query.deadline.setIn(0),
    });
    query.deadline.setIn(DNS_TIMEOUT_NS);
    query.socket.send(server, query.message);
  }

  #received(query: Query, from: HostEnd, bytes: Uint8Array): void {
    const { server, message, question } = query;
    const isFromServer = from.address === server?.address && from.port === server.port;
    if (!isFromServer || !isDnsAnswerTo(bytes, message, question)) return;
    this.#end(query);
    query.reply(withDnsId(bytes, question.id));
  }

  #end(query: Query): void {
    this.#queries.delete(query);
    query.deadline.close();
    query.socket?.close();
  }
}

function ownAnswer(message: Uint8Array, question: DnsQuestion): Uint8Array | undefined {
  if (!question.isInternet) return undefined;
  const address = OWN_NAMES.get(question.name);
  if (address !== undefined) {
    const isAddress = question.type === DNS_TYPE.a;
    const data = Uint8Array.from(octets(address));
    const answer = isAddress ? { data, ttlSeconds: OWN_TTL_SECONDS } : undefined;
    return dnsReply(message, question, DNS_RCODE.noError, answer);
  }
  if (question.name.endsWith(".typevisor") || question.name === "typevisor")
    return dnsReply(message, question, DNS_RCODE.nameError);
  const owned = [...OWN_NAMES].find(([, own]) => reverseName(own) === question.name);
  if (owned === undefined || question.type !== DNS_TYPE.ptr) return undefined;
  const answer = { data: dnsName(owned[0]), ttlSeconds: OWN_TTL_SECONDS };
  return dnsReply(message, question, DNS_RCODE.noError, answer);
}

const octets = (address: number): number[] => formatIpv4(address).split(".").map(Number);
const reverseName = (address: number): string => `${octets(address).toReversed().join(".")}.in-addr.arpa`;
