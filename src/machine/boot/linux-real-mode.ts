/**
 * Linux's 16-bit boot protocol (Documentation/arch/x86/boot.rst, "Memory Layout" to "Running the Kernel"): the set-up code
 * is loaded below 640 KiB and entered in real mode, where it asks the BIOS for what it wants to know. It is for what only
 * wears a bzImage's clothes and has no 32-bit entry, such as iPXE, and for who asks for it.
 *
 * Missing on purpose: kernels that load low (zImage).
 */

import { alignUp } from "../../base/index.ts";
import type { CpuState } from "../../hw/index.ts";
import { BootFailure } from "./boot-error.ts";
import type { BootRequest } from "./boot-request.ts";
import { SETUP } from "./bzimage.ts";
import type { BzImage } from "./bzimage.ts";
import { commandLineBytes } from "./command-line.ts";
import { enterReal } from "./entry-state.ts";
import type { BootLayout } from "./layout.ts";
import { LOADER_UNDEFINED, placeRamDisk } from "./linux.ts";

/** Set-up code, its stack and heap, and the command line have a segment to themselves. */
const SETUP_GPA = 0x10000;
const SEGMENT_BYTES = 0x10000;
/** The set-up code and its own data end here at the latest. */
const SETUP_BYTES_MAX = 0x8000;
/** Where the stack begins, downwards, and with it the heap ends. */
const STACK_OFFSET = 0xe000;
const COMMAND_LINE_BYTES_MAX = SEGMENT_BYTES - STACK_OFFSET - 1;
/** The heap ends this much below the stack's first byte, by the protocol's own example. */
const HEAP_END_OFFSET = STACK_OFFSET - 0x200;
const ENTRY_SEGMENTS = 0x20;
const CAN_USE_HEAP = 1 << 7;
const PROTECTED_GPA = 0x100000;
/** "Special Command Line Options", `vga=`: what the loader understands and gives as a number. */
const VIDEO_MODES: Readonly<Record<string, number>> = { normal: 0xffff, ext: 0xfffe, ask: 0xfffd };

export function loadLinuxRealMode(layout: BootLayout, bzImage: BzImage, request: BootRequest): CpuState {
  const { ram } = layout;
  const { view, code32Offset } = bzImage;
  if (code32Offset > SETUP_BYTES_MAX) {
    throw new BootFailure(
      "unsupported-image",
      `${view.name} has ${code32Offset} bytes of set-up code; there is room for ${SETUP_BYTES_MAX}.`,
    );
  }
  const code = view.bytes.subarray(code32Offset);
  layout
    .reserve("protected-mode code", PROTECTED_GPA, alignUp(Math.max(code.length, bzImage.initSizeBytes), 16))
    .set(code);
  const segment = layout.reserve("set-up code", SETUP_GPA, SEGMENT_BYTES);
  segment.fill(0);
  segment.set(view.bytes.subarray(0, code32Offset));
  const maxBytes = Math.min(bzImage.cmdlineMaxBytes, COMMAND_LINE_BYTES_MAX);
  segment.set(commandLineBytes(view.name, request.commandLine, maxBytes), STACK_OFFSET);

  const field = (at: number): number => SETUP_GPA + at;
  ram.writeU8(field(SETUP.typeOfLoader), LOADER_UNDEFINED);
  ram.writeU8(field(SETUP.loadflags), ram.readU8(field(SETUP.loadflags)) | CAN_USE_HEAP);
  ram.writeU16(field(SETUP.heapEndPtr), HEAP_END_OFFSET);
  ram.writeU32(field(SETUP.cmdLinePtr), SETUP_GPA + STACK_OFFSET);
  const mode = videoMode(request.commandLine);
  if (mode !== undefined) ram.writeU16(field(SETUP.vidMode), mode);
  placeRamDisk(layout, view.name, request.modules, bzImage.initrdMaxGpa, SETUP_GPA);
  return enterReal(SETUP_GPA >>> 4, (SETUP_GPA >>> 4) + ENTRY_SEGMENTS, STACK_OFFSET);
}

/** The mode that the last `vga=` of the command line asks for: by name, or as a C number of 16 bits. */
function videoMode(commandLine: string): number | undefined {
  const [, word = ""] = [...commandLine.matchAll(/(?:^|\s)vga=(\S+)/g)].at(-1) ?? [];
  const named = VIDEO_MODES[word];
  if (named !== undefined) return named;
  if (/^0x[0-9a-f]{1,4}$/i.test(word)) return Number.parseInt(word, 16);
  if (/^0[0-7]{0,6}$/.test(word)) return Number.parseInt(word, 8) & 0xffff;
  return /^[1-9]\d{0,4}$/.test(word) ? Number(word) & 0xffff : undefined;
}
