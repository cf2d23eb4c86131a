/**
 * The network device with one pair of queues and the control queue (Virtual I/O Device 1.2, section 5.1). What the driver
 * has queued is sent at its notification, all of it with one interrupt at most, which may wait for more; what it leaves out of checksums and segmentation is
 * done here for networks that need it. Frames that arrive go into the driver's buffers at once, of which
 * those that one frame left over wait for the next.
 *
 * Missing on purpose: several queue pairs with receive-side scaling and hash reports (VIRTIO_NET_F_MQ, RSS), receiving
 * IPv6 in large frames (GUEST_TSO6), VIRTIO_NET_F_CTRL_GUEST_OFFLOADS, UDP segmentation, VIRTIO_NET_F_NOTF_COAL.
 */

import { RegisterFile, StateReader } from "../../../hw/index.ts";
import type { Clock, DeviceState, RegisterHooks, Timers } from "../../../hw/index.ts";
import { ETHERNET_HEADER_BYTES, MAC_ADDRESS_BYTES } from "../../../net/index.ts";
import type { NetworkLink } from "../../../net/index.ts";
import { LinkPort } from "../../ethernet/link-port.ts";
import { CHECKED, checkReceived } from "../../ethernet/received-checksums.ts";
import type { DescriptorChain, Virtqueue } from "../queue/index.ts";
import { VIRTIO_FEATURE } from "../virtio-device.ts";
import type { VirtioDevice, VirtioHost, VirtioType } from "../virtio-device.ts";
import {
  CONTROL_ANSWER,
  CONTROL_BYTES_MAX,
  CONTROL_HEADER_BYTES,
  runControlCommand,
} from "./control-commands.ts";
import {
  CONTROL_QUEUE_SIZE,
  GSO,
  HEADER_FLAG,
  LEGACY_NET_HEADER_BYTES,
  MAC_REGISTERS,
  NET_CONFIG_BYTES,
  NET_FEATURE,
  NET_HEADER,
  NET_HEADER_BYTES,
  NET_QUEUE,
  NET_QUEUE_SIZE,
  NET_STATUS,
  netRegisters,
} from "./net-config.ts";
import type { NetRegisters } from "./net-config.ts";
import { ReceiveFilter } from "./receive-filter.ts";
import { TransmitInterrupts } from "./transmit-interrupts.ts";
import { TRANSMIT_FRAME_BYTES_MAX, TransmitOffload } from "./transmit-offload.ts";

const TCP_LENGTH_OFFSET = 12;
const TCP_CHECKSUM_OFFSET = 16;

export interface VirtioNetConfig {
  /** MAC_ADDRESS_BYTES of a single station's address. */
  readonly macAddress: Uint8Array;
  readonly link: NetworkLink;
  readonly clock: Clock;
  readonly timers: Timers;
}

export class VirtioNet implements VirtioDevice, RegisterHooks<NetRegisters> {
  readonly type: VirtioType = { id: 1, transitionalPciId: 0x1000, baseClass: 0x02, subClass: 0x00 };
  readonly features: readonly number[] = Object.values(NET_FEATURE);
  readonly queueSizes: readonly number[] = [NET_QUEUE_SIZE, NET_QUEUE_SIZE, CONTROL_QUEUE_SIZE];
  readonly config: RegisterFile<NetRegisters>;
  readonly configBytes = NET_CONFIG_BYTES;
  readonly #port: LinkPort;
  readonly #filter = new ReceiveFilter();
  readonly #ownAddress = new Uint8Array(MAC_ADDRESS_BYTES);
  readonly #offload: TransmitOffload;
  readonly #transmitInterrupts: TransmitInterrupts;
  /** A frame to be sent, behind its header. */
  readonly #outgoing = new Uint8Array(NET_HEADER_BYTES + TRANSMIT_FRAME_BYTES_MAX);
  readonly #outgoingView = new DataView(this.#outgoing.buffer);
  /** The header of a frame that has arrived. */
  readonly #header = new Uint8Array(NET_HEADER_BYTES);
  readonly #headerView = new DataView(this.#header.buffer);
  /** Taken for frames that have not arrived yet; all of one queue. */
  #buffers: DescriptorChain[] = [];
  #buffersQueue: Virtqueue | undefined;
  #host: VirtioHost | undefined;

  constructor({ macAddress, link, clock, timers }: VirtioNetConfig) {
    this.config = new RegisterFile(netRegisters(macAddress), this);
    const takesUnfinished = (): boolean =>
      this.#has(NET_FEATURE.guestCsum) && this.#has(NET_FEATURE.guestTso4);
    this.#port = new LinkPort(link, {
      frameArrived: (frame) => this.#frameArrived(frame),
      linkChanged: (isUp) => this.#linkChanged(isUp),
      unfinished: {
        get isWanted() {
          return takesUnfinished();
        },
        frameArrived: (frame, segmentBytes) => this.#unfinishedArrived(frame, segmentBytes),
      },
    });
    this.#offload = new TransmitOffload(this.#port);
    this.#transmitInterrupts = new TransmitInterrupts({
      clock,
      timers,
      interrupt: () => this.#host?.interrupt(NET_QUEUE.transmit) === true,
    });
    this.reset();
  }

  // The transport's side.

  attach(host: VirtioHost): void {
    this.#host = host;
  }

  featuresAgreed(): void {}

  notified(index: number): void {
    if (index === NET_QUEUE.transmit) this.#transmit();
    else if (index === NET_QUEUE.control) this.#control();
    else this.#buffersOffered();
  }

  reset(): void {
    this.#buffers = [];
    this.#buffersQueue = undefined;
    this.#transmitInterrupts.reset();
    this.#filter.reset();
    this.#readOwnAddress();
    this.#showLink();
    this.#port.reset();
  }

  save(): DeviceState {
    return { filter: this.#filter.save() };
  }

  restore(state: DeviceState, queues: readonly (Virtqueue | undefined)[]): void {
    this.#filter.restore(new StateReader("virtio-net", state).child("filter"));
    this.#readOwnAddress();
    this.#showLink();
    this.#buffersQueue = queues[NET_QUEUE.receive];
    this.#buffers = [...(this.#buffersQueue?.outstanding ?? [])];
    // The queue knows whether its driver has heard of everything.
    this.#transmitInterrupts.tellSoon();
    // What the other two queues have outstanding can only come from a snapshot that was tampered with; it stays there.
    this.#port.reset();
  }

  // Register hooks.

  /** Drivers of the legacy interface set the address here (section 5.1.4.1); for others it is read-only. */
  macWritten(): void {
    if (this.#has(VIRTIO_FEATURE.version1)) this.#showOwnAddress();
    else this.#readOwnAddress();
  }

  // Workings: configuration.

  #has(feature: number): boolean {
    return this.#host?.hasFeature(feature) === true;
  }

  #readOwnAddress(): void {
    MAC_REGISTERS.forEach((name, index) => (this.#ownAddress[index] = this.config.values[name]));
  }

  #showOwnAddress(): void {
    MAC_REGISTERS.forEach((name, index) => (this.config.values[name] = this.#ownAddress[index] ?? 0));
  }

  #showLink(): void {
    const others = this.config.values.status & ~NET_STATUS.linkUp;
    this.config.values.status = others | (this.#port.isUp ? NET_STATUS.linkUp : 0);
  }

  /** Whoever is there when the link comes up again should learn where the guest is (section 5.1.6.5.4). */
  #linkChanged(isUp: boolean): void {
    if (isUp && this.#has(NET_FEATURE.guestAnnounce)) this.config.values.status |= NET_STATUS.announce;
    this.#showLink();
    this.#host?.configChanged();
  }

  /** Drivers of version 1 have the longer header in any case. */
  get #headerBytes(): number {
    const isLong = this.#has(VIRTIO_FEATURE.version1) || this.#has(NET_FEATURE.mergeableBuffers);
    return isLong ? NET_HEADER_BYTES : LEGACY_NET_HEADER_BYTES;
  }

  // Workings: sending.

  #transmit(): void {
    const queue = this.#host?.queue(NET_QUEUE.transmit);
    if (queue === undefined) return;
    const headerBytes = this.#headerBytes;
    // The guest stands still meanwhile, so there are at most as many as the queue has room for.
    let frameCount = 0;
    for (let chain = queue.pop(); chain !== undefined; chain = queue.pop()) {
      this.#send(queue, chain, headerBytes);
      queue.push(chain, 0);
      this.#transmitInterrupts.sent(chain.readable.totalBytes);
      frameCount++;
    }
    queue.setNotifications(true);
    if (frameCount > 0) this.#transmitInterrupts.batchEnded(queue.setup.size);
  }

  #send(queue: Virtqueue, chain: DescriptorChain, headerBytes: number): void {
    const { totalBytes } = chain.readable;
    if (totalBytes < headerBytes) {
      queue.break("request");
    } else if (totalBytes <= headerBytes + TRANSMIT_FRAME_BYTES_MAX) {
      const end = chain.readable.read(queue.dma, 0, this.#outgoing);
      this.#offload.send(this.#outgoingView, headerBytes, end, this.#hasFeature);
    }
  }

  readonly #hasFeature = (bit: number): boolean => this.#has(bit);

  // Workings: receiving.

  #frameArrived(frame: Uint8Array): boolean {
    this.#header.fill(0);
    if (this.#isChecked(frame)) this.#header[NET_HEADER.flags] = HEADER_FLAG.dataValid;
    return this.#receive(frame);
  }

  /** TCP over IPv4, whose checksum is the driver's to complete if it passes the frame on, as is cutting it. */
  #unfinishedArrived(frame: Uint8Array, segmentBytes: number): boolean {
    const tcpOffset = ETHERNET_HEADER_BYTES + ((frame[ETHERNET_HEADER_BYTES] ?? 0) & 0x0f) * 4;
    const headerBytes = tcpOffset + ((frame[tcpOffset + TCP_LENGTH_OFFSET] ?? 0) >>> 4) * 4;
    const view = this.#headerView;
    this.#header.fill(0);
    this.#header[NET_HEADER.flags] = HEADER_FLAG.needsChecksum;
    view.setUint16(NET_HEADER.checksumStart, tcpOffset, true);
    view.setUint16(NET_HEADER.checksumOffset, TCP_CHECKSUM_OFFSET, true);
    if (frame.length > headerBytes + segmentBytes) {
      this.#header[NET_HEADER.gsoType] = GSO.tcp4;
      view.setUint16(NET_HEADER.headerLength, headerBytes, true);
      view.setUint16(NET_HEADER.gsoSize, segmentBytes, true);
    }
    return this.#receive(frame);
  }

  /** A frame whose header has been made. Without a driver, and in the wrong place, it is lost. */
  #receive(frame: Uint8Array): boolean {
    const queue = this.#host?.queue(NET_QUEUE.receive);
    if (queue === undefined) return true;
    if (!this.#filter.accepts(frame, this.#ownAddress, this.#has(NET_FEATURE.controlVlan))) return true;
    if (this.#buffersQueue !== queue) {
      this.#buffers = [];
      this.#buffersQueue = queue;
    }
    const headerBytes = this.#headerBytes;
    const isMerged = this.#has(NET_FEATURE.mergeableBuffers);
    const count = this.#gather(queue, headerBytes + frame.length, isMerged);
    if (count === undefined) return false;
    if (count > 0) this.#deliver(queue, frame, headerBytes, count);
    return true;
  }

  /**
   * Takes buffers until the first so many hold `wantedBytes`. 0 if they never will, which the frame is lost by; undefined if
   * there are not enough yet, and the driver will tell of more.
   */
  #gather(queue: Virtqueue, wantedBytes: number, isMerged: boolean): number | undefined {
    let roomBytes = 0;
    for (let index = 0; ; index++) {
      const buffer = this.#buffers[index] ?? this.#takeBuffer(queue);
      if (buffer === undefined) return queue.fault === undefined ? undefined : 0;
      roomBytes += buffer.writable.totalBytes;
      if (roomBytes >= wantedBytes) return index + 1;
      // Nor can there be more than the queue has room for.
      if (!isMerged || index + 1 >= queue.setup.size) return 0;
    }
  }

  #takeBuffer(queue: Virtqueue): DescriptorChain | undefined {
    let buffer = queue.pop();
    if (buffer === undefined) {
      // What came before the driver saw that it should notify is looked for once more.
      queue.setNotifications(true);
      buffer = queue.pop();
      if (buffer === undefined) return undefined;
    }
    if (buffer.writable.totalBytes < this.#headerBytes) {
      queue.break("request");
      return undefined;
    }
    this.#buffers.push(buffer);
    return buffer;
  }

  #deliver(queue: Virtqueue, frame: Uint8Array, headerBytes: number, count: number): void {
    this.#headerView.setUint16(NET_HEADER.bufferCount, count, true);
    const { dma } = queue;
    const header = headerBytes === NET_HEADER_BYTES ? this.#header : this.#header.subarray(0, headerBytes);
    let done = 0;
    for (let index = 0; index < count; index++) {
      const buffer = this.#buffers.shift();
      if (buffer === undefined) break;
      const before = index === 0 ? buffer.writable.write(dma, 0, header) : 0;
      const rest = done === 0 ? frame : frame.subarray(done);
      const written = buffer.writable.write(dma, before, rest);
      done += written;
      queue.push(buffer, before + written);
    }
    this.#transmitInterrupts.received();
    this.#host?.interrupt(NET_QUEUE.receive);
  }

  #isChecked(frame: Uint8Array): boolean {
    return this.#has(NET_FEATURE.guestCsum) && (checkReceived(frame) & CHECKED.transportGood) !== 0;
  }

  /** The driver is kept quiet until buffers run out. */
  #buffersOffered(): void {
    this.#host?.queue(NET_QUEUE.receive)?.setNotifications(false);
    this.#port.roomAgain();
  }

  // Workings: commands.

  #control(): void {
    const queue = this.#host?.queue(NET_QUEUE.control);
    if (queue === undefined) return;
    for (let chain = queue.pop(); chain !== undefined; chain = queue.pop()) {
      if (!this.#runCommand(queue, chain)) return;
    }
    queue.setNotifications(true);
    this.#host?.interrupt(NET_QUEUE.control);
  }

  /** False: it is no command, and the queue is broken. */
  #runCommand(queue: Virtqueue, chain: DescriptorChain): boolean {
    if (chain.readable.totalBytes < CONTROL_HEADER_BYTES || chain.writable.totalBytes < 1) {
      queue.break("request");
      return false;
    }
    const bytes = new Uint8Array(Math.min(chain.readable.totalBytes, CONTROL_BYTES_MAX));
    chain.readable.read(queue.dma, 0, bytes);
    const isDone = runControlCommand(this.#controlled, bytes);
    const answer = isDone ? CONTROL_ANSWER.ok : CONTROL_ANSWER.error;
    queue.push(chain, chain.writable.write(queue.dma, 0, Uint8Array.of(answer)));
    return true;
  }

  readonly #controlled = {
    filter: this.#filter,
    hasFeature: this.#hasFeature,
    setMacAddress: (address: Uint8Array): void => {
      this.#ownAddress.set(address);
      this.#showOwnAddress();
    },
    announced: (): void => {
      this.config.values.status &= ~NET_STATUS.announce;
    },
  };
}
