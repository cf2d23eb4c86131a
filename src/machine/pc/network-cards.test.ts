import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock, TimerQueue, unwrap } from "../../base/index.ts";
import { RamDma } from "../../hw/index.ts";
import { createGuestRam } from "../../memory/index.ts";
import { RecordedLink } from "../../net/testing.ts";
import { NETWORK_CARD_MODELS, NETWORK_CARDS_MAX, SLOT_MEMORY_BYTES } from "./index.ts";
import type { NetworkCardModel } from "./index.ts";
import { createBoard, UNCONNECTED_PINS, UNHEARD_EVENTS } from "./testing.ts";

const FIRST_SLOT = 3;
const NEXT_SLOTS = [5, 6, 7];
/** Vendor and device ID of each. */
const IDS: Readonly<Record<NetworkCardModel, number>> = {
  virtio: 0x1000_1af4,
  e1000: 0x100e_8086,
  ne2000: 0x8029_10ec,
  rtl8139: 0x8139_10ec,
};

function pc(models: readonly NetworkCardModel[]) {
  const sizeBytes = 0x20_0000;
  const ram = unwrap(
    createGuestRam({ sizeBytes, reservedPrefixBytes: 0, slotMemoryBytes: SLOT_MEMORY_BYTES }),
  );
  const links = models.map(() => new RecordedLink());
  const board = createBoard({
    ram,
    dma: new RamDma(ram, () => undefined),
    clock: new ManualClock(),
    timers: new TimerQueue(),
    pins: UNCONNECTED_PINS,
    events: UNHEARD_EVENTS,
    wallClockNs: () => 0n,
    hasDebugExit: false,
    drives: [],
    virtio: { devices: ["virtio-rng"], offersPacked: false },
    networkCards: links.map((link, index) => ({
      model: models[index] ?? "virtio",
      macAddress: Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56 + index),
      link,
    })),
    entropy: (byteCount) => new Uint8Array(byteCount),
  });
  board.reset();
  const config = (slot: number, register: number): number => {
    board.bus.writePort(0xcf8, 4, 0x8000_0000 + (slot << 11) + register);
    return board.bus.readPort(0xcfc, 4);
  };
  return { board, config, links };
}

test("the first network card is device 3, others come behind everything else", () => {
  const models = Array.from(
    { length: NETWORK_CARDS_MAX },
    (_, index) => NETWORK_CARD_MODELS[index % NETWORK_CARD_MODELS.length] ?? "virtio",
  );
  const { config } = pc(models);
  const slots = [FIRST_SLOT, ...NEXT_SLOTS];
  assert.deepEqual(
    slots.map((slot) => config(slot, 0)),
    models.map((model) => IDS[model]),
  );
  assert.equal(config(4, 0), 0x1005_1af4);
});

for (const model of NETWORK_CARD_MODELS) {
  test(`${model}: a network controller with its addresses placed and its interrupt routed`, () => {
    const { config, board } = pc([model]);
    assert.equal(config(FIRST_SLOT, 8) >>> 16, 0x0200);
    assert.notEqual(config(FIRST_SLOT, 0x10) & ~0xf, 0);
    assert.equal(config(FIRST_SLOT, 0x3c) & 0xffff, 0x010b);
    const saved = board.save();
    const other = pc([model]).board;
    other.restore(saved);
    assert.deepEqual(other.save(), saved);
  });
}

test("without network cards device 3 is empty", () => {
  assert.equal(pc([]).config(FIRST_SLOT, 0), 0xffff_ffff);
});
