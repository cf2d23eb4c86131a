import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { KiB, MiB, unwrap } from "../../../base/index.ts";
import { RamDma, StateReader } from "../../../hw/index.ts";
import type { Dma } from "../../../hw/index.ts";
import { createGuestRam } from "../../../memory/index.ts";
import type { GuestRam } from "../../../memory/index.ts";
import { CHAIN_DESCRIPTORS_MAX, QUEUE_SIZE_MAX, Virtqueue } from "./index.ts";
import type { DescriptorChain, QueueFault, QueueSetup } from "./index.ts";
import { PackedDriver, queueDriver, SplitDriver, writeDescriptor } from "./testing.ts";
import type { DriverElement, DriverOptions } from "./testing.ts";

const RAM_BYTES = 2 * MiB;
const DATA_GPA = 0x10_0000;
const TABLE_GPA = 0x8_0000;
const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;

let ram: GuestRam;
let dma: RamDma;

beforeEach(() => {
  ram = unwrap(createGuestRam({ sizeBytes: RAM_BYTES, reservedPrefixBytes: 64 * KiB }));
  dma = new RamDma(ram, () => undefined);
});

/** A queue, and the driver that set it up. */
function connect(options: DriverOptions = {}) {
  const driver = queueDriver(ram, options);
  return { driver, ...open(driver.setup) };
}

function open(setup: QueueSetup) {
  const faults: QueueFault[] = [];
  const queue = new Virtqueue(setup, dma, (fault) => faults.push(fault));
  return { queue, faults };
}

/** Guest memory that goes away, as when the guest lays a device's registers over it. */
class VanishingDma implements Dma {
  readonly #dma: Dma;
  isGone = false;

  constructor(inner: Dma) {
    this.#dma = inner;
  }

  read(gpa: number, target: Uint8Array): boolean {
    return !this.isGone && this.#dma.read(gpa, target);
  }

  write(gpa: number, source: Uint8Array): boolean {
    return !this.isGone && this.#dma.write(gpa, source);
  }

  readable(gpa: number, lengthBytes: number): Uint8Array | undefined {
    return this.isGone ? undefined : this.#dma.readable(gpa, lengthBytes);
  }

  writable(gpa: number, lengthBytes: number): Uint8Array | undefined {
    return this.isGone ? undefined : this.#dma.writable(gpa, lengthBytes);
  }

  discard(gpa: number, lengthBytes: number): boolean {
    return !this.isGone && this.#dma.discard(gpa, lengthBytes);
  }
}

const readable = (gpa: number, lengthBytes: number): DriverElement => ({
  gpa,
  lengthBytes,
  isWritable: false,
});
const writable = (gpa: number, lengthBytes: number): DriverElement => ({
  gpa,
  lengthBytes,
  isWritable: true,
});

function popped(queue: Virtqueue): DescriptorChain {
  const chain = queue.pop();
  assert.ok(chain !== undefined, `a buffer is available, fault ${String(queue.fault)}`);
  return chain;
}

const textOf = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

for (const isPacked of [false, true]) {
  describe(isPacked ? "packed" : "split", () => {
    test("a buffer's parts are read and written as one run of bytes, and come back with what was written", () => {
      const { driver, queue } = connect({ isPacked });
      ram.write(DATA_GPA, bytesOf("hello"));
      ram.write(DATA_GPA + 0x1000, bytesOf(" world"));
      const elements = [
        readable(DATA_GPA, 5),
        readable(DATA_GPA + 0x1000, 6),
        writable(DATA_GPA + 0x2000, 3),
        writable(DATA_GPA + 0x3000, 5),
      ];
      const id = driver.offer(elements);
      const chain = popped(queue);
      const text = new Uint8Array(9);
      assert.equal(chain.readable.read(dma, 2, text), 9);
      assert.equal(textOf(text), "llo world");
      assert.equal(chain.readable.totalBytes, 11);
      assert.equal(chain.writable.write(dma, 1, bytesOf("abcdefghij")), 7);
      queue.push(chain, 8);
      assert.deepEqual(driver.takeUsed(), [{ id, writtenBytes: 8 }]);
      assert.equal(textOf(ram.slice(DATA_GPA + 0x2001, 2)), "ab");
      assert.equal(textOf(ram.slice(DATA_GPA + 0x3000, 6)), "cdefg\0");
    });

    test("many turns of the ring, with chains of every length, used in another order than offered", () => {
      const { driver, queue } = connect({ isPacked, size: 8 });
      for (let round = 0; round < 100; round++) {
        const count = 1 + (round % 3);
        const first = driver.offer(Array.from({ length: count }, () => readable(DATA_GPA, 16)));
        const second = driver.offer([writable(DATA_GPA + 0x1000, 64)]);
        const chains = [popped(queue), popped(queue)] as const;
        assert.equal(queue.pop(), undefined);
        queue.push(chains[1], round);
        queue.push(chains[0], 0);
        assert.deepEqual(driver.takeUsed(), [
          { id: second, writtenBytes: round },
          { id: first, writtenBytes: 0 },
        ]);
      }
    });

    test("the indices go around 2^16", () => {
      const { driver, queue } = connect({ isPacked, size: 4 });
      for (let round = 0; round < 0x1_0010; round++) {
        const id = driver.offer([writable(DATA_GPA, 1)]);
        queue.push(popped(queue), 1);
        assert.deepEqual(driver.takeUsed(), [{ id, writtenBytes: 1 }]);
      }
    });

    test("an indirect table has as many descriptors as a chain may, in a ring of one", () => {
      const { driver, queue } = connect({ isPacked, size: 1 });
      const elements = Array.from({ length: CHAIN_DESCRIPTORS_MAX }, () => writable(DATA_GPA, 4));
      const id = driver.offer(elements, TABLE_GPA);
      const chain = popped(queue);
      assert.equal(chain.writable.totalBytes, 4 * CHAIN_DESCRIPTORS_MAX);
      queue.push(chain, 9);
      assert.deepEqual(driver.takeUsed(), [{ id, writtenBytes: 9 }]);
    });

    test("elements without bytes are nothing, and the last byte of RAM can be part of one", () => {
      const { driver, queue } = connect({ isPacked });
      driver.offer([readable(DATA_GPA, 0), readable(RAM_BYTES - 1, 1)]);
      assert.equal(popped(queue).readable.totalBytes, 1);
    });

    test("the longest queue works", () => {
      const { driver, queue } = connect({ isPacked, size: QUEUE_SIZE_MAX });
      for (let count = 0; count < QUEUE_SIZE_MAX; count++) driver.offer([writable(DATA_GPA, 1)]);
      const chains = Array.from({ length: QUEUE_SIZE_MAX }, () => popped(queue));
      assert.equal(queue.pop(), undefined);
      for (const chain of chains) queue.push(chain, 1);
      assert.equal(driver.takeUsed().length, QUEUE_SIZE_MAX);
      assert.equal(queue.fault, undefined);
    });

    test("interrupts come unless the driver wants none, once for all that was used", () => {
      const { driver, queue } = connect({ isPacked });
      assert.equal(queue.takeInterrupt(), false);
      driver.offer([writable(DATA_GPA, 1)]);
      driver.offer([writable(DATA_GPA, 1)]);
      queue.push(popped(queue), 1);
      queue.push(popped(queue), 1);
      assert.equal(queue.takeInterrupt(), true);
      assert.equal(queue.takeInterrupt(), false);
      driver.wantInterrupts("never");
      driver.offer([writable(DATA_GPA, 1)]);
      queue.push(popped(queue), 1);
      assert.equal(queue.takeInterrupt(), false);
    });

    test("with event indices an interrupt comes when the buffer that was asked for is used, in every turn", () => {
      const { driver, queue } = connect({ isPacked, size: 4, hasEventIndex: true });
      for (let round = 0; round < 50; round++) {
        driver.wantInterrupts(3);
        const interrupts = [1, 2, 3].map(() => {
          driver.offer([writable(DATA_GPA, 1)]);
          queue.push(popped(queue), 1);
          return queue.takeInterrupt();
        });
        assert.deepEqual(interrupts, [false, false, true]);
        driver.takeUsed();
      }
    });

    test("the driver is told whether to notify, by flags", () => {
      const { driver, queue } = connect({ isPacked });
      queue.setNotifications(false);
      driver.offer([writable(DATA_GPA, 1)]);
      assert.equal(driver.mustNotify(), false);
      queue.setNotifications(true);
      driver.offer([writable(DATA_GPA, 1)]);
      assert.equal(driver.mustNotify(), true);
    });

    test("the driver is told whether to notify, by event index, in every turn", () => {
      const { driver, queue } = connect({ isPacked, size: 4, hasEventIndex: true });
      for (let round = 0; round < 50; round++) {
        queue.setNotifications(true);
        driver.offer([writable(DATA_GPA, 1)]);
        assert.equal(driver.mustNotify(), true, `round ${round}`);
        queue.setNotifications(false);
        driver.offer([writable(DATA_GPA, 1)]);
        assert.equal(driver.mustNotify(), false, `round ${round}`);
        queue.push(popped(queue), 1);
        queue.push(popped(queue), 1);
        driver.takeUsed();
      }
    });

    test("what is outstanding is saved, and given back by the queue that was restored", () => {
      const { driver, queue } = connect({ isPacked });
      const ids = [0, 1, 2].map((at) => driver.offer([readable(DATA_GPA, 4), writable(DATA_GPA + at, 1)]));
      const first = popped(queue);
      popped(queue);
      queue.push(first, 0);
      const state = queue.save();
      const other = open(driver.setup).queue;
      other.restore(new StateReader("queue", state));
      assert.deepEqual(other.save(), state);
      const [outstanding] = other.outstanding;
      assert.ok(outstanding !== undefined);
      other.push(popped(other), 7);
      other.push(outstanding, 1);
      assert.deepEqual(
        driver.takeUsed().map(({ id }) => id),
        [ids[0], ids[2], ids[1]],
      );
    });

    test("a snapshot's buffer that is not RAM is refused", () => {
      const { driver, queue } = connect({ isPacked });
      driver.offer([writable(DATA_GPA, 16)]);
      popped(queue);
      const state = queue.save();
      const [chain] = state.outstanding;
      const moved = { ...chain, writable: { gpas: [RAM_BYTES - 8], lengths: [16] } };
      const other = open(driver.setup).queue;
      assert.throws(() => other.restore(new StateReader("queue", { ...state, outstanding: [moved] })), {
        name: "OperatorFault",
      });
    });

    test("what is given back after the driver took the queue back goes nowhere", () => {
      const { driver, queue } = connect({ isPacked });
      driver.offer([writable(DATA_GPA, 1)]);
      driver.offer([writable(DATA_GPA, 1)]);
      const chain = popped(queue);
      queue.retire();
      const before = ram.slice(driver.setup.descriptorGpa, 0x1_0000).slice();
      queue.push(chain, 1);
      queue.setNotifications(false);
      assert.equal(queue.takeInterrupt(), false);
      assert.equal(queue.pop(), undefined);
      assert.deepEqual(ram.slice(driver.setup.descriptorGpa, 0x1_0000), before);
    });

    test("rings that are not RAM any more break the queue, and elements are as where nobody answers", () => {
      const { driver } = connect({ isPacked });
      const faults: QueueFault[] = [];
      const memory = new VanishingDma(dma);
      const queue = new Virtqueue(driver.setup, memory, (fault) => faults.push(fault));
      driver.offer([readable(DATA_GPA, 2), writable(DATA_GPA + 16, 2)]);
      const chain = popped(queue);
      memory.isGone = true;
      const bytes = new Uint8Array(2);
      assert.equal(chain.readable.read(memory, 0, bytes), 2);
      assert.deepEqual([...bytes], [0xff, 0xff]);
      chain.writable.write(memory, 0, Uint8Array.of(1, 2));
      queue.push(chain, 2);
      queue.setNotifications(true);
      assert.deepEqual([queue.takeInterrupt(), queue.pop()], [false, undefined]);
      assert.deepEqual(faults, ["ring-outside-ram"]);
      assert.equal(ram.readU16(DATA_GPA + 16), 0);
    });

    const OUTSIDE: readonly (readonly [string, number, number])[] = [
      ["across the end of RAM", RAM_BYTES - 4, 5],
      ["at the end of RAM", RAM_BYTES, 1],
      ["in the local APIC", 0xfee0_0000, 4],
      ["far above", 2 ** 52, 16],
    ];
    for (const [where, gpa, lengthBytes] of OUTSIDE) {
      test(`an element ${where} breaks the queue, and nothing more comes out of it`, () => {
        const { driver, queue, faults } = connect({ isPacked });
        driver.offer([readable(DATA_GPA, 4), writable(gpa, lengthBytes)]);
        assert.equal(queue.pop(), undefined);
        assert.equal(queue.pop(), undefined);
        assert.deepEqual(faults, ["element-outside-ram"]);
      });
    }

    test("an element to be read behind one to be written breaks the queue", () => {
      const { driver, queue, faults } = connect({ isPacked });
      driver.offer([writable(DATA_GPA, 4), readable(DATA_GPA, 4)]);
      assert.equal(queue.pop(), undefined);
      assert.deepEqual(faults, ["element-order"]);
    });

    test("an indirect table that was not negotiated breaks the queue", () => {
      const { driver, queue, faults } = connect({ isPacked, hasIndirect: false });
      driver.offer([readable(DATA_GPA, 4)], TABLE_GPA);
      assert.equal(queue.pop(), undefined);
      assert.deepEqual(faults, ["indirect"]);
    });

    test("one descriptor too many in a table breaks the queue", () => {
      const { driver, queue, faults } = connect({ isPacked });
      const elements = Array.from({ length: CHAIN_DESCRIPTORS_MAX + 1 }, () => writable(DATA_GPA, 4));
      driver.offer(elements, TABLE_GPA);
      assert.equal(queue.pop(), undefined);
      assert.deepEqual(faults, ["chain-length"]);
    });

    test("a table outside RAM breaks the queue", () => {
      const { driver, queue, faults } = connect({ isPacked });
      driver.offer([readable(DATA_GPA, 4)], TABLE_GPA);
      ram.writeU32(driver.setup.descriptorGpa + 4, 1);
      assert.equal(queue.pop(), undefined);
      assert.deepEqual(faults, ["ring-outside-ram"]);
    });

    for (const tableBytes of [0, 8, 17]) {
      test(`a table of ${tableBytes} bytes breaks the queue`, () => {
        const { driver, queue, faults } = connect({ isPacked });
        driver.offer([readable(DATA_GPA, 4)], TABLE_GPA);
        ram.writeU32(driver.setup.descriptorGpa + 8, tableBytes);
        assert.equal(queue.pop(), undefined);
        assert.deepEqual(faults, ["table-length"]);
      });
    }

    test("more bytes than a chain may have break the queue", () => {
      const sizeBytes = 8 * MiB;
      ram = unwrap(createGuestRam({ sizeBytes, reservedPrefixBytes: 64 * KiB }));
      dma = new RamDma(ram, () => undefined);
      const { driver, queue, faults } = connect({ isPacked });
      const wholeRam = (count: number) => Array.from({ length: count }, () => readable(0, sizeBytes));
      driver.offer(wholeRam(511), TABLE_GPA);
      assert.equal(popped(queue).readable.totalBytes, 511 * sizeBytes);
      driver.offer(wholeRam(512), TABLE_GPA);
      assert.equal(queue.pop(), undefined);
      assert.deepEqual(faults, ["chain-bytes"]);
    });

    for (const size of [0, QUEUE_SIZE_MAX + 1, 0x8000]) {
      test(`a queue of ${size} is broken from the start`, () => {
        const { driver } = connect({ isPacked });
        const { queue, faults } = open({ ...driver.setup, size });
        assert.equal(queue.pop(), undefined);
        assert.deepEqual(faults, ["queue-size"]);
      });
    }

    for (const area of ["descriptorGpa", "driverGpa", "deviceGpa"] as const) {
      test(`a queue whose ${area} is not in RAM is broken from the start`, () => {
        const { driver } = connect({ isPacked });
        const { queue, faults } = open({ ...driver.setup, [area]: RAM_BYTES - 2 });
        queue.setNotifications(true);
        assert.equal(queue.pop(), undefined);
        assert.equal(queue.takeInterrupt(), false);
        assert.deepEqual(faults, ["ring-outside-ram"]);
      });
    }
  });
}

test("split: a size that is not a power of two breaks the queue", () => {
  const { driver } = connect();
  assert.deepEqual(open({ ...driver.setup, size: 6 }).faults, ["queue-size"]);
});

test("packed: a size need not be a power of two", () => {
  const { driver, queue, faults } = connect({ isPacked: true, size: 3 });
  for (let round = 0; round < 20; round++) {
    const id = driver.offer([writable(DATA_GPA, 1), writable(DATA_GPA, 1)]);
    queue.push(popped(queue), 2);
    assert.deepEqual(driver.takeUsed(), [{ id, writtenBytes: 2 }]);
  }
  assert.deepEqual(faults, []);
});

function split() {
  const setup = queueDriver(ram).setup;
  const driver = new SplitDriver(ram, setup);
  const put = (index: number, flags: number, next: number, gpa = DATA_GPA, lengthBytes = 4): void =>
    writeDescriptor(ram, setup.descriptorGpa + 16 * index, { gpa, lengthBytes }, flags, next);
  return { driver, put, setup, ...open(setup) };
}

test("split: a chain in circles breaks the queue", () => {
  const { driver, put, queue, faults } = split();
  put(0, NEXT, 1);
  put(1, NEXT, 0);
  driver.publish(0);
  assert.equal(queue.pop(), undefined);
  assert.deepEqual(faults, ["chain-length"]);
});

test("split: a chain that leaves its table breaks the queue", () => {
  const { driver, put, queue, faults } = split();
  put(0, NEXT, 8);
  driver.publish(0);
  assert.equal(queue.pop(), undefined);
  assert.deepEqual(faults, ["descriptor-index"]);
});

test("split: a head outside the table breaks the queue", () => {
  const { driver, queue, faults } = split();
  driver.publish(8);
  assert.equal(queue.pop(), undefined);
  assert.deepEqual(faults, ["descriptor-index"]);
});

test("split: an available index that jumps breaks the queue", () => {
  const { setup, queue, faults } = split();
  ram.writeU16(setup.driverGpa + 2, 9);
  assert.equal(queue.pop(), undefined);
  assert.deepEqual(faults, ["available-index"]);
});

test("split: a buffer that is offered again and again while it is in use breaks the queue", () => {
  const { driver, put, queue, faults } = split();
  put(0, WRITE, 0);
  for (let count = 0; count < 8; count++) {
    driver.publish(0);
    popped(queue);
  }
  driver.publish(0);
  assert.equal(queue.pop(), undefined);
  assert.deepEqual(faults, ["available-index"]);
});

test("split: a table may be the end of a chain, but neither its middle nor in another table", () => {
  const { driver, put, queue, faults } = split();
  writeDescriptor(ram, TABLE_GPA, { gpa: DATA_GPA, lengthBytes: 5 }, WRITE, 0);
  put(0, NEXT, 1);
  put(1, INDIRECT | WRITE, 0, TABLE_GPA, 16);
  driver.publish(0);
  const chain = popped(queue);
  assert.deepEqual([chain.readable.totalBytes, chain.writable.totalBytes], [4, 5]);
  put(2, INDIRECT | NEXT, 3, TABLE_GPA, 16);
  driver.publish(2);
  assert.equal(queue.pop(), undefined);
  const again = split();
  writeDescriptor(ram, TABLE_GPA, { gpa: TABLE_GPA, lengthBytes: 16 }, INDIRECT, 0);
  again.put(0, INDIRECT, 0, TABLE_GPA, 16);
  again.driver.publish(0);
  assert.equal(again.queue.pop(), undefined);
  assert.deepEqual([faults, again.faults], [["indirect"], ["indirect"]]);
});

test("packed: a chain without end breaks the queue", () => {
  const driver = new PackedDriver(ram, queueDriver(ram, { isPacked: true }).setup);
  const { queue, faults } = open(driver.setup);
  driver.place(
    Array.from({ length: 8 }, () => ({ gpa: DATA_GPA, lengthBytes: 1, flags: NEXT })),
    0,
  );
  assert.equal(queue.pop(), undefined);
  assert.deepEqual(faults, ["chain-length"]);
});

test("packed: a table is a whole list, and no flag but WRITE means anything in it", () => {
  const driver = new PackedDriver(ram, queueDriver(ram, { isPacked: true }).setup);
  const { queue, faults } = open(driver.setup);
  writeDescriptor(ram, TABLE_GPA, { gpa: DATA_GPA, lengthBytes: 5 }, 7, NEXT | INDIRECT | WRITE);
  const table = { gpa: TABLE_GPA, lengthBytes: 16, flags: INDIRECT };
  driver.place([table], 0);
  assert.equal(popped(queue).writable.totalBytes, 5);
  driver.place([{ gpa: DATA_GPA, lengthBytes: 1, flags: NEXT }, table], 1);
  assert.equal(queue.pop(), undefined);
  assert.deepEqual(faults, ["indirect"]);
});
