import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { PCI_COMMAND } from "../../hw/index.ts";
import { VIRTIO_FEATURE, VIRTIO_STATUS } from "./index.ts";
import { VirtioRng } from "./rng/index.ts";
import {
  bench,
  capabilities,
  enableMsix,
  LegacyDriver,
  MODERN_GPA,
  ModernDriver,
  readable,
  structureAt,
  writable,
} from "./testing.ts";
import type { Bench, BenchOptions } from "./testing.ts";

const DATA_GPA = 0x20_0000;
const NO_VECTOR = 0xffff;
const NEEDS_RESET = VIRTIO_STATUS.needsReset;

/** The smallest device stands for all: its random bytes count up. */
function entropyBench(options?: BenchOptions): Bench {
  let next = 0;
  return bench(new VirtioRng((count) => Uint8Array.from({ length: count }, () => ++next & 0xff)), options);
}

let on: Bench;
let modern: ModernDriver;
let legacy: LegacyDriver;

beforeEach(() => {
  on = entropyBench();
  modern = new ModernDriver(on);
  legacy = new LegacyDriver(on);
});

/** Offers a buffer of four bytes and returns what it then has. */
function fetch(driver: ModernDriver | LegacyDriver, queue: ReturnType<ModernDriver["queue"]>): number[] {
  queue.offer([writable(DATA_GPA, 4)]);
  driver.notify(0);
  assert.deepEqual(
    queue.takeUsed().map(({ writtenBytes }) => writtenBytes),
    [4],
  );
  return [...on.ram.slice(DATA_GPA, 4)];
}

test("the function is a transitional one of its type", () => {
  assert.equal(on.pci.readConfig(0, 4), 0x1005_1af4);
  assert.equal(on.pci.readConfig(8, 1), 0);
  assert.equal(on.pci.readConfig(0x2c, 4), 0x0004_1af4);
  assert.equal(on.pci.readConfig(0x3d, 1), 1);
});

test("its capabilities say where its structures are", () => {
  assert.deepEqual(
    capabilities(on).map(({ id, type, at }) => [id, id === 9 ? type : 0, on.pci.readConfig(at + 2, 1)]),
    [
      [0x11, 0, 1],
      [9, 1, 16],
      [9, 3, 16],
      [9, 2, 20],
      [9, 5, 20],
    ],
  );
  assert.equal(structureAt(on, 1), MODERN_GPA);
});

describe("version 1", () => {
  for (const offersPacked of [false, true]) {
    test(`a driver gets what it asks for from a ${offersPacked ? "packed" : "split"} queue`, () => {
      on = entropyBench({ offersPacked });
      modern = new ModernDriver(on);
      modern.negotiate();
      const queue = modern.queue(0);
      assert.equal(queue.setup.isPacked, offersPacked);
      modern.ready();
      assert.equal(modern.readStatus(), 0x0f);
      assert.deepEqual(fetch(modern, queue), [1, 2, 3, 4]);
      assert.equal(on.pin.level, true);
      assert.equal(modern.readIsr(), 1);
      assert.equal(on.pin.level, false);
      assert.equal(modern.readIsr(), 0);
    });
  }

  test("what was offered to the device before it was ready is taken when it is", () => {
    modern.negotiate();
    const queue = modern.queue(0);
    queue.offer([writable(DATA_GPA, 4)]);
    modern.notify(0);
    assert.deepEqual(queue.takeUsed(), []);
    modern.ready();
    assert.equal(queue.takeUsed().length, 1);
  });

  test("features that were not offered, or not version 1, are not agreed on", () => {
    const refused = [
      new Set([VIRTIO_FEATURE.eventIndex]),
      new Set([VIRTIO_FEATURE.version1, 33]),
      new Set([32, 5]),
    ];
    for (const features of refused) {
      modern.writeStatus(0);
      modern.accept(features);
      modern.writeStatus(VIRTIO_STATUS.featuresOk | VIRTIO_STATUS.driver);
      assert.equal(modern.readStatus(), VIRTIO_STATUS.driver);
    }
  });

  test("features cannot be changed once they are agreed on, and there are none beyond 63", () => {
    modern.negotiate([]);
    modern.accept(new Set([VIRTIO_FEATURE.version1, VIRTIO_FEATURE.eventIndex]));
    modern.write("driverFeatureSelect", 4, 0);
    assert.equal(modern.read("driverFeature", 4), 0);
    modern.write("deviceFeatureSelect", 4, 2);
    modern.write("driverFeatureSelect", 4, 0xffffffff);
    assert.deepEqual([modern.read("deviceFeature", 4), modern.read("driverFeature", 4)], [0, 0]);
  });

  test("a driver cannot clear bits of the status but by reset, nor set that the device needs one", () => {
    modern.negotiate();
    modern.writeStatus(VIRTIO_STATUS.acknowledge | NEEDS_RESET);
    assert.equal(modern.readStatus(), 0x0b);
    modern.writeStatus(0);
    assert.equal(modern.readStatus(), 0);
  });

  test("a queue that does not exist has no size and does nothing", () => {
    modern.negotiate();
    modern.write("queueSelect", 2, 1);
    assert.equal(modern.read("queueSize", 2), 0);
    modern.write("queueSize", 2, 8);
    modern.write("queueEnable", 2, 1);
    assert.deepEqual([modern.read("queueEnable", 2), modern.setVector(1, 0)], [0, NO_VECTOR]);
    modern.ready();
    modern.notify(1);
    assert.equal(modern.readStatus() & NEEDS_RESET, 0);
  });

  test("a queue that is enabled stays as it is", () => {
    modern.negotiate();
    const { setup } = modern.queue(0);
    modern.write("queueSize", 2, 4);
    modern.write("queueDesc", 4, 0);
    modern.write("queueSelect", 2, 1);
    assert.equal(modern.read("queueDesc", 4), 0);
    modern.write("queueSelect", 2, 0);
    assert.deepEqual(
      [modern.read("queueSize", 2), modern.read("queueDesc", 4)],
      [setup.size, setup.descriptorGpa],
    );
  });

  test("a queue that was reset is set up anew", () => {
    modern.negotiate();
    const queue = modern.queue(0);
    modern.ready();
    modern.write("queueReset", 2, 1);
    assert.deepEqual(
      [modern.read("queueReset", 2), modern.read("queueEnable", 2), modern.read("queueSize", 2)],
      [0, 0, 64],
    );
    queue.offer([writable(DATA_GPA, 4)]);
    modern.notify(0);
    assert.deepEqual(queue.takeUsed(), []);
    assert.deepEqual(fetch(modern, modern.queue(0, { baseGpa: 0x8_0000 })), [1, 2, 3, 4]);
  });

  test("without the feature a queue is not reset", () => {
    modern.negotiate([]);
    const queue = modern.queue(0);
    modern.ready();
    modern.write("queueReset", 2, 1);
    assert.deepEqual(fetch(modern, queue), [1, 2, 3, 4]);
  });

  test("a queue above the device's size needs a reset", () => {
    modern.negotiate();
    modern.queue(0, { size: 128 });
    modern.ready();
    assert.equal(modern.readStatus() & NEEDS_RESET, NEEDS_RESET);
    assert.deepEqual(on.pci.faults, { count: 1, last: "queue-size" });
  });

  test("a violation is told as a change of configuration, ends all work, and a reset mends it", () => {
    modern.negotiate();
    const queue = modern.queue(0);
    modern.ready();
    const generation = modern.read("generation", 1);
    queue.offer([writable(DATA_GPA, 4), readable(DATA_GPA, 4)]);
    modern.notify(0);
    assert.equal(modern.readStatus() & NEEDS_RESET, NEEDS_RESET);
    assert.notEqual(modern.read("generation", 1), generation);
    assert.equal(modern.readIsr(), 2);
    queue.offer([writable(DATA_GPA, 4)]);
    modern.notify(0);
    assert.deepEqual(queue.takeUsed(), []);
    assert.deepEqual(on.pci.faults, { count: 1, last: "element-order" });
    modern.negotiate();
    const again = modern.queue(0);
    modern.ready();
    assert.deepEqual(fetch(modern, again), [1, 2, 3, 4]);
  });

  test("with MSI-X each cause has its vector, and the pin is silent", () => {
    enableMsix(on, 2);
    modern.negotiate();
    const queue = modern.queue(0);
    assert.deepEqual([modern.setVector("config", 0), modern.setVector(0, 1)], [0, 1]);
    modern.ready();
    fetch(modern, queue);
    assert.deepEqual(on.messages, [0x101]);
    queue.offer([writable(DATA_GPA, 4), readable(DATA_GPA, 4)]);
    modern.notify(0);
    assert.deepEqual(on.messages, [0x101, 0x100]);
    assert.equal(on.pin.risingEdges, 0);
  });

  test("a vector that is not there reads back as none, and none is sent", () => {
    enableMsix(on, 2);
    modern.negotiate();
    const queue = modern.queue(0);
    assert.equal(modern.setVector(0, 2), NO_VECTOR);
    modern.ready();
    fetch(modern, queue);
    assert.deepEqual(on.messages, []);
  });

  test("as long as it is no bus master the device leaves memory alone, and catches up afterwards", () => {
    modern.negotiate();
    const queue = modern.queue(0);
    modern.ready();
    on.pci.writeConfig(4, 2, PCI_COMMAND.memory);
    queue.offer([writable(DATA_GPA, 4)]);
    modern.notify(0);
    assert.deepEqual(queue.takeUsed(), []);
    on.pci.writeConfig(4, 2, PCI_COMMAND.memory | PCI_COMMAND.busMaster);
    assert.equal(queue.takeUsed().length, 1);
  });

  test("the driver's wish for no interrupts is respected", () => {
    modern.negotiate([]);
    const queue = modern.queue(0);
    queue.wantInterrupts("never");
    modern.ready();
    fetch(modern, queue);
    assert.equal(on.pin.risingEdges, 0);
  });
});

describe("the legacy interface", () => {
  test("a driver gets what it asks for", () => {
    legacy.negotiate();
    const queue = legacy.queue(0);
    assert.deepEqual([queue.setup.isPacked, queue.setup.size], [false, 64]);
    legacy.ready();
    assert.deepEqual(fetch(legacy, queue), [1, 2, 3, 4]);
    assert.equal(on.pin.level, true);
    assert.equal(legacy.readIsr(), 1);
    assert.equal(on.pin.level, false);
  });

  test("a driver that forgets to say that it is ready, or to make the function a bus master, is served", () => {
    on.pci.writeConfig(4, 2, PCI_COMMAND.io);
    legacy.negotiate();
    assert.deepEqual(fetch(legacy, legacy.queue(0)), [1, 2, 3, 4]);
  });

  test("any layout of buffers is offered, version 1 and packed rings are not", () => {
    const offered = legacy.read("deviceFeatures", 4);
    assert.equal(offered >>> 0, ((1 << 27) | (1 << 28) | (1 << 29)) >>> 0);
  });

  test("a queue is taken away by the page 0, and all by a reset", () => {
    legacy.negotiate();
    const queue = legacy.queue(0);
    assert.equal(legacy.read("queueAddress", 4), 0x10);
    legacy.write("queueAddress", 4, 0);
    queue.offer([writable(DATA_GPA, 4)]);
    legacy.notify(0);
    assert.deepEqual(queue.takeUsed(), []);
    legacy.queue(0);
    legacy.writeStatus(0);
    assert.deepEqual([legacy.read("queueAddress", 4), legacy.readStatus()], [0, 0]);
  });

  test("a queue outside RAM needs a reset", () => {
    legacy.negotiate();
    legacy.write("queueSelect", 2, 0);
    legacy.write("queueAddress", 4, 0xffffffff);
    legacy.notify(0);
    assert.deepEqual(on.pci.faults, { count: 1, last: "ring-outside-ram" });
    assert.equal(legacy.readStatus() & NEEDS_RESET, NEEDS_RESET);
  });

  test("with MSI-X the header has the vectors", () => {
    enableMsix(on, 2);
    legacy.negotiate();
    const queue = legacy.queue(0);
    assert.deepEqual(
      [legacy.setVector("config", 0), legacy.setVector(0, 1), legacy.setVector(0, 9)],
      [0, 1, NO_VECTOR],
    );
    legacy.setVector(0, 1);
    legacy.ready();
    fetch(legacy, queue);
    assert.deepEqual(on.messages, [0x101]);
  });
});

test("every structure is reached through configuration space alone", () => {
  const at = capabilities(on).find(({ id, type }) => id === 9 && type === 5)?.at ?? 0;
  const access = (bar: number, offset: number, lengthBytes: number): void => {
    on.pci.writeConfig(at + 4, 1, bar);
    on.pci.writeConfig(at + 8, 4, offset);
    on.pci.writeConfig(at + 12, 4, lengthBytes);
  };
  on.pci.writeConfig(4, 2, 0);
  access(4, 20, 1);
  on.pci.writeConfig(at + 16, 4, 3);
  assert.equal(on.pci.readConfig(at + 16, 4), 3);
  access(0, 18, 1);
  assert.equal(on.pci.readConfig(at + 16, 1), 3);
  access(4, 18, 2);
  assert.equal(on.pci.readConfig(at + 16, 2), 1);
  access(1, 12, 4);
  assert.equal(on.pci.readConfig(at + 16, 4), 1);
});

for (const [what, bar, offset, lengthBytes] of [
  ["behind a BAR", 4, 0x4000, 4],
  ["far behind a BAR", 0, 0xffff_fffc, 4],
  ["of a BAR that is not there", 2, 0, 4],
  ["of three bytes", 4, 0, 3],
  ["that is not aligned", 4, 2, 4],
] as const) {
  test(`an access through configuration space ${what} finds nothing`, () => {
    const at = capabilities(on).find(({ id, type }) => id === 9 && type === 5)?.at ?? 0;
    on.pci.writeConfig(at + 4, 1, bar);
    on.pci.writeConfig(at + 8, 4, offset);
    on.pci.writeConfig(at + 12, 4, lengthBytes);
    on.pci.writeConfig(at + 16, 4, 0xffffffff);
    assert.equal(on.pci.readConfig(at + 16, 4), 0);
    assert.equal(modern.readStatus(), 0);
  });
}

for (const offersPacked of [false, true]) {
  test(`a ${offersPacked ? "packed" : "split"} queue in use goes on after its device was saved and restored`, () => {
    on = entropyBench({ offersPacked });
    modern = new ModernDriver(on);
    modern.negotiate();
    const queue = modern.queue(0);
    modern.ready();
    fetch(modern, queue);
    const saved = on.pci.save();
    const ram = on.ram.bytes.slice();
    const other = entropyBench({ offersPacked });
    other.ram.write(0, ram);
    other.pci.restore(saved);
    assert.deepEqual(other.pci.save(), saved);
    assert.equal(other.pin.level, true);
    const driver = new ModernDriver(other);
    other.ram.write(queue.setup.descriptorGpa, on.ram.slice(queue.setup.descriptorGpa, 0x1_0000));
    queue.offer([writable(DATA_GPA, 4)]);
    other.ram.write(queue.setup.descriptorGpa, on.ram.slice(queue.setup.descriptorGpa, 0x1_0000));
    driver.notify(0);
    assert.deepEqual([...other.ram.slice(DATA_GPA, 4)], [1, 2, 3, 4]);
    assert.equal(driver.readIsr(), 1);
  });
}
