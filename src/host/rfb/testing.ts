/** For tests of RFB servers: a client that decodes what it is sent with the least of means, pixel by pixel. */

export interface ClientFormat {
  readonly bytesPerPixel: number;
  readonly compactBytes: number;
  readonly isBigEndian: boolean;
}

/** Reads forward; what is missing is the test's mistake. */
class Bytes {
  readonly #bytes: Uint8Array;
  at = 0;
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get restCount(): number {
    return this.#bytes.length - this.at;
  }

  take(count: number): Uint8Array {
    if (count > this.restCount) throw new Error(`${count} bytes wanted, ${this.restCount} there`);
    this.at += count;
    return this.#bytes.subarray(this.at - count, this.at);
  }

  number(byteCount: number, isBigEndian = true): number {
    const bytes = [...this.take(byteCount)];
    if (!isBigEndian) bytes.reverse();
    return bytes.reduce((value, byte) => value * 256 + byte, 0);
  }
}

export interface DecodedUpdate {
  readonly rectangles: readonly {
    readonly x: number;
    readonly y: number;
    readonly width: number;
    readonly height: number;
    readonly encoding: number;
  }[];
}

/** The client's copy of the picture: values of its own pixel format. */
export class TestRfbScreen {
  format: ClientFormat = { bytesPerPixel: 4, compactBytes: 3, isBigEndian: false };
  width: number;
  height: number;
  pixels: Uint32Array;
  #hasZlibHeader = false;

  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
    this.pixels = new Uint32Array(width * height);
  }

  /** One FramebufferUpdate, which has to be whole. */
  decode(message: Uint8Array): DecodedUpdate {
    const bytes = new Bytes(message);
    if (bytes.number(1) !== 0) throw new Error("not an update");
    bytes.number(1);
    const count = bytes.number(2);
    const rectangles = Array.from({ length: count }, () => {
      const [x, y, width, height] = [bytes.number(2), bytes.number(2), bytes.number(2), bytes.number(2)];
      const encoding = bytes.number(4) | 0;
      this.#rectangle(bytes, { x, y, width, height, encoding });
      return { x, y, width, height, encoding };
    });
    if (bytes.restCount > 0) throw new Error(`${bytes.restCount} bytes behind the update`);
    return { rectangles };
  }

  #rectangle(bytes: Bytes, rectangle: DecodedUpdate["rectangles"][number]): void {
    const { x, y, width, height, encoding } = rectangle;
    if (encoding === -223) {
      this.width = width;
      this.height = height;
      this.pixels = new Uint32Array(width * height);
    } else if (encoding === 0) {
      this.#raw(x, y, width, height, () => this.#pixel(bytes));
    } else if (encoding === 5) {
      this.#hextile(bytes, x, y, width, height);
    } else if (encoding === 16) {
      this.#zrle(this.#inflate(bytes.take(bytes.number(4))), x, y, width, height);
    } else if (width * height > 0) {
      throw new Error(`encoding ${encoding}`);
    }
  }

  #pixel(bytes: Bytes): number {
    return bytes.number(this.format.bytesPerPixel, this.format.isBigEndian);
  }

  #compact(bytes: Bytes): number {
    return bytes.number(this.format.compactBytes, this.format.isBigEndian);
  }

  #raw(x: number, y: number, width: number, height: number, pixel: () => number): void {
    if (x + width > this.width || y + height > this.height) throw new Error("outside the screen");
    for (let row = 0; row < height; row++)
      for (let column = 0; column < width; column++)
        this.pixels[(y + row) * this.width + x + column] = pixel();
  }

  #hextile(bytes: Bytes, left: number, top: number, width: number, height: number): void {
    let background = 0;
    let foreground = 0;
    for (let y = top; y < top + height; y += 16) {
      for (let x = left; x < left + width; x += 16) {
        const w = Math.min(16, left + width - x);
        const h = Math.min(16, top + height - y);
        const kind = bytes.number(1);
        if ((kind & 1) !== 0) {
          this.#raw(x, y, w, h, () => this.#pixel(bytes));
          continue;
        }
        if ((kind & 2) !== 0) background = this.#pixel(bytes);
        if ((kind & 4) !== 0) foreground = this.#pixel(bytes);
        this.#raw(x, y, w, h, () => background);
        const count = (kind & 8) !== 0 ? bytes.number(1) : 0;
        for (let index = 0; index < count; index++) {
          const value = (kind & 16) !== 0 ? this.#pixel(bytes) : foreground;
          const place = bytes.number(1);
          const size = bytes.number(1);
          this.#raw(x + (place >> 4), y + (place & 15), (size >> 4) + 1, (size & 15) + 1, () => value);
        }
      }
    }
  }

  /** What this part of the connection's stream holds: stored blocks, as {@link TestZlib} makes them. */
  #inflate(part: Uint8Array): Bytes {
    const bytes = new Bytes(part);
    if (!this.#hasZlibHeader) bytes.take(2);
    this.#hasZlibHeader = true;
    const blocks: number[] = [];
    while (bytes.restCount > 0) {
      if (bytes.number(1) !== 0) throw new Error("not a stored block");
      const length = bytes.number(2, false);
      bytes.take(2);
      for (const byte of bytes.take(length)) blocks.push(byte);
    }
    return new Bytes(Uint8Array.from(blocks));
  }

  #zrle(bytes: Bytes, left: number, top: number, width: number, height: number): void {
    for (let y = top; y < top + height; y += 64) {
      for (let x = left; x < left + width; x += 64) {
        const w = Math.min(64, left + width - x);
        const h = Math.min(64, top + height - y);
        this.#raw(x, y, w, h, this.#zrleTile(bytes, w));
      }
    }
    if (bytes.restCount > 0) throw new Error("bytes behind the tiles");
  }

  /** Gives a tile's pixels one after the other. */
  #zrleTile(bytes: Bytes, width: number): () => number {
    const kind = bytes.number(1);
    if (kind === 0) return () => this.#compact(bytes);
    if (kind === 128) {
      let value = 0;
      let rest = 0;
      return () => {
        if (rest === 0) {
          value = this.#compact(bytes);
          let byte: number;
          do {
            byte = bytes.number(1);
            rest += byte;
          } while (byte === 255);
          rest++;
        }
        rest--;
        return value;
      };
    }
    if (kind > 16) throw new Error(`ZRLE ${kind}`);
    const palette = Array.from({ length: kind }, () => this.#compact(bytes));
    if (kind === 1) return () => palette[0] ?? 0;
    const bits = kind <= 2 ? 1 : kind <= 4 ? 2 : 4;
    let column = 0;
    let byte = 0;
    let left = 0;
    return () => {
      if (column === width) {
        column = 0;
        left = 0;
      }
      if (left === 0) {
        byte = bytes.number(1);
        left = 8;
      }
      left -= bits;
      column++;
      return palette[(byte >> left) & ((1 << bits) - 1)] ?? 0;
    };
  }
}

/** A zlib stream that answers at once and compresses nothing: its blocks are stored ones (RFC 1951, section 3.2.4). */
export class TestZlib {
  #isBegun = false;

  deflate(bytes: Uint8Array): Promise<Uint8Array> {
    const stream: number[] = this.#isBegun ? [] : [0x78, 0x01];
    this.#isBegun = true;
    for (let at = 0; at < bytes.length; at += 0xffff) {
      const part = bytes.subarray(at, at + 0xffff);
      const { length } = part;
      stream.push(0, length & 0xff, length >> 8, ~length & 0xff, (~length >> 8) & 0xff);
      for (const byte of part) stream.push(byte);
    }
    return Promise.resolve(Uint8Array.from(stream));
  }

  close(): void {}
}
