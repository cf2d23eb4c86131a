/** What a NAT counts. Plain data with cumulative counts. */

/** Why something that came from the guest, or was for it, went nowhere. */
export const DROP_REASONS = [
  /** Damaged, truncated or not understood: Ethernet, ARP, IPv4 and what is above. */
  "malformed",
  /** For other stations of the Ethernet, or a protocol that nobody speaks here, such as IPv6. */
  "unknownProtocol",
  /** From an address that is not of the guest's network. */
  "spoofed",
  /** Fragments that overlap, never became a packet, or were too many. */
  "fragments",
  /** The guest's card had no room for it, or nobody listens. */
  "guestBusy",
  /** Refused by the settings. */
  "refused",
  /** The host's socket could not take it. */
  "hostBusy",
  /** As many connections, associations or queries as there may be. */
  "limit",
] as const;
export type DropReason = (typeof DROP_REASONS)[number];

export interface NetworkStatistics {
  readonly framesFromGuest: number;
  readonly bytesFromGuest: number;
  readonly framesToGuest: number;
  readonly bytesToGuest: number;
  readonly tcpConnections: number;
  /** As of now. */
  readonly tcpConnectionsOpen: number;
  readonly tcpRetransmissions: number;
  readonly udpAssociations: number;
  readonly udpAssociationsOpen: number;
  readonly dnsQueries: number;
  readonly dropped: Readonly<Record<DropReason, number>>;
}

/** The counters behind {@link NetworkStatistics}; each part of the NAT counts its own. */
export class NetworkCounters {
  framesFromGuest = 0;
  bytesFromGuest = 0;
  framesToGuest = 0;
  bytesToGuest = 0;
  tcpConnections = 0;
  tcpRetransmissions = 0;
  udpAssociations = 0;
  dnsQueries = 0;
  readonly dropped: Record<DropReason, number> = {
    malformed: 0,
    unknownProtocol: 0,
    spoofed: 0,
    fragments: 0,
    guestBusy: 0,
    refused: 0,
    hostBusy: 0,
    limit: 0,
  };

  drop(reason: DropReason): void {
    this.dropped[reason]++;
  }
}
