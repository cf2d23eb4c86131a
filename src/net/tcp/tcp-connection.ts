/**
 * One TCP connection between the guest and a socket of the host's: the guest's connection ends here (RFC 9293), and its bytes go
 * on in both directions with the flow control of both sides. What the host's socket has not taken fills a ring, which closes the
 * window that the guest sees; what the guest has not acknowledged fills the other, and the socket is not read on.
 *
 * The guest's SYN is answered when the host has its connection, so that a guest learns of refused ones.
 *
 * Deliberately missing: selective acknowledgments, timestamps, urgent data as such (it is data), Nagle's algorithm (the host's
 * side has sent what there is), and the state LISTEN, which a NAT does not have.
 */

import { NS_PER_MS, NS_PER_S } from "../../base/index.ts";
import { HOST_READ_BYTES_MAX } from "../host-sockets.ts";
import type { ConnectFailure, HostTcpSocket, TcpSocketListener } from "../host-sockets.ts";
import { Deadline } from "../nat/network-timers.ts";
import type { NetworkTimers } from "../nat/network-timers.ts";
import { TCP_FLAG } from "../wire/tcp.ts";
import type { TcpSegment } from "../wire/tcp.ts";
import { ByteRing } from "./byte-ring.ts";
import { ReceiveStream } from "./receive-stream.ts";
import { RoundTrip } from "./round-trip.ts";
import { SendStream } from "./send-stream.ts";
import { advanced } from "./sequence.ts";

export type TcpState =
  /** The guest's SYN waits for the host's connection. */
  | "connecting"
  | "syn-sent"
  | "syn-received"
  | "established"
  | "fin-wait-1"
  | "fin-wait-2"
  | "close-wait"
  | "closing"
  | "last-ack"
  | "time-wait"
  | "closed";

/** A connection's two ends as the guest sees them. */
export interface TcpFlow {
  readonly guestAddress: number;
  readonly guestPort: number;
  readonly remoteAddress: number;
  readonly remotePort: number;
}

/** A segment to the guest. */
export interface OutgoingSegment {
  readonly flow: TcpFlow;
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly flags: number;
  readonly window: number;
  /** Of segments with SYN. */
  readonly mss?: number | undefined;
  readonly windowShift?: number | undefined;
  readonly data?: { readonly ring: ByteRing; readonly offset: number; readonly byteCount: number };
  /** What the guest takes at once. */
  readonly segmentBytes: number;
}

export interface TcpConnectionParts {
  readonly flow: TcpFlow;
  readonly timers: NetworkTimers;
  readonly initialSequence: number;
  /** Of each of its two rings. */
  readonly bufferBytes: number;
  readonly counters: { tcpRetransmissions: number };
  /** False where the guest's card has no room now; the connection is then asked to cardReady(). */
  readonly transmit: (segment: OutgoingSegment) => boolean;
  /** The longest data of a segment now, cards that cut it themselves included. */
  readonly segmentBytesMax: () => number;
  /** Has turn() called when what runs now is over. */
  readonly wantTurn: (connection: TcpConnection) => void;
  /** Once, when the connection is no more. */
  readonly closed: (connection: TcpConnection) => void;
  /** The host has no connection for the guest: to tell the guest why. */
  readonly unreachable: (reason: ConnectFailure) => void;
}

/** Of our end, with an MTU of 1500. */
export const MSS_BYTES = 1460;
/** What a guest that says nothing takes (RFC 9293, section 3.7.1), and the least that we believe. */
const MSS_DEFAULT_BYTES = 536;
const MSS_MIN_BYTES = 88;
/** Windows up to 1 MiB. */
const WINDOW_SHIFT = 4;
const DELAYED_ACK_NS = 20 * NS_PER_MS;
/** Data that is moved on at once and not at the next turn. */
const MOVE_BYTES = 64 * 1024;
/** Retransmissions in a row until the guest counts as gone: about six minutes, and of a SYN about half a minute. */
export const RETRANSMISSIONS_MAX = 12;
export const SYN_RETRANSMISSIONS_MAX = 5;
/** 2 MSL. */
export const TIME_WAIT_NS = 60 * NS_PER_S;
/** RFC 9293, section 3.8.4. */
export const KEEP_ALIVE_NS = 7200 * NS_PER_S;
const KEEP_ALIVE_PROBE_NS = 75 * NS_PER_S;
const KEEP_ALIVE_PROBES_MAX = 9;

export class TcpConnection implements TcpSocketListener {
  readonly flow: TcpFlow;
  readonly #parts: TcpConnectionParts;
  readonly #toHost: ByteRing;
  readonly #toGuest: ByteRing;
  readonly #roundTrip = new RoundTrip();
  readonly #retransmit: Deadline;
  readonly #delayedAck: Deadline;
  /** Keep-alive, and the end of TIME-WAIT. */
  readonly #idle: Deadline;
  #state: TcpState;
  #socket: HostTcpSocket | undefined;
  /** Bytes of #toHost that the socket is writing. */
  #writingBytes = 0;
  #isHostEnded = false;
  #hasEndedHost = false;
  /** Known from the guest's SYN on. */
  #receive: ReceiveStream | undefined;
  #mss = MSS_DEFAULT_BYTES;
  #sendShift = 0;
  #receiveShift = 0;
  /** Known when the connection is open. */
  #send: SendStream | undefined;
  #isReading = false;
  #isAckDue = false;
  /** Data that was not acknowledged yet. */
  #unackedBytes = 0;
  /** Data has gone to the host since the last turn. */
  #hasMoved = false;
  /** The guest's card had no room. */
  #isBlocked = false;
  #attempts = 0;
  #probes = 0;

  constructor(parts: TcpConnectionParts, state: "connecting" | "syn-sent") {
    this.flow = parts.flow;
    this.#parts = parts;
    this.#state = state;
    this.#toHost = new ByteRing(parts.bufferBytes);
    this.#toGuest = new ByteRing(parts.bufferBytes);
    this.#retransmit = new Deadline(parts.timers, () => this.#timedOut());
    this.#delayedAck = new Deadline(parts.timers, () => {
      this.#isAckDue = true;
      this.#output();
    });
    this.#idle = new Deadline(parts.timers, () => this.#idled());
  }

  get state(): TcpState {
    return this.#state;
  }

  /** Sequence number that a new connection of the same flow must be above to take this one's place in TIME-WAIT. */
  get receiveNext(): number {
    return this.#receive?.next ?? 0;
  }

  // From the table of connections.

  /** The guest has begun it: `connect` asks the host for its connection. */
  acceptGuest(syn: TcpSegment, connect: (listener: TcpSocketListener) => HostTcpSocket): void {
    this.#synReceived(syn);
    this.#socket = connect(this);
  }

  /** The host has begun it. */
  openToGuest(socket: HostTcpSocket): void {
    this.#socket = socket;
    this.#receiveShift = WINDOW_SHIFT;
    this.#sendSyn();
  }

  /** What was left for the end of what ran. */
  turn(): void {
    if (this.#state === "closed") return;
    this.#hasMoved = false;
    this.#moveToHost();
    this.#output();
  }

  cardReady(): void {
    if (!this.#isBlocked) return;
    this.#isBlocked = false;
    if (this.#state === "syn-sent" || this.#state === "syn-received") this.#sendSyn();
    else this.#output();
  }

  /** Ends it without a word to the guest. */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#socket?.close();
    this.#socket = undefined;
    for (const deadline of [this.#retransmit, this.#delayedAck, this.#idle]) deadline.close();
    // What the host's socket is still writing stays its own.
    this.#toHost.clear();
    this.#toGuest.clear();
    this.#parts.closed(this);
  }

  // From the host's socket.

  connected(): void {
    if (this.#state !== "connecting") return;
    this.#state = "syn-received";
    this.#sendSyn();
  }

  connectFailed(reason: ConnectFailure): void {
    this.#parts.unreachable(reason);
    if (reason === "refused" || reason === "failed") this.#reset();
    else this.close();
  }

  received(bytes: Uint8Array): void {
    this.#toGuest.append(bytes);
    this.#readIfThereIsRoom();
    this.#output();
  }

  ended(): void {
    this.#isHostEnded = true;
    this.#send?.queueFin();
    this.#output();
  }

  drained(): void {
    this.#toHost.drop(this.#writingBytes);
    this.#writingBytes = 0;
    this.#moveToHost();
    this.#output();
  }

  lost(): void {
    this.#reset();
  }

  // From the guest.

  /** A segment of this flow; `data` is the caller's again on return. */
  segment(segment: TcpSegment, data: Uint8Array): void {
    const { flags } = segment;
    if (this.#state === "connecting") {
      if ((flags & TCP_FLAG.rst) !== 0) this.close();
      return;
    }
    if (this.#state === "syn-sent") this.#answerToSyn(segment);
    else this.#synchronized(segment, data);
  }

  /** RFC 9293, section 3.10.7.3. */
  #answerToSyn(segment: TcpSegment): void {
    const { flags, acknowledgment } = segment;
    const hasAck = (flags & TCP_FLAG.ack) !== 0;
    if (hasAck && acknowledgment !== this.#firstSequence) {
      if ((flags & TCP_FLAG.rst) === 0) this.#transmitReset(acknowledgment);
      return;
    }
    if ((flags & TCP_FLAG.rst) !== 0) {
      if (hasAck) this.close();
      return;
    }
    if ((flags & TCP_FLAG.syn) === 0) return;
    this.#synReceived(segment);
    if (!hasAck) {
      this.#state = "syn-received";
      this.#sendSyn();
      return;
    }
    this.#open(segment);
    this.#isAckDue = true;
    this.#output();
  }

  /** RFC 9293, section 3.10.7.4, with the stricter checks of RFC 5961. */
  #synchronized(segment: TcpSegment, data: Uint8Array): void {
    const receive = this.#receive;
    if (receive === undefined) return;
    const { flags, sequence } = segment;
    const lengthBytes = data.length + ((flags & TCP_FLAG.fin) === 0 ? 0 : 1);
    this.#heardOfGuest();
    if (!receive.isAcceptable(sequence, lengthBytes)) {
      if ((flags & TCP_FLAG.rst) !== 0) return;
      if (this.#state === "syn-received" && (flags & TCP_FLAG.syn) !== 0) {
        this.#sendSyn();
        return;
      }
      if (this.#state === "time-wait") this.#idle.setIn(TIME_WAIT_NS);
      // A closed window lets no data in, but acknowledgments.
      if ((flags & TCP_FLAG.ack) !== 0 && sequence === receive.next) this.#acknowledged(segment, data);
      this.#ackNow();
      return;
    }
    if ((flags & TCP_FLAG.rst) !== 0) {
      if (sequence === receive.next) this.close();
      else this.#ackNow();
      return;
    }
    if ((flags & TCP_FLAG.syn) !== 0) {
      this.#ackNow();
      return;
    }
    if ((flags & TCP_FLAG.ack) === 0 || !this.#acknowledged(segment, data)) return;
    this.#text(receive, segment, data);
    this.#readIfThereIsRoom();
    // Acknowledgments let more of our data go; the guest's own is acknowledged when all that it sends now has come.
    if (this.#isAckDue || this.#toGuest.lengthBytes > 0 || this.#isHostEnded) this.#output();
  }

  /** False where the segment is not to be looked at further. */
  #acknowledged(segment: TcpSegment, data: Uint8Array): boolean {
    const { sequence, acknowledgment } = segment;
    if (this.#state === "syn-received") {
      if (acknowledgment !== this.#firstSequence) {
        this.#transmitReset(acknowledgment);
        return false;
      }
      this.#open(segment);
    }
    const send = this.#send;
    if (send === undefined) return false;
    const inFlightBytes = send.inFlightBytes;
    const windowBytes = segment.window << this.#sendShift;
    if (!send.acknowledge({ sequence, acknowledgment, windowBytes, hasData: data.length > 0 })) {
      this.#ackNow();
      return false;
    }
    // A window may stay closed for ever, as long as the guest says so (section 3.8.6.1).
    if (windowBytes === 0) this.#attempts = 0;
    if (send.inFlightBytes < inFlightBytes) {
      this.#attempts = 0;
      if (send.inFlightBytes > 0) this.#retransmit.setIn(this.#roundTrip.timeoutNs);
      else this.#retransmit.clear();
    }
    if (send.isFinAcknowledged) this.#finAcknowledged();
    return this.state !== "closed";
  }

  #text(receive: ReceiveStream, segment: TcpSegment, data: Uint8Array): void {
    const isOpen =
      this.#state === "established" || this.#state === "fin-wait-1" || this.#state === "fin-wait-2";
    if (!isOpen) {
      // The guest's FIN again: our acknowledgment was lost.
      if (data.length > 0 || (segment.flags & TCP_FLAG.fin) !== 0) this.#isAckDue = true;
      return;
    }
    if (data.length > 0) {
      if (receive.take(segment.sequence, data)) this.#unackedBytes += data.length;
      else this.#isAckDue = true;
      // The first goes at once, so that the host is at work on it while the guest goes on to where it waits for the answer.
      const isWorthMoving = this.#toHost.lengthBytes - this.#writingBytes >= MOVE_BYTES;
      if (!this.#hasMoved || isWorthMoving) this.#moveToHost();
      this.#hasMoved = true;
      if (this.#unackedBytes >= MOVE_BYTES) this.#isAckDue = true;
      this.#parts.wantTurn(this);
    }
    const isFin = (segment.flags & TCP_FLAG.fin) !== 0;
    if (isFin && advanced(segment.sequence, data.length) === receive.next) this.#finReceived(receive);
  }

  #finReceived(receive: ReceiveStream): void {
    receive.skipFin();
    this.#isAckDue = true;
    if (this.#state === "established") this.#state = "close-wait";
    else if (this.#state === "fin-wait-1") this.#state = "closing";
    else this.#waitForTheRest();
    this.#moveToHost();
  }

  #finAcknowledged(): void {
    if (this.#state === "fin-wait-1") this.#state = "fin-wait-2";
    else if (this.#state === "closing") this.#waitForTheRest();
    else if (this.#state === "last-ack") this.#closeWhenWritten();
  }

  #waitForTheRest(): void {
    this.#state = "time-wait";
    this.#retransmit.clear();
    this.#idle.setIn(TIME_WAIT_NS);
  }

  /** What the guest has sent goes to the host's socket; what that does not take at once stays here. */
  #moveToHost(): void {
    const socket = this.#socket;
    if (socket === undefined || this.#hasEndedHost) return;
    while (this.#writingBytes === 0 && this.#toHost.lengthBytes > 0) {
      const head = this.#toHost.head();
      if (socket.write(head)) this.#toHost.drop(head.length);
      else this.#writingBytes = head.length;
    }
    if (this.#toHost.lengthBytes > 0 || !this.#isFinReceived) return;
    this.#hasEndedHost = true;
    socket.end();
    if (this.#state === "last-ack" && this.#send?.isFinAcknowledged === true) this.close();
  }

  /** The last acknowledgment may come before the host's socket has taken everything. */
  #closeWhenWritten(): void {
    if (this.#hasEndedHost) this.close();
  }

  get #isFinReceived(): boolean {
    const states: readonly TcpState[] = ["close-wait", "closing", "last-ack", "time-wait"];
    return states.includes(this.#state);
  }

  #readIfThereIsRoom(): void {
    const hasRoom = this.#toGuest.freeBytes >= HOST_READ_BYTES_MAX;
    if (hasRoom === this.#isReading || this.#send === undefined) return;
    this.#isReading = hasRoom;
    if (hasRoom) this.#socket?.resumeReading();
    else this.#socket?.pauseReading();
  }

  // Towards the guest.

  #output(): void {
    const send = this.#send;
    if (send === undefined || this.#state === "closed" || this.#isBlocked) return;
    const isComplete = send.output(this.#segmentBytesMax());
    if (!isComplete) this.#isBlocked = true;
    if (send.isFinSent) this.#finSent();
    if (send.inFlightBytes > 0 || send.mustProbe) {
      if (!this.#retransmit.isSet) this.#retransmit.setIn(this.#roundTrip.timeoutNs);
    } else {
      this.#retransmit.clear();
    }
    this.#acknowledgeGuest();
  }

  #finSent(): void {
    if (this.#state === "established") this.#state = "fin-wait-1";
    else if (this.#state === "close-wait") this.#state = "last-ack";
  }

  /**
   * Every second full segment, or a window that has opened, at once; the rest a little later (section 3.8.6.3). A guest whose
   * segments are small says so by what it takes itself.
   */
  #acknowledgeGuest(): void {
    const isDue =
      this.#isAckDue || this.#unackedBytes >= 2 * this.#mss || this.#receive?.isWindowUpdateDue === true;
    if (isDue) this.#ackNow();
    else if (this.#unackedBytes > 0 && !this.#delayedAck.isSet) this.#delayedAck.setIn(DELAYED_ACK_NS);
  }

  #ackNow(): void {
    this.#isAckDue = true;
    const sequence = this.#send?.bareSequence ?? this.#firstSequence;
    if (!this.#transmit(sequence, TCP_FLAG.ack)) this.#isBlocked = true;
  }

  #sendSyn(): void {
    const hasAck = this.#receive !== undefined;
    const window = this.#receive?.announce(0) ?? Math.min(0xffff, this.#toHost.capacityBytes);
    const isSent = this.#parts.transmit({
      flow: this.flow,
      sequence: this.#parts.initialSequence,
      acknowledgment: this.#receive?.next ?? 0,
      flags: TCP_FLAG.syn | (hasAck ? TCP_FLAG.ack : 0),
      window,
      mss: MSS_BYTES,
      windowShift: this.#receiveShift === 0 ? undefined : this.#receiveShift,
      segmentBytes: this.#mss,
    });
    this.#isBlocked = !isSent;
    this.#retransmit.setIn(this.#roundTrip.timeoutNs);
  }

  /** A segment with everything that the guest is to know. */
  #transmit(sequence: number, flags: number, data?: OutgoingSegment["data"]): boolean {
    const receive = this.#receive;
    if (receive === undefined) return true;
    const isSent = this.#parts.transmit({
      flow: this.flow,
      sequence,
      acknowledgment: receive.next,
      flags,
      window: receive.announce(),
      segmentBytes: this.#mss,
      ...(data === undefined ? {} : { data }),
    });
    if (!isSent) return false;
    this.#isAckDue = false;
    this.#unackedBytes = 0;
    this.#delayedAck.clear();
    return true;
  }

  /** Ends it with a reset to the guest. */
  #reset(): void {
    const sequence = this.#send?.bareSequence ?? this.#firstSequence;
    if (this.#state === "connecting") this.#transmit(0, TCP_FLAG.rst | TCP_FLAG.ack);
    else if (this.#state !== "time-wait") this.#transmit(sequence, TCP_FLAG.rst | TCP_FLAG.ack);
    this.close();
  }

  /** In answer to an acknowledgment that makes no sense. */
  #transmitReset(sequence: number): void {
    const { flow } = this;
    const nothing = { acknowledgment: 0, window: 0, segmentBytes: this.#mss };
    this.#parts.transmit({ flow, sequence, flags: TCP_FLAG.rst, ...nothing });
  }

  #timedOut(): void {
    const isSyn = this.#state === "syn-sent" || this.#state === "syn-received";
    this.#attempts++;
    if (this.#attempts > (isSyn ? SYN_RETRANSMISSIONS_MAX : RETRANSMISSIONS_MAX)) {
      this.#reset();
      return;
    }
    this.#roundTrip.backOff();
    if (isSyn) {
      this.#parts.counters.tcpRetransmissions++;
      this.#sendSyn();
      return;
    }
    if (this.#send !== undefined && this.#send.inFlightBytes > 0) this.#send.timedOut();
    this.#output();
    this.#send?.probe();
  }

  #idled(): void {
    if (this.#state === "time-wait" && this.#hasEndedHost) {
      this.close();
      return;
    }
    if (this.#probes >= KEEP_ALIVE_PROBES_MAX) {
      this.#reset();
      return;
    }
    this.#probes++;
    if (this.#state === "time-wait") {
      // The host's socket has not taken everything yet.
      this.#idle.setIn(TIME_WAIT_NS);
      return;
    }
    // A byte that was acknowledged long ago makes the guest answer.
    const sequence = this.#send?.bareSequence ?? this.#firstSequence;
    this.#transmit(advanced(sequence, -1), TCP_FLAG.ack);
    this.#idle.setIn(KEEP_ALIVE_PROBE_NS);
  }

  #heardOfGuest(): void {
    if (this.#state === "time-wait") return;
    this.#probes = 0;
    this.#idle.setIn(KEEP_ALIVE_NS);
  }

  // Opening.

  #synReceived(syn: TcpSegment): void {
    this.#mss = Math.min(MSS_BYTES, Math.max(MSS_MIN_BYTES, syn.mss ?? MSS_DEFAULT_BYTES));
    // Windows are scaled only if both say so (RFC 7323, section 2.2).
    this.#sendShift = syn.windowShift ?? 0;
    this.#receiveShift = syn.windowShift === undefined ? 0 : WINDOW_SHIFT;
    const first = advanced(syn.sequence, 1);
    this.#receive = new ReceiveStream(this.#toHost, first, this.#receiveShift, MSS_BYTES);
  }

  /** The guest's SYN is here and ours acknowledged. */
  #open(segment: TcpSegment): void {
    const { timers, counters } = this.#parts;
    const isSyn = (segment.flags & TCP_FLAG.syn) !== 0;
    this.#state = "established";
    this.#attempts = 0;
    this.#retransmit.clear();
    this.#send = new SendStream(
      {
        ring: this.#toGuest,
        clock: timers.clock,
        roundTrip: this.#roundTrip,
        first: this.#firstSequence,
        mss: this.#mss,
        // The window of a SYN is not scaled.
        windowBytes: segment.window << (isSyn ? 0 : this.#sendShift),
        counters,
        emit: (sequence, flags, offset, byteCount) =>
          this.#transmit(sequence, flags | TCP_FLAG.ack, { ring: this.#toGuest, offset, byteCount }),
      },
      segment.sequence,
    );
    if (this.#isHostEnded) this.#send.queueFin();
    this.#heardOfGuest();
    this.#readIfThereIsRoom();
  }

  get #firstSequence(): number {
    return advanced(this.#parts.initialSequence, 1);
  }

  /** In whole segments, but at least one. */
  #segmentBytesMax(): number {
    const most = this.#parts.segmentBytesMax();
    return Math.max(this.#mss, most - (most % this.#mss));
  }
}
