/**
 * The networks of a running VM: one behind each of its cards, with a capture in between where one is asked for. Knows when the
 * guest may be waiting for an answer from outside, and gives all sockets back when the VM has ended.
 */

import { NS_PER_MS, ok } from "../base/index.ts";
import type { Clock, Result, Timers } from "../base/index.ts";
import type { NetworkCard } from "../machine/index.ts";
import { CapturedLink, UserNetwork } from "../net/index.ts";
import type { CaptureSink, HostSockets, NetworkStatistics } from "../net/index.ts";
import type { NetworkDefinition } from "./network-settings.ts";

/** What networks need of the host. */
export interface NetworkHost {
  readonly sockets: HostSockets;
  /** Begins a file anew. */
  readonly openCapture: (path: string) => Result<CaptureSink>;
}

export interface NetworksInUseParts {
  readonly vmName: string;
  readonly definitions: readonly NetworkDefinition[];
  readonly host: NetworkHost;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly wallClockNs: () => bigint;
  readonly entropy: (byteCount: number) => Uint8Array;
  /** The guest may wait for an answer from outside, or does no longer. */
  readonly expectHost: (isExpected: boolean) => void;
}

/** How long after the guest has sent something an answer is expected: those of near hosts come within it. */
const ANSWER_NS = 2 * NS_PER_MS;

export class NetworksInUse {
  /** As the board gets them. */
  readonly cards: readonly NetworkCard[];
  readonly #parts: NetworksInUseParts;
  readonly #networks: readonly UserNetwork[];
  readonly #captures: CapturedLink[] = [];
  #isAnswerExpected = false;
  #askedAtNs = 0;
  #isClosed = false;

  constructor(parts: NetworksInUseParts, captures: readonly (CaptureSink | undefined)[]) {
    this.#parts = parts;
    const { clock, timers, entropy, host, vmName } = parts;
    const made = parts.definitions.map((definition, index) => {
      const { card, allowsHost, isRestricted } = definition;
      const macAddress = definition.macAddress ?? macAddressOf(vmName, index);
      const network = new UserNetwork({
        macAddress,
        hostName: vmName,
        reach: { allowsHost, isRestricted },
        sockets: host.sockets,
        ...{ clock, timers, entropy },
        soon: (run) => void this.#soon(run),
        hostAsked: () => this.#hostAsked(),
      });
      return { network, card: { model: card, macAddress, link: this.#captured(network, captures[index]) } };
    });
    this.#networks = made.map(({ network }) => network);
    this.cards = made.map(({ card }) => card);
  }

  get statistics(): readonly NetworkStatistics[] {
    return this.#networks.map(({ statistics }) => statistics);
  }

  /** Opens the ports that are forwarded. */
  async open(): Promise<Result<void>> {
    for (const [index, network] of this.#networks.entries()) {
      const opened = await network.openForwards(this.#parts.definitions[index]?.forwards ?? []);
      if (!opened.ok) return opened;
    }
    return ok(undefined);
  }

  close(): void {
    this.#isClosed = true;
    for (const network of this.#networks) network.close();
    for (const capture of this.#captures) capture.close();
  }

  #captured(network: UserNetwork, sink: CaptureSink | undefined): UserNetwork | CapturedLink {
    if (sink === undefined) return network;
    const link = new CapturedLink(network, sink, this.#parts.wallClockNs);
    this.#captures.push(link);
    return link;
  }

  /** Runs when the slice or the host's event that is under way is over; a bug of ours is then a rejection that is reported. */
  async #soon(run: () => void): Promise<void> {
    await Promise.resolve();
    if (!this.#isClosed) run();
  }

  #hostAsked(): void {
    const { clock, expectHost } = this.#parts;
    this.#askedAtNs = clock.nowNs();
    if (this.#isAnswerExpected) return;
    this.#isAnswerExpected = true;
    expectHost(true);
    this.#expectAnswer();
  }

  #expectAnswer(): void {
    const { clock, timers, expectHost } = this.#parts;
    timers.schedule(this.#askedAtNs + ANSWER_NS, () => {
      if (clock.nowNs() < this.#askedAtNs + ANSWER_NS) {
        this.#expectAnswer();
        return;
      }
      this.#isAnswerExpected = false;
      expectHost(false);
    });
  }
}

/** Opens the files of captures; of several, all or none. */
export function openCaptures(
  definitions: readonly NetworkDefinition[],
  host: NetworkHost,
): Result<readonly (CaptureSink | undefined)[]> {
  const sinks: (CaptureSink | undefined)[] = [];
  for (const { capture } of definitions) {
    const sink = capture === undefined ? ok(undefined) : host.openCapture(capture);
    if (!sink.ok) {
      for (const opened of sinks) opened?.close();
      return sink;
    }
    sinks.push(sink.value);
  }
  return ok(sinks);
}

/** 52:54:00 and 24 bits that follow from the VM's name (FNV-1a) and the card's place: the same at each start. */
export function macAddressOf(vmName: string, index: number): Uint8Array {
  let hash = 0x811c9dc5;
  for (const character of `${vmName}/${index}`)
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  const folded = (hash ^ (hash >>> 24)) & 0xffffff;
  return Uint8Array.of(0x52, 0x54, 0, folded >>> 16, (folded >>> 8) & 0xff, folded & 0xff);
}
