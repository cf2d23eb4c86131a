/**
 * One client of an RFB server: the RFB Protocol 3.8 (RFC 6143), also in its versions 3.3 and 3.7. It knows no socket: bytes
 * come in, bytes go out, and whatever a client sends, the worst that happens is that its connection is closed with a reason.
 *
 * How it comes in is in rfb-handshake.ts. Encodings Raw, Hextile and ZRLE; the pseudo-encodings DesktopSize, QEMU's
 * extended key events and pointer type change. A client that does not know DesktopSize keeps the size that it was told first:
 * larger pictures are cut off, smaller ones have black beside them. Texts of the clipboard are skipped, there is no bell, and
 * the pointer is drawn by the guest.
 */

import { concatBytes } from "../../base/index.ts";
import type { InputEvent } from "../../vmm/index.ts";
import { ByteReader } from "./byte-reader.ts";
import { ClientInput } from "./client-input.ts";
import { DirtyTiles } from "./dirty-tiles.ts";
import type { Rectangle } from "./dirty-tiles.ts";
import { encodeHextile, ENCODING, encodeRaw, encodeZrle } from "./encodings.ts";
import type { PixelBlock } from "./encodings.ts";
import {
  colorMapEntries,
  decodePixelFormat,
  encodePixelFormat,
  PIXEL_FORMAT_BYTES,
  PixelWriter,
  SERVER_PIXEL_FORMAT,
} from "./pixel-format.ts";
import { counted, lengthOf, rectangleHead, updateHead } from "./rfb-bytes.ts";
import { RfbHandshake } from "./rfb-handshake.ts";
import type { RfbHandshakeParts } from "./rfb-handshake.ts";

/** A zlib stream that lasts as long as its connection. */
export interface ZlibStream {
  /** What `bytes` add to the stream, flushed so that they can be unpacked. */
  deflate(bytes: Uint8Array): Promise<Uint8Array>;
  close(): void;
}

/** The picture that clients look at. Pixels have red in their lowest byte, then green and blue. */
export interface RfbPicture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint32Array;
}

export interface RfbSessionParts extends RfbHandshakeParts {
  readonly name: string;
  readonly createZlib: () => ZlibStream;
  /** Bytes sent that have not left yet. */
  readonly backlogBytes: () => number;
  readonly input: (input: InputEvent) => void;
  /** The picture as it is; asked for whenever it is to be sent. */
  readonly picture: () => RfbPicture;
  /** The client may connect. Whoever wants to be alone has the others go. */
  readonly joined: (isExclusive: boolean) => void;
  /** The picture is to be looked at soon, at once if `isUrgent`; looked() follows. */
  readonly look: (isUrgent: boolean) => void;
  /** Called once; what is sent afterwards is lost. */
  readonly close: (reason: string) => void;
}

/** An update has at most so many pixels; what is more comes with the next one, so that little is under way at a time. */
const UPDATE_PIXELS_MAX = 512 * 1024;
/** With more than that unsent a client gets nothing new. */
const BACKLOG_MAX_BYTES = 256 * 1024;
const ENCODINGS_MAX = 1024;
const CUT_TEXT_MAX_BYTES = 16 * 1024 * 1024;

const PSEUDO = { desktopSize: -223, pointerTypeChange: -257, extendedKeys: -258 } as const;
const CLIENT = {
  setPixelFormat: 0,
  setEncodings: 2,
  updateRequest: 3,
  key: 4,
  pointer: 5,
  cutText: 6,
  qemu: 255,
} as const;
const QEMU_EXTENDED_KEY = 0;
/** Of the client's messages, without what their length depends on. */
const MESSAGE_BYTES: Readonly<Record<number, number>> = {
  [CLIENT.setPixelFormat]: 4 + PIXEL_FORMAT_BYTES,
  [CLIENT.setEncodings]: 4,
  [CLIENT.updateRequest]: 10,
  [CLIENT.key]: 8,
  [CLIENT.pointer]: 6,
  [CLIENT.cutText]: 8,
  [CLIENT.qemu]: 12,
};

type Phase =
  | "handshake"
  /** Until the picture, whose size the client is told, has been looked at. */
  | "opening"
  | "normal"
  | "closed";
type PixelEncoding = (typeof ENCODING)[keyof typeof ENCODING];

export class RfbSession {
  readonly #parts: RfbSessionParts;
  readonly #reader = new ByteReader();
  readonly #input: ClientInput;
  readonly #handshake: RfbHandshake;
  #phase: Phase = "handshake";
  #writer = new PixelWriter(SERVER_PIXEL_FORMAT);
  #encoding: PixelEncoding = ENCODING.raw;
  #zlib: ZlibStream | undefined;
  #knowsDesktopSize = false;
  /** Pseudo-rectangles that tell the client what the server does. */
  readonly #announcements: number[] = [];
  #announced = new Set<number>();
  /** As the client knows it. */
  #width = 0;
  #height = 0;
  #isResized = false;
  #dirty = new DirtyTiles(0, 0);
  #requested: Rectangle | undefined;
  #isEncoding = false;
  /** Nothing is sent before somebody has looked at the picture. */
  #isStale = false;

  constructor(parts: RfbSessionParts) {
    this.#parts = parts;
    this.#input = new ClientInput(parts.input);
    this.#handshake = new RfbHandshake(parts, this.#reader);
  }

  /** Whether this client waits for somebody to look at the picture. */
  get isWaiting(): boolean {
    if (this.#phase === "opening") return true;
    return this.#requested !== undefined && !this.#isEncoding && !this.#isBehind;
  }

  receive(chunk: Uint8Array): void {
    if (this.#phase === "closed") return;
    if (!this.#reader.push(chunk)) {
      this.close("more was sent than any client sends");
      return;
    }
    while (this.#step());
  }

  /** Somebody has looked at the picture, and this much has changed. */
  looked(rectangles: readonly Rectangle[], isResized: boolean): void {
    if (this.#phase === "opening") this.#open();
    if (this.#phase !== "normal") return;
    for (const rectangle of rectangles) this.#dirty.mark(rectangle);
    if (isResized) {
      this.#isResized = this.#knowsDesktopSize;
      this.#dirty.mark({ x: 0, y: 0, width: this.#width, height: this.#height });
    }
    this.#isStale = false;
    this.update();
  }

  /** Sends what the client waits for, if it can be sent: to be called again when its backlog has become less. */
  update(): void {
    if (this.#requested === undefined || this.#isEncoding || this.#phase !== "normal") return;
    if (this.#isStale || this.#isBehind) return;
    if (this.#isResized) {
      this.#sendSize();
      return;
    }
    const rectangles = this.#dirty.take(this.#requested, UPDATE_PIXELS_MAX);
    if (rectangles.length === 0 && this.#announcements.length === 0) {
      this.#parts.look(false);
      return;
    }
    this.#requested = undefined;
    this.#isEncoding = true;
    // What fails here is a bug of ours, for whoever looks after those of the whole program.
    void this.#sendRectangles(rectangles);
  }

  close(reason: string): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    this.#input.release();
    // Deflating that is under way still needs it.
    if (!this.#isEncoding) this.#zlib?.close();
    this.#parts.close(reason);
  }

  /** Takes one message; false when there is none whole. */
  #step(): boolean {
    switch (this.#phase) {
      case "handshake":
        return this.#shakeHands();
      case "normal":
        return this.#readMessage();
      case "opening":
      case "closed":
        return false;
    }
  }

  #shakeHands(): boolean {
    const step = this.#handshake.step();
    if (step === "next" || step === "more") return step === "next";
    if (step.kind === "failed") {
      this.close(step.reason);
      return false;
    }
    this.#phase = "opening";
    this.#parts.joined(step.isExclusive);
    this.#parts.look(true);
    return true;
  }

  #open(): void {
    this.#phase = "normal";
    const { width, height } = this.#parts.picture();
    this.#setSize(width, height);
    const size = new Uint8Array(4);
    new DataView(size.buffer).setUint16(0, width);
    new DataView(size.buffer).setUint16(2, height);
    this.#parts.send(concatBytes(size, encodePixelFormat(SERVER_PIXEL_FORMAT), counted(this.#parts.name)));
    // Somebody who does not wait for answers may have gone on.
    while (this.#step());
  }

  // Messages.

  #readMessage(): boolean {
    const type = this.#reader.peek(1)?.getUint8(0);
    if (type === undefined) return false;
    const byteCount = MESSAGE_BYTES[type];
    if (byteCount === undefined) {
      this.close(`it sent a message of type ${type}, which there is not`);
      return false;
    }
    const message = this.#reader.peek(byteCount);
    if (message === undefined) return false;
    if (type === CLIENT.setEncodings) return this.#readEncodings(message.getUint16(2));
    this.#reader.take(byteCount);
    switch (type) {
      case CLIENT.setPixelFormat:
        return this.#setPixelFormat(
          new Uint8Array(message.buffer, message.byteOffset + 4, PIXEL_FORMAT_BYTES),
        );
      case CLIENT.updateRequest:
        this.#request(message);
        return true;
      case CLIENT.key:
        this.#input.keysym(message.getUint32(4), message.getUint8(1) !== 0);
        return true;
      case CLIENT.pointer:
        this.#input.pointer(message.getUint16(2), message.getUint16(4), message.getUint8(1));
        return true;
      case CLIENT.cutText:
        return this.#skipText(message.getUint32(4));
      default:
        return this.#extendedKey(message);
    }
  }

  #setPixelFormat(bytes: Uint8Array): boolean {
    const format = decodePixelFormat(bytes);
    if (format === undefined) {
      this.close(
        "it wants a pixel format that there is not: 8, 16 or 32 bits, true colour, or a map of 8 bits",
      );
      return false;
    }
    this.#writer = new PixelWriter(format);
    if (!format.isTrueColor) this.#parts.send(colorMapEntries());
    return true;
  }

  #readEncodings(count: number): boolean {
    if (count > ENCODINGS_MAX) {
      this.close(`it knows ${count} encodings, of which nobody has heard`);
      return false;
    }
    const HEADER_BYTES = 4;
    const message = this.#reader.peek(HEADER_BYTES + 4 * count);
    if (message === undefined) return false;
    const known = Array.from({ length: count }, (_, index) => message.getInt32(HEADER_BYTES + 4 * index));
    this.#reader.take(HEADER_BYTES + 4 * count);
    const encodings: readonly PixelEncoding[] = [ENCODING.zrle, ENCODING.hextile, ENCODING.raw];
    // The client names what it likes best first; what needs no processor time costs the most to send.
    const liked = known.flatMap((wanted) => encodings.find((encoding) => encoding === wanted) ?? []);
    this.#encoding = liked[0] ?? ENCODING.raw;
    this.#knowsDesktopSize = known.includes(PSEUDO.desktopSize);
    for (const pseudo of [PSEUDO.extendedKeys, PSEUDO.pointerTypeChange]) {
      if (!known.includes(pseudo) || this.#announced.has(pseudo)) continue;
      this.#announced.add(pseudo);
      this.#announcements.push(pseudo);
    }
    // The size may have changed before the client could be told.
    const { width, height } = this.#parts.picture();
    if (this.#knowsDesktopSize && (width !== this.#width || height !== this.#height)) this.#isResized = true;
    return true;
  }

  #request(message: DataView): void {
    const rectangle = {
      x: message.getUint16(2),
      y: message.getUint16(4),
      width: message.getUint16(6),
      height: message.getUint16(8),
    };
    const isIncremental = message.getUint8(1) !== 0;
    const before = this.#requested;
    this.#requested = before === undefined ? rectangle : around(before, rectangle);
    if (isIncremental) {
      this.update();
      return;
    }
    // Who asks for everything wants it as it is now, even if nobody has looked for long.
    this.#dirty.mark(rectangle);
    this.#isStale = true;
    this.#parts.look(true);
  }

  /** More has been sent than the client has read. */
  get #isBehind(): boolean {
    return this.#parts.backlogBytes() > BACKLOG_MAX_BYTES;
  }

  #skipText(byteCount: number): boolean {
    if (byteCount > CUT_TEXT_MAX_BYTES) {
      this.close("it sends an endless text");
      return false;
    }
    this.#reader.skip(byteCount);
    return true;
  }

  #extendedKey(message: DataView): boolean {
    if (message.getUint8(1) !== QEMU_EXTENDED_KEY) {
      this.close(`it sent QEMU's message ${message.getUint8(1)}, which was not offered`);
      return false;
    }
    const isDown = message.getUint16(2) !== 0;
    const scanCode = message.getUint32(8);
    // Clients that do not know a key's code send none.
    if (scanCode === 0) this.#input.keysym(message.getUint32(4), isDown);
    else this.#input.scanCode(scanCode, isDown);
    return true;
  }

  // Updates.

  #setSize(width: number, height: number): void {
    this.#width = width;
    this.#height = height;
    this.#dirty = new DirtyTiles(width, height);
    this.#dirty.mark({ x: 0, y: 0, width, height });
  }

  #sendSize(): void {
    const { width, height } = this.#parts.picture();
    this.#isResized = false;
    this.#requested = undefined;
    this.#setSize(width, height);
    this.#parts.send(
      concatBytes(updateHead(1), rectangleHead({ x: 0, y: 0, width, height }, PSEUDO.desktopSize)),
    );
  }

  async #sendRectangles(rectangles: readonly Rectangle[]): Promise<void> {
    const announcements = this.#announcements.splice(0);
    const parts = [updateHead(announcements.length + rectangles.length)];
    for (const pseudo of announcements) {
      // Zero is the type of a pointer that moves; the extended keys' rectangle says nothing.
      parts.push(rectangleHead({ x: 0, y: 0, width: 0, height: 0 }, pseudo));
      if (pseudo === PSEUDO.pointerTypeChange) this.#input.isRelative = true;
    }
    const encoding = this.#encoding;
    const writer = this.#writer;
    const blocks = rectangles.map((rectangle) => this.#block(rectangle, writer));
    for (const [index, block] of blocks.entries()) {
      const rectangle = rectangles[index];
      if (rectangle === undefined) continue;
      parts.push(rectangleHead(rectangle, encoding), ...(await this.#encode(block, encoding, writer)));
    }
    this.#isEncoding = false;
    if (this.#phase !== "normal") {
      this.#zlib?.close();
      return;
    }
    this.#parts.send(concatBytes(...parts));
    this.update();
  }

  /** The pixels of a rectangle in the client's format; black beside the picture. */
  #block({ x, y, width, height }: Rectangle, writer: PixelWriter): PixelBlock {
    const picture = this.#parts.picture();
    const black = writer.value(0);
    const values = new Uint32Array(width * height).fill(black);
    const columns = Math.min(width, picture.width - x);
    const rows = Math.min(height, picture.height - y);
    for (let row = 0; row < rows; row++) {
      const from = (y + row) * picture.width + x;
      const to = row * width;
      for (let column = 0; column < columns; column++)
        values[to + column] = writer.value(picture.pixels[from + column] ?? 0);
    }
    return { width, height, values };
  }

  async #encode(block: PixelBlock, encoding: PixelEncoding, writer: PixelWriter): Promise<Uint8Array[]> {
    switch (encoding) {
      case ENCODING.raw:
        return [encodeRaw(block, writer)];
      case ENCODING.hextile:
        return [encodeHextile(block, writer)];
      case ENCODING.zrle: {
        this.#zlib ??= this.#parts.createZlib();
        const packed = await this.#zlib.deflate(encodeZrle(block, writer));
        return [lengthOf(packed), packed];
      }
    }
  }
}

/** The smallest rectangle that contains both. */
function around(a: Rectangle, b: Rectangle): Rectangle {
  const x = Math.min(a.x, b.x);
  const y = Math.min(a.y, b.y);
  const right = Math.max(a.x + a.width, b.x + b.width);
  const bottom = Math.max(a.y + a.height, b.y + b.height);
  return { x, y, width: right - x, height: bottom - y };
}
