import assert from "node:assert/strict";
import { test } from "node:test";
import { SECTOR_BYTES } from "../../block/index.ts";
import { PCI_COMMAND, PCI_HEADER } from "../../hw/index.ts";
import { BMIBA, BUFFER_GPA, controller, disk, TestDisk, patternBytes, ST, TestHost } from "./testing.ts";

const OK = ST.ready | ST.seek;
const FLOATING_PORT = 0xff;

test("configuration space is that of a 82371SB, function 1", () => {
  const { ide } = controller();
  assert.equal(ide.readConfig(0, 4), 0x7010_8086);
  assert.equal(ide.readConfig(8, 4), 0x0101_8000);
  assert.equal(ide.readConfig(PCI_HEADER.status, 2), 0x0280);
  assert.equal(ide.readConfig(PCI_HEADER.interruptPin, 1), 0);
  ide.writeConfig(0x20, 4, 0xffff_ffff);
  assert.equal(ide.readConfig(0x20, 4), 0xffff_fff1);
  for (const bar of [0x10, 0x14, 0x18, 0x1c, 0x24]) {
    ide.writeConfig(bar, 4, 0xffff_ffff);
    assert.equal(ide.readConfig(bar, 4), 0);
  }
  ide.writeConfig(0x40, 4, 0xffff_ffff);
  ide.writeConfig(0x44, 4, 0xffff_ffff);
  assert.deepEqual([ide.readConfig(0x40, 4), ide.readConfig(0x44, 4)], [0xf3ff_f3ff, 0xff]);
});

test("ports are decoded only while I/O and the channel's IDETIM are enabled", () => {
  const host = new TestHost([disk(new TestDisk(16)), undefined, disk(new TestDisk(16))]);
  host.ide.reset();
  assert.equal(host.in(7), FLOATING_PORT);
  host.ide.writeConfig(PCI_HEADER.command, 2, PCI_COMMAND.io);
  assert.equal(host.in(7), FLOATING_PORT);
  host.ide.writeConfig(0x42, 2, 0x8000);
  assert.equal(host.in(7), FLOATING_PORT);
  host.channel = 1;
  assert.deepEqual([host.in(7), host.alternateStatus], [OK, OK]);
  host.ide.writeConfig(PCI_HEADER.command, 2, 0);
  assert.deepEqual([host.in(7), host.alternateStatus], [FLOATING_PORT, FLOATING_PORT]);
});

test("the floppy's ports beside 3F6 stay free", () => {
  const host = controller();
  assert.deepEqual(
    [0x3f5, 0x3f6, 0x3f7, 0x376, 0x377].map((port) => host.ports.ownerOf(port) !== undefined),
    [false, true, false, true, false],
  );
});

test("a channel whose ports are taken is not decoded, and counted", () => {
  const host = new TestHost([disk(new TestDisk(16))]);
  host.ports.claim("other", 0x3f6, 1, { readPort: () => 0x5a, writePort: () => undefined });
  host.ide.reset();
  host.enable();
  assert.deepEqual([host.in(7), host.alternateStatus, host.ide.conflicts > 0], [FLOATING_PORT, 0x5a, true]);
});

test("BMIBA moves the bus master's registers", () => {
  const host = controller();
  assert.equal(host.ide.busMasterBase, BMIBA);
  host.ide.writeConfig(0x20, 4, 0xd000);
  assert.deepEqual([host.ports.ownerOf(BMIBA), host.ide.busMasterBase], [undefined, 0xd000]);
});

// Saved state: whatever the host was in the middle of, it goes on in a fresh controller as if nothing had been.

const SECTORS = 600;
const wanted = patternBytes(SECTORS);

type Host = ReturnType<typeof build>["host"];

function build() {
  const held = new TestDisk(SECTORS);
  const host = controller(disk(held), disk(new TestDisk(8), true));
  return { held, host };
}

interface Situation {
  readonly name: string;
  readonly before: (host: Host, held: TestDisk) => Promise<void>;
  readonly after: (host: Host, held: TestDisk) => Promise<void>;
}

/** Nothing is under way: what is restored saves the same. */
const atRest: readonly Situation[] = [
  {
    name: "idle with settings of its own",
    before: async (host) => {
      await host.run({ code: 0xc6, count: 16 });
      await host.run({ code: 0x91, count: 32, address: "chs", head: 3 });
    },
    after: async (host) => {
      const identify = await host.readPio({ code: 0xec });
      assert.deepEqual([identify[118], identify[112]], [16, 32]);
    },
  },
  {
    name: "an interrupt not acknowledged",
    before: async (host) => {
      host.issue({ code: 0xe5 });
      await host.settled();
    },
    after: async (host) => {
      assert.equal(host.irq.level, true);
      host.in(7);
      assert.equal(host.irq.level, false);
    },
  },
  {
    name: "in the middle of a sector that is read",
    before: async (host) => {
      await host.readPio({ code: 0x20, lba: 3, count: 3 });
      await host.settled();
      host.takeData(100);
    },
    after: async (host) => {
      assert.deepEqual(host.takeData(412, 4), wanted.slice(4 * 512 + 100, 5 * 512));
      host.in(7);
      assert.deepEqual(host.takeData(512), wanted.slice(5 * 512, 6 * 512));
      assert.equal(await host.settled(), OK);
    },
  },
  {
    name: "in the middle of a sector that is written",
    before: async (host) => {
      host.issue({ code: 0x30, lba: 20, count: 1 });
      await host.settled();
      host.giveData(new Uint8Array(200).fill(0xee));
    },
    after: async (host, held) => {
      host.giveData(new Uint8Array(312).fill(0xdd));
      await host.settled();
      const at = 20 * SECTOR_BYTES;
      assert.deepEqual([held.inner.bytes[at + 199], held.inner.bytes[at + 200]], [0xee, 0xdd]);
    },
  },
  {
    name: "a drive that waits for the bus master",
    before: async (host) => {
      host.prepareDma("in", [{ gpa: BUFFER_GPA, bytes: 1024, isLast: true }]);
      host.issue({ code: 0xc8, lba: 7, count: 2 });
      await host.settled();
    },
    after: async (host) => {
      host.prepareDma("in", [{ gpa: BUFFER_GPA, bytes: 1024, isLast: true }]);
      host.startDma();
      assert.deepEqual(host.ram.slice(BUFFER_GPA, 1024).slice(), wanted.slice(7 * 512, 9 * 512));
      assert.equal(host.inBusMaster(2), 4);
    },
  },
  {
    name: "an engine that has moved half of the table",
    before: async (host) => {
      host.prepareDma("in", [{ gpa: BUFFER_GPA, bytes: 1024 }]);
      host.issue({ code: 0xc8, lba: 7, count: 1 });
      host.startDma();
      await host.settled();
      host.in(7);
      host.issue({ code: 0xc8, lba: 8, count: 1 });
      host.ide.writeConfig(PCI_HEADER.command, 2, PCI_COMMAND.io);
      await host.settled();
    },
    after: async (host) => {
      assert.equal(host.inBusMaster(2), 5);
      host.ide.writeConfig(PCI_HEADER.command, 2, PCI_COMMAND.io | PCI_COMMAND.busMaster);
      assert.deepEqual(host.ram.slice(BUFFER_GPA + 512, 512).slice(), wanted.slice(8 * 512, 9 * 512));
    },
  },
  {
    name: "SRST held",
    before: async (host) => host.control(4),
    after: async (host) => {
      assert.equal(host.alternateStatus, ST.busy);
      host.control(0);
      assert.equal(await host.settled(), OK);
    },
  },
];

/** A request is under way, which is asked again. */
const busy: readonly Situation[] = [
  {
    name: "a read under way in the back end",
    before: async (host, held) => {
      held.isHeld = true;
      host.issue({ code: 0x20, lba: 599, count: 1 });
    },
    after: async (host) => {
      assert.equal(await host.settled(), OK | ST.drq);
      assert.deepEqual(host.takeData(512), wanted.slice(599 * 512));
    },
  },
  {
    name: "a write under way in the back end",
    before: async (host, held) => {
      held.isHeld = true;
      host.issue({ code: 0x30, lba: 1, count: 1 });
      host.giveData(new Uint8Array(512).fill(0x77));
    },
    after: async (host, held) => {
      assert.equal(await host.settled(), OK);
      assert.deepEqual(held.inner.bytes.slice(512, 1024), new Uint8Array(512).fill(0x77));
    },
  },
  {
    name: "a reset that waits for the back end",
    before: async (host, held) => {
      held.isHeld = true;
      host.issue({ code: 0x20, count: 1 });
      host.control(4);
      host.control(0);
      assert.equal(host.alternateStatus, ST.busy);
    },
    after: async (host) => {
      assert.equal(await host.settled(), OK);
      assert.deepEqual(host.registers.slice(0, 5), [1, 1, 1, 0, 0]);
    },
  },
];

for (const { name, before, after } of [...atRest, ...busy]) {
  test(`saved and restored: ${name}`, async () => {
    const first = build();
    await before(first.host, first.held);
    const second = build();
    second.host.ide.restore(first.host.ide.save());
    await after(second.host, second.held);
  });

  test(`saved, restored and reset: ${name}`, async () => {
    const first = build();
    await before(first.host, first.held);
    const second = build();
    second.host.ide.restore(first.host.ide.save());
    second.host.ide.reset();
    second.host.enable();
    assert.equal(await second.host.settled(), OK);
    assert.deepEqual(
      await second.host.readPio({ code: 0x20, lba: 5, count: 1 }),
      wanted.slice(5 * 512, 6 * 512),
    );
  });
}

for (const { name, before } of atRest) {
  test(`what was restored saves the same: ${name}`, async () => {
    const first = build();
    await before(first.host, first.held);
    const saved = first.host.ide.save();
    const second = build();
    second.host.ide.restore(saved);
    assert.deepEqual(second.host.ide.save(), saved);
  });
}

test("a drive is restored while it is busy with something else, whose result does not matter any more", async () => {
  const first = build();
  await first.host.readPio({ code: 0x20, lba: 3, count: 2 });
  await first.host.settled();
  const second = build();
  second.held.isHeld = true;
  second.host.issue({ code: 0x20, lba: 100, count: 2 });
  second.host.ide.restore(first.host.ide.save());
  second.held.release();
  await second.host.turns();
  assert.equal(second.host.alternateStatus, OK | ST.drq);
  assert.deepEqual(second.host.takeData(512), wanted.slice(4 * 512, 5 * 512));
});
