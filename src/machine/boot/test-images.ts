/** Test support: small kernel files, made byte by byte, so that tests need no downloaded kernel. */

export interface TestSegment {
  readonly gpa: number;
  readonly data: Uint8Array;
  readonly memoryBytes?: number;
  readonly gva?: number;
}

export interface TestElf {
  readonly bits: 32 | 64;
  readonly entry: number;
  readonly segments: readonly TestSegment[];
  /** Adds a PT_NOTE with XEN_ELFNOTE_PHYS32_ENTRY. */
  readonly pvhEntry?: number;
}

/** An executable whose headers take the first 0x200 bytes; segments and the note follow one another. */
export function buildElf(elf: TestElf): Uint8Array {
  const wide = elf.bits === 64;
  const note = elf.pvhEntry === undefined ? undefined : phys32Note(elf.pvhEntry);
  const parts = [...elf.segments.map((segment) => segment.data), ...(note === undefined ? [] : [note])];
  const file = new Uint8Array(0x200 + parts.reduce((sum, part) => sum + part.length, 0));
  const view = new DataView(file.buffer);
  const word = (at: number, value: number): void => {
    if (wide) view.setBigUint64(at, BigInt(value), true);
    else view.setUint32(at, value, true);
  };

  file.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, wide ? 62 : 3, true);
  word(24, elf.entry);
  word(wide ? 32 : 28, wide ? 64 : 52);
  view.setUint16(wide ? 54 : 42, wide ? 56 : 32, true);
  view.setUint16(wide ? 56 : 44, parts.length, true);

  let offset = 0x200;
  parts.forEach((data, index) => {
    const segment = elf.segments[index];
    const at = (wide ? 64 : 52) + index * (wide ? 56 : 32);
    const [offsetAt, gvaAt, gpaAt, fileAt, memoryAt] = wide ? [8, 16, 24, 32, 40] : [4, 8, 12, 16, 20];
    view.setUint32(at, segment === undefined ? 4 : 1, true);
    word(at + (offsetAt ?? 0), offset);
    word(at + (gvaAt ?? 0), segment?.gva ?? segment?.gpa ?? 0);
    word(at + (gpaAt ?? 0), segment?.gpa ?? 0);
    word(at + (fileAt ?? 0), data.length);
    word(at + (memoryAt ?? 0), segment?.memoryBytes ?? data.length);
    file.set(data, offset);
    offset += data.length;
  });
  return file;
}

function phys32Note(entry: number): Uint8Array {
  const note = new Uint8Array(20);
  const view = new DataView(note.buffer);
  view.setUint32(0, 4, true);
  view.setUint32(4, 4, true);
  view.setUint32(8, 18, true);
  note.set([0x58, 0x65, 0x6e, 0], 12);
  view.setUint32(16, entry, true);
  return note;
}

/** A multiboot header, with load addresses when five are given. */
export function multibootHeader(flags: number, addresses: readonly number[] = []): Uint8Array {
  const header = new Uint8Array(12 + addresses.length * 4);
  const view = new DataView(header.buffer);
  [0x1badb002, flags, -(0x1badb002 + flags), ...addresses].forEach((value, index) =>
    view.setUint32(index * 4, value >>> 0, true),
  );
  return header;
}

/** A tag of a multiboot 2 header, padded to 8 bytes. */
export function headerTag(type: number, flags: number, data: readonly number[]): Uint8Array {
  const sizeBytes = 8 + data.length * 4;
  const tag = new Uint8Array(Math.ceil(sizeBytes / 8) * 8);
  const view = new DataView(tag.buffer);
  view.setUint16(0, type, true);
  view.setUint16(2, flags, true);
  view.setUint32(4, sizeBytes, true);
  data.forEach((value, index) => view.setUint32(8 + index * 4, value >>> 0, true));
  return tag;
}

/** A multiboot 2 header for x86 with these tags and the one that ends them. */
export function multiboot2Header(...tags: readonly Uint8Array[]): Uint8Array {
  const body = [...tags, headerTag(0, 0, [])].flatMap((tag) => [...tag]);
  const header = new Uint8Array(16 + body.length);
  const view = new DataView(header.buffer);
  [0xe85250d6, 0, header.length, -(0xe85250d6 + header.length)].forEach((value, index) =>
    view.setUint32(index * 4, value >>> 0, true),
  );
  header.set(body, 16);
  return header;
}

export interface TestBzImage {
  readonly payload?: Uint8Array;
  readonly version?: number;
  readonly loadflags?: number;
  readonly code32Start?: number;
  readonly cmdlineSize?: number;
  readonly initrdAddrMax?: number;
  readonly initSize?: number;
}

/** One setup sector, then 16 bytes of protected-mode code, then the payload. */
export function buildBzImage(image: TestBzImage): Uint8Array {
  const payload = image.payload ?? new Uint8Array(0);
  const code = 0x400;
  const file = new Uint8Array(code + 16 + payload.length);
  const view = new DataView(file.buffer);
  file[0x1f1] = 1;
  view.setUint16(0x1fe, 0xaa55, true);
  view.setUint16(0x200, 0x6aeb, true);
  file.set([0x48, 0x64, 0x72, 0x53], 0x202);
  view.setUint16(0x206, image.version ?? 0x020f, true);
  file[0x211] = image.loadflags ?? 1;
  view.setUint32(0x214, image.code32Start ?? 0x100000, true);
  view.setUint32(0x22c, image.initrdAddrMax ?? 0x7fffffff, true);
  view.setUint32(0x238, image.cmdlineSize ?? 2047, true);
  view.setUint32(0x248, 16, true);
  view.setUint32(0x24c, payload.length, true);
  view.setUint32(0x260, image.initSize ?? 0, true);
  file.fill(0x90, code, code + 16);
  file.set(payload, code + 16);
  return file;
}

/** One LZ4 block that stores `data` as literals only. */
export function lz4Literals(data: Uint8Array): Uint8Array {
  const length: number[] = [];
  if (data.length < 15) length.push(data.length << 4);
  else {
    length.push(0xf0);
    let rest = data.length - 15;
    for (; rest >= 255; rest -= 255) length.push(255);
    length.push(rest);
  }
  const block = new Uint8Array(length.length + data.length);
  block.set(length);
  block.set(data, length.length);
  return block;
}

/** A legacy frame around blocks. */
export function lz4Frame(blocks: readonly Uint8Array[]): Uint8Array {
  const frame = new Uint8Array(4 + blocks.reduce((sum, block) => sum + 4 + block.length, 0));
  const view = new DataView(frame.buffer);
  view.setUint32(0, 0x184c2102, true);
  let at = 4;
  for (const block of blocks) {
    view.setUint32(at, block.length, true);
    frame.set(block, at + 4);
    at += 4 + block.length;
  }
  return frame;
}

/**
 * A legacy frame, followed by the unpacked size as the Linux build appends it: blocks of `blockBytes` unpacked, or one.
 */
export function lz4Payload(data: Uint8Array, blockBytes = data.length): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (let at = 0; at < data.length; at += blockBytes) {
    blocks.push(lz4Literals(data.subarray(at, at + blockBytes)));
  }
  const frame = lz4Frame(blocks);
  const payload = new Uint8Array(frame.length + 4);
  payload.set(frame);
  new DataView(payload.buffer).setUint32(frame.length, data.length, true);
  return payload;
}
