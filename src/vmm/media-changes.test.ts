import assert from "node:assert/strict";
import { test } from "node:test";

import { err, KiB, ok, unwrap } from "../base/index.ts";
import type { Result } from "../base/index.ts";
import { MemoryDisk } from "../block/index.ts";
import type { BlockDevice } from "../block/index.ts";
import type { Drive, RemovableDrive } from "../machine/index.ts";
import type { DriveDefinition } from "./drive-settings.ts";
import { DrivesInUse } from "./drives-in-use.ts";
import { HostRequests } from "./host-requests.ts";
import { MediaChanges } from "./media-changes.ts";
import type { MediumChange } from "./media-changes.ts";
import { parseVmDefinition } from "./vm-definition.ts";

/** A file's contents, and whether they are open. */
class OpenDisk extends MemoryDisk {
  flushes = 0;
  isClosed = false;

  override flush() {
    this.flushes++;
    return super.flush();
  }

  override close(): Promise<void> {
    this.isClosed = true;
    return super.close();
  }
}

class TestDrive implements RemovableDrive {
  medium: BlockDevice | undefined;
  isLocked = false;
  /** Sizes other than this do not go in. */
  sizeBytes: number | undefined;

  insert(device: BlockDevice): Result<void> {
    assert.equal(this.medium, undefined, "the drive is empty");
    if (this.sizeBytes !== undefined && device.sizeBytes !== this.sizeBytes)
      return err("floppy-format", "It does not fit.");
    this.medium = device;
    return ok(undefined);
  }

  eject(isForced: boolean): boolean {
    if (this.isLocked && !isForced) return false;
    this.medium = undefined;
    return true;
  }
}

function setUp() {
  const { drives: definitions } = unwrap(
    parseVmDefinition({ disk: "d.img", cdrom: ["a.iso", "b.iso"], floppy: "f.img" }),
  );
  const disks = definitions.map(() => new OpenDisk(new Uint8Array(4 * KiB)));
  const drives: Drive[] = definitions.map(({ bus, medium }, index) => ({
    ...{ bus, medium, serialNumber: String(index) },
    device: disks[index] ?? new OpenDisk(new Uint8Array(512)),
  }));
  const inUse = new DrivesInUse(
    drives,
    new HostRequests({ requested: () => undefined, idle: () => undefined }),
  );
  const removable = definitions.map(({ medium }, index) => {
    if (medium === "disk") return undefined;
    const drive = new TestDrive();
    drive.medium = inUse.current(index);
    return drive;
  });
  const opened: { readonly definition: DriveDefinition; readonly disk: OpenDisk }[] = [];
  const state = { isEnded: false, sizeBytes: 4 * KiB };
  const changes = new MediaChanges({
    definitions,
    drives: inUse,
    removable,
    isEnded: () => state.isEnded,
    files: {
      isSame: (path, other) => Promise.resolve(path.replace(/^\//, "") === other.replace(/^\//, "")),
      open: (definition) => {
        if (definition.file === "missing") return Promise.resolve(err("no-file", "There is no such file."));
        const disk = new OpenDisk(new Uint8Array(state.sizeBytes));
        opened.push({ definition, disk });
        return Promise.resolve(ok(disk));
      },
    },
  });
  const problem = async (drive: string, change: MediumChange): Promise<string> => {
    const result = await changes.change(drive, change);
    return result.ok ? "" : result.error.code;
  };
  const insert = (file: string): MediumChange => ({
    kind: "insert",
    medium: { file, isReadOnly: true, isTemporary: false },
  });
  const eject = (isForced = false): MediumChange => ({ kind: "eject", isForced });
  return { changes, disks, inUse, removable, opened, state, problem, insert, eject };
}

test("a medium takes the place of another, which is flushed and closed", async () => {
  const s = setUp();
  assert.equal(await s.problem("cdrom1", s.insert("c.iso")), "");
  const [opened] = s.opened;
  assert.deepEqual(
    [
      opened?.definition.file,
      opened?.definition.medium,
      opened?.definition.bus,
      opened?.definition.isReadOnly,
    ],
    ["c.iso", "cdrom", "ide", true],
  );
  assert.deepEqual([s.disks[2]?.flushes, s.disks[2]?.isClosed, s.disks[1]?.isClosed], [1, true, false]);
  assert.equal(s.removable[2]?.medium, s.inUse.current(2));
  unwrap(await s.inUse.close());
  assert.deepEqual([opened?.disk.flushes, opened?.disk.isClosed, s.disks[2]?.flushes], [1, true, 1]);
});

test("what is ejected is closed, and its drive empty until something is inserted", async () => {
  const s = setUp();
  assert.equal(await s.problem("floppy", s.eject()), "");
  assert.deepEqual(
    [s.inUse.current(3), s.disks[3]?.isClosed, s.removable[3]?.medium],
    [undefined, true, undefined],
  );
  assert.equal(await s.problem("floppy0", s.eject()), "", "an empty drive has nothing to lose");
  assert.equal(await s.problem("floppy0", s.insert("g.img")), "");
  assert.ok(s.removable[3]?.medium);
});

test("a tray that the guest has locked keeps its medium, unless it is forced", async () => {
  const s = setUp();
  const drive = s.removable[1];
  assert.ok(drive);
  drive.isLocked = true;
  assert.equal(await s.problem("cdrom", s.eject()), "medium-locked");
  assert.equal(await s.problem("cdrom", s.insert("c.iso")), "medium-locked");
  assert.equal(s.opened[0]?.disk.isClosed, true, "what did not go in");
  assert.equal(s.disks[1]?.isClosed, false);
  assert.equal(await s.problem("cdrom", s.eject(true)), "");
  assert.equal(s.disks[1]?.isClosed, true);
});

test("a file that cannot be opened, or does not fit the drive, leaves what was there", async () => {
  const s = setUp();
  assert.equal(await s.problem("floppy0", s.insert("missing")), "no-file");
  const drive = s.removable[3];
  assert.ok(drive);
  const before = drive.medium;
  drive.sizeBytes = 4 * KiB;
  s.state.sizeBytes = 8 * KiB;
  assert.equal(await s.problem("floppy0", s.insert("large.img")), "floppy-format");
  assert.deepEqual(
    [drive.medium === before, s.disks[3]?.isClosed, s.opened[0]?.disk.isClosed],
    [true, false, true],
  );
});

test("the same image is closed before it is opened again: nobody else may have it open", async () => {
  const s = setUp();
  let wasClosed: boolean | undefined;
  const { disk } = { disk: s.disks[3] };
  const { push } = s.opened;
  s.opened.push = (...items) => {
    wasClosed = disk?.isClosed;
    return push.apply(s.opened, items);
  };
  assert.equal(await s.problem("floppy0", s.insert("/f.img")), "");
  assert.equal(wasClosed, true);
});

test("drives that there are not, and a VM that has ended, are told", async () => {
  const s = setUp();
  assert.equal(await s.problem("cdrom2", s.eject()), "no-drive");
  assert.equal(await s.problem("disk0", s.eject()), "no-drive");
  const missing = await s.changes.change("dvd", s.eject());
  assert.match(missing.ok ? "" : missing.error.message, /no drive "dvd"; it has cdrom0, cdrom1, floppy0\.$/);
  s.state.isEnded = true;
  assert.equal(await s.problem("cdrom0", s.insert("c.iso")), "wrong-state");
  assert.equal(s.opened[0]?.disk.isClosed, true);
});

test("changes of one drive follow each other", async () => {
  const s = setUp();
  const codes = await Promise.all([
    s.problem("cdrom0", s.insert("1.iso")),
    s.problem("cdrom0", s.insert("2.iso")),
    s.problem("cdrom0", s.eject()),
    s.problem("cdrom0", s.insert("3.iso")),
  ]);
  assert.deepEqual(codes, ["", "", "", ""]);
  assert.deepEqual(
    s.opened.map(({ disk }) => disk.isClosed),
    [true, true, false],
  );
});
