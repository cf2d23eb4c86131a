import assert from "node:assert/strict";
import { test } from "node:test";
import { SECTOR_BYTES } from "../../block/index.ts";
import { controller, disk, TestDisk, patternBytes, ST } from "./testing.ts";

const OK = ST.ready | ST.seek;
const SRST = 4;
const NIEN = 2;
const DRIVE_0 = 0xa0;
const DRIVE_1 = 0xb0;
const SIGNATURE = [1, 1, 1, 0, 0];

const small = (isSecond = false) => disk(new TestDisk(16), isSecond);

/** What most drivers do to find out whether somebody is there. */
function holdsValues(host: ReturnType<typeof controller>): boolean {
  host.out(2, 0x55);
  host.out(3, 0xaa);
  return host.in(2) === 0x55 && host.in(3) === 0xaa;
}

test("after reset each disk shows its signature", () => {
  const host = controller(small(), small(true));
  host.out(6, DRIVE_0);
  assert.deepEqual(host.registers, [...SIGNATURE, 0xa0, OK]);
  host.out(6, DRIVE_1);
  assert.deepEqual(host.registers, [...SIGNATURE, 0xb0, OK]);
  assert.equal(host.irq.risingEdges, 0);
});

test("an empty channel floats, with DD7 pulled down so that it is not busy", () => {
  const host = controller();
  host.channel = 1;
  for (const select of [DRIVE_0, DRIVE_1]) {
    host.out(6, select);
    assert.deepEqual(host.registers, Array(7).fill(0x7f));
    assert.equal(host.alternateStatus, 0x7f);
    assert.deepEqual([host.in(0, 2), host.in(0, 4)], [0xff7f, 0xff7f_ff7f]);
    assert.equal(holdsValues(host), false);
    host.out(7, 0xec);
    assert.deepEqual([host.in(7), host.irq.risingEdges], [0x7f, 0]);
  }
});

test("drive 0 alone answers for drive 1 with a status of 0, and obeys nothing in its place", async () => {
  const host = controller(small());
  host.out(6, DRIVE_1);
  assert.deepEqual([host.in(7), host.alternateStatus, host.in(6)], [0, 0, 0xb0]);
  host.out(7, 0xec);
  await host.turns();
  assert.deepEqual([host.in(7), host.in(0, 2), host.irq.risingEdges], [0, 0, 0]);
  host.out(6, DRIVE_0);
  assert.deepEqual([host.in(7), holdsValues(host)], [OK, true]);
});

test("drive 1 alone leaves the bus to itself while drive 0 is selected", () => {
  const host = controller(undefined, small(true));
  host.out(6, DRIVE_0);
  assert.deepEqual([host.in(7), holdsValues(host)], [0x7f, false]);
  host.out(6, DRIVE_1);
  assert.deepEqual([host.in(7), holdsValues(host)], [OK, true]);
});

test("the two channels are apart from each other", async () => {
  const host = controller(small(), undefined, disk(new TestDisk(32)));
  await host.run({ code: 0xe5 });
  assert.deepEqual([host.irqs[0].risingEdges, host.irqs[1].risingEdges], [1, 0]);
  host.channel = 1;
  const identify = await host.readPio({ code: 0xec });
  assert.equal(identify[120], 32);
  assert.deepEqual([host.irqs[0].risingEdges, host.irqs[1].risingEdges], [1, 1]);
});

test("both drives hear what is written, the selected one obeys", async () => {
  const first = new TestDisk(16);
  const second = new TestDisk(16);
  const host = controller(disk(first), disk(second, true));
  host.out(6, 0xe0);
  [0, 1, 5, 0, 0].forEach((value, index) => host.out(1 + index, value));
  host.out(6, 0xf0);
  host.out(7, 0x20);
  await host.settled();
  assert.deepEqual([first.log, second.log], [[], ["read 5+1"]]);
  assert.deepEqual(host.takeData(SECTOR_BYTES), patternBytes(6).slice(5 * SECTOR_BYTES));
});

test("the interrupt is the selected drive's, and waits while the other one is", async () => {
  const host = controller(small(), small(true));
  host.issue({ code: 0xe5 });
  assert.equal(host.irq.level, true);
  host.out(6, DRIVE_1);
  assert.equal(host.irq.level, false);
  host.out(6, DRIVE_0);
  assert.equal(host.irq.level, true);
  assert.equal(host.alternateStatus, OK);
  assert.equal(host.irq.level, true);
  host.in(7);
  assert.equal(host.irq.level, false);
});

test("nIEN keeps the interrupt from the line, not from happening; a command clears it", () => {
  const host = controller(small());
  host.control(NIEN);
  host.issue({ code: 0xe5 });
  assert.equal(host.irq.level, false);
  host.control(0);
  assert.equal(host.irq.level, true);
  host.control(NIEN);
  host.issue({ code: 0xe5 });
  host.control(0);
  assert.deepEqual([host.irq.level, host.irq.risingEdges], [true, 2]);
});

test("a busy drive takes no registers, no selection and no command", async () => {
  const held = new TestDisk(16);
  const host = controller(disk(held), small(true));
  held.isHeld = true;
  host.issue({ code: 0x20, lba: 3, count: 1 });
  assert.equal(host.alternateStatus, ST.busy);
  host.out(3, 0x99);
  host.out(6, DRIVE_1);
  host.out(7, 0xec);
  host.out(7, 0x90);
  await host.turns();
  assert.deepEqual([host.alternateStatus, host.irq.level], [ST.busy, false]);
  held.release();
  assert.equal(await host.settled(), OK | ST.drq);
  assert.equal(host.in(3), 3);
  assert.deepEqual(held.log, ["read 3+1"]);
});

test("high-order bytes are read with HOB, which a write to the command block clears", () => {
  const host = controller(small());
  for (const value of [0x12, 0x34]) host.out(4, value);
  assert.equal(host.in(4), 0x34);
  host.control(0x80);
  assert.equal(host.in(4), 0x12);
  host.out(3, 1);
  assert.equal(host.in(4), 0x34);
});

test("wide accesses are taken apart everywhere but at the data register", () => {
  const host = controller(small());
  host.out(2, 0x2211, 2);
  assert.deepEqual([host.in(2), host.in(3), host.in(2, 2)], [0x11, 0x22, 0x2211]);
  host.out(4, 0xe0_4433, 2);
  assert.deepEqual([host.in(4), host.in(5)], [0x33, 0x44]);
});

test("EXECUTE DEVICE DIAGNOSTIC is obeyed by both, selects drive 0 and interrupts once", async () => {
  const host = controller(small(), small(true));
  host.issue({ code: 0x90, drive: 1 });
  assert.deepEqual([await host.settled(), host.irq.level], [OK, true]);
  assert.deepEqual(host.registers, [...SIGNATURE, 0xa0, OK]);
  host.out(6, DRIVE_1);
  assert.deepEqual([host.irq.level, host.irq.risingEdges], [false, 1]);
  assert.deepEqual(host.registers.slice(0, 5), SIGNATURE);
});

test("SRST makes both drives busy until it is released, without an interrupt", async () => {
  const host = controller(small(), small(true));
  host.issue({ code: 0x20, drive: 1, count: 1 });
  await host.settled();
  host.control(SRST);
  assert.equal(host.in(7), ST.busy);
  host.out(6, DRIVE_1);
  assert.equal(host.in(7), ST.busy);
  host.control(0);
  assert.deepEqual(host.registers, [...SIGNATURE, 0xa0, OK]);
  host.out(6, DRIVE_1);
  assert.deepEqual(host.registers, [...SIGNATURE, 0xb0, OK]);
  assert.equal(host.irq.level, false);
});

test("a reset drops the request under way, and lasts until the back end has let go of the buffer", async () => {
  const held = new TestDisk(16);
  const host = controller(disk(held));
  held.isHeld = true;
  for (let round = 0; round < 50; round++) {
    host.issue({ code: 0x20, lba: 1, count: 2 });
    host.control(SRST);
    host.control(0);
  }
  assert.equal(held.waiting, 1);
  assert.equal(host.alternateStatus, ST.busy);
  held.release();
  assert.equal(await host.settled(), OK);
  assert.deepEqual(host.registers.slice(0, 5), SIGNATURE);
  assert.equal(host.irq.risingEdges, 0);
  assert.deepEqual(held.log, ["read 1+2"]);
  assert.deepEqual(
    await host.readPio({ code: 0x20, lba: 2, count: 1 }),
    patternBytes(3).slice(2 * SECTOR_BYTES),
  );
});

test("data that nobody asked for reads as zeros and goes nowhere", () => {
  const host = controller(small());
  assert.deepEqual([host.in(0, 1), host.in(0, 2), host.in(0, 4)], [0, 0, 0]);
  host.out(0, 0x1234, 2);
  assert.equal(host.alternateStatus, OK);
});

for (const size of [1, 2, 4] as const) {
  test(`accesses of ${size} bytes move ${Math.max(2, size)} bytes of data`, async () => {
    const host = controller(small());
    host.issue({ code: 0x20, lba: 2, count: 1 });
    await host.settled();
    const step = Math.max(2, size);
    const wanted = patternBytes(3).slice(2 * SECTOR_BYTES);
    for (let at = 0; at < SECTOR_BYTES; at += step) {
      const bytes = [3, 2, 1, 0].map((i) => (i < size ? (wanted[at + i] ?? 0) : 0));
      assert.equal(host.in(0, size), bytes.reduce((value, byte) => (value << 8) | byte, 0) >>> 0);
    }
    assert.equal(host.alternateStatus, OK);
  });
}
