/** Boards for the fuzz, with as many kinds of devices as go on one, and the places where a guest finds them. */
import { KiB, ManualClock, MiB, TimerQueue, unwrap } from "../../src/base/index.ts";
import { RamDma } from "../../src/hw/index.ts";
import { createGuestRam } from "../../src/memory/index.ts";
import { RecordedLink } from "../../src/net/testing.ts";
import { NETWORK_CARD_MODELS, SLOT_MEMORY_BYTES } from "../../src/machine/pc/index.ts";
import { createBoard, UNCONNECTED_PINS, UNHEARD_EVENTS } from "../../src/machine/pc/testing.ts";

const ROM = new Uint8Array(64 * KiB).fill(0x90);
/** Right below the ROM. */
const FLASH_BYTES = 8 * KiB;
export const PORT_COUNT = 0x1_0000;
const PAGE_BYTES = 4 * KiB;
const FIRST_MMIO_GPA = 0xa0000;
const MMIO_END_GPA = 2 ** 32;

/** Takes frames and keeps none. */
function forgetfulLink(): RecordedLink {
  const link = new RecordedLink();
  link.onSend = () => void (link.sent.length = 0);
  return link;
}

/** With the machine as a POST leaves it, or as firmware in ROM finds it. */
export function build(hasFirmware: boolean) {
  const slotMemoryBytes = SLOT_MEMORY_BYTES + ROM.length + FLASH_BYTES;
  const ram = unwrap(createGuestRam({ sizeBytes: 4 * MiB, reservedPrefixBytes: 0, slotMemoryBytes }));
  const variables = { contents: new Uint8Array(FLASH_BYTES), write: () => undefined };
  const clock = new ManualClock();
  const timers = new TimerQueue();
  const board = createBoard({
    ram,
    dma: new RamDma(ram, () => undefined),
    clock,
    timers,
    pins: UNCONNECTED_PINS,
    events: UNHEARD_EVENTS,
    wallClockNs: () => 1_800_000_000_000_000_000n + BigInt(Math.floor(clock.nowNs())),
    hasDebugExit: true,
    hasDebugConsole: true,
    serialPortCount: 4,
    hasParallelPort: true,
    ...(hasFirmware ? { firmware: { image: ROM, vgaBios: undefined, variables, bootOrder: ["disk"] } } : {}),
    drives: [],
    virtio: { devices: ["virtio-rng", "virtio-console", "virtio-balloon"], offersPacked: true },
    watchdogAction: "reset",
    networkCards: NETWORK_CARD_MODELS.map((model, index) => ({
      model,
      macAddress: Uint8Array.of(2, 0, 0, 0, 0, 1 + index),
      link: forgetfulLink(),
    })),
    entropy: (byteCount) => new Uint8Array(byteCount),
  });
  board.reset();
  return { board, clock, timers };
}

export type Machine = ReturnType<typeof build>;

/** Addresses that follow each other, where a device answers. */
export interface Range {
  /** A network card's with its model. */
  readonly device: string;
  readonly space: "port" | "mmio";
  readonly base: number;
  readonly lengthBytes: number;
}

const deviceName = (owner: string): string =>
  owner.replace(
    /^net(\d)/,
    (_, index) => `${NETWORK_CARD_MODELS[Number(index)] ?? ""} as net${String(index)}`,
  );

/** Where `ownerOf` changes between addresses `step` bytes from each other. */
function rangesOf(
  space: Range["space"],
  ownerOf: (address: number) => string | undefined,
  { from, to, step }: { readonly from: number; readonly to: number; readonly step: number },
): Range[] {
  const ranges: Range[] = [];
  let base = from;
  let owner = ownerOf(from);
  for (let address = from; address <= to; address += step) {
    const next = address === to ? undefined : ownerOf(address);
    if (next === owner) continue;
    if (owner !== undefined)
      ranges.push({ device: deviceName(owner), space, base, lengthBytes: address - base });
    base = address;
    owner = next;
  }
  return ranges;
}

/** All of a board's that begin at a page, as it is at the beginning. */
export const boardRanges = ({ board: { ports, mmio } }: Machine): readonly Range[] => [
  ...rangesOf("port", (port) => ports.ownerOf(port), { from: 0, to: PORT_COUNT, step: 1 }),
  ...rangesOf("mmio", (gpa) => mmio.ownerOf(gpa), {
    from: FIRST_MMIO_GPA,
    to: MMIO_END_GPA,
    step: PAGE_BYTES,
  }),
];
