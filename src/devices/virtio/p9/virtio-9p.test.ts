import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { ERRNO } from "../../../share/index.ts";
import { MemoryFolder } from "../../../share/testing.ts";
import { readable, settle, writable } from "../testing.ts";
import { VIRTIO_STATUS } from "../virtio-device.ts";
import { FIDS_MAX } from "./fid-table.ts";
import { MESSAGE, WALK_NAMES_MAX } from "./messages.ts";
import { MSIZE_MAX } from "./p9-session.ts";
import { joined, message, P9Client, raw, Reply, text, u16, u32, u64, u8 } from "./testing.ts";
import { P9_REQUESTS_UNDER_WAY_MAX } from "./virtio-9p.ts";

const READ_ONLY = 0;
const READ_WRITE = 2;
const TRUNCATE = 0o1000;
const EXCLUSIVE = 0o200;

let folder: MemoryFolder;
let client: P9Client;

beforeEach(async () => {
  folder = new MemoryFolder();
  folder.put("file", "hello, world");
  const sub = folder.put("sub", "", "folder");
  folder.put("deep", "deep", "file", sub);
  folder.put("link", "/etc/passwd", "link");
  client = new P9Client(folder);
  await client.attach(0);
});

const open = (fid: number, flags: number): Promise<Reply> => client.call("lopen", u32(fid), u32(flags));
const clunk = (fid: number): Promise<Reply> => client.call("clunk", u32(fid));
const read = (fid: number, offset: number, count: number): Promise<Reply> =>
  client.call("read", u32(fid), u64(offset), u32(count));
const write = (fid: number, offset: number, data: string): Promise<Reply> =>
  client.call("write", u32(fid), u64(offset), u32(data.length), raw(data));
const textOf = (reply: Reply): string => new TextDecoder().decode(reply.bytes(reply.u32()));
const contents = (...names: string[]): string => new TextDecoder().decode(folder.look(...names)?.bytes);

test("the driver finds the mount tag in the configuration", () => {
  const { driver } = client;
  assert.equal(driver.readConfig(0, 2), 6);
  const tag = Array.from({ length: 6 }, (_, index) => driver.readConfig(2 + index, 1));
  assert.equal(String.fromCharCode(...tag), "shared");
  assert.ok(driver.offered().has(0));
});

test("version and size of messages are agreed on, and nothing is served before", async () => {
  client.connect();
  assert.equal((await client.walk(0, 1)).errno, ERRNO.EPROTO);
  const other = await client.call("version", u32(8192), text("9P2000.u"));
  assert.deepEqual([other.type, other.u32(), other.text()], [MESSAGE.version + 1, 8192, "unknown"]);
  assert.equal((await client.walk(0, 1)).errno, ERRNO.EPROTO);
  assert.equal((await client.call("version", u32(4095), text("9P2000.L"))).errno, ERRNO.EMSGSIZE);
  const largest = await client.call("version", u32(0xffffffff), text("9P2000.L"));
  assert.deepEqual([largest.u32(), largest.text()], [MSIZE_MAX, "9P2000.L"]);
});

test("a walk goes down and up, never above the folder, and as far as there is something", async () => {
  const rootPath = folder.top.id;
  const up = await client.walk(0, 1, "sub", "..", "..", "..", "sub", "deep");
  const qids = Array.from({ length: up.u16() }, () => up.qid());
  const sub = folder.look("sub")?.id;
  const expected = [sub, rootPath, rootPath, rootPath, sub, folder.look("sub", "deep")?.id];
  assert.deepEqual(
    qids.map(({ path }) => path),
    expected,
  );
  assert.deepEqual([qids[0]?.type, qids[5]?.type], [0x80, 0]);
  const partial = await client.walk(0, 2, "sub", "nothing", "more");
  assert.equal(partial.u16(), 1);
  assert.equal((await client.walk(2, 3)).errno, ERRNO.EBADF);
  assert.equal((await client.walk(0, 2, "nothing")).errno, ERRNO.ENOENT);
  assert.equal((await client.walk(0, 1)).errno, ERRNO.EBADF);
});

for (const name of ["", ".", "a/b", "../x", "/", "nul\0", "x".repeat(256)]) {
  test(`the name ${JSON.stringify(name.slice(0, 8))} is refused wherever a name is`, async () => {
    assert.equal((await client.walk(0, 1, name)).errno, ERRNO.EINVAL);
    const mkdir = await client.call("mkdir", u32(0), text(name), u32(0o755), u32(0));
    assert.equal(mkdir.errno, ERRNO.EINVAL);
    const rename = await client.call("renameat", u32(0), text("file"), u32(0), text(name));
    assert.equal(rename.errno, ERRNO.EINVAL);
    assert.equal((await client.call("unlinkat", u32(0), text(name), u32(0))).errno, ERRNO.EINVAL);
    assert.deepEqual([...folder.top.entries.keys()], ["file", "sub", "link"]);
  });
}

test("the folder above is no name either, except for a walk", async () => {
  assert.equal((await client.call("unlinkat", u32(0), text(".."), u32(0x200))).errno, ERRNO.EINVAL);
  assert.equal((await client.call("symlink", u32(0), text(".."), text("x"), u32(0))).errno, ERRNO.EINVAL);
});

test("a file is opened, read in pieces, written and read again", async () => {
  await client.walk(0, 1, "file");
  assert.equal((await read(1, 0, 5)).errno, ERRNO.EBADF);
  const opened = await open(1, READ_WRITE);
  assert.deepEqual([opened.type, opened.qid().path], [MESSAGE.lopen + 1, folder.look("file")?.id]);
  assert.equal((await open(1, READ_WRITE)).errno, ERRNO.EINVAL);
  assert.equal(textOf(await read(1, 7, 100)), "world");
  assert.equal(textOf(await read(1, 100, 100)), "");
  assert.equal((await write(1, 12, "!!")).u32(), 2);
  assert.equal(contents("file"), "hello, world!!");
  assert.equal((await client.call("fsync", u32(1), u32(1))).errno, 0);
  assert.equal((await client.call("read", u32(1), u64(1n << 60n), u32(1))).errno, ERRNO.EFBIG);
  const beyond = client.call("read", u32(1), u64(Number.MAX_SAFE_INTEGER), u32(100));
  assert.equal((await beyond).errno, ERRNO.EFBIG);
});

test("a read gets no more than the message and the buffer have room for", async () => {
  folder.put("large", "x".repeat(20_000));
  await client.walk(0, 1, "large");
  await open(1, READ_ONLY);
  assert.equal((await read(1, 0, 0xffffffff)).u32(), 8192 - 11);
  const small = message(MESSAGE.read, 1, u32(1), u64(0), u32(1000));
  assert.equal((await client.exchange(small, 100)).u32(), 100 - 11);
  assert.equal(
    (await client.exchange(message(MESSAGE.getattr, 1, u32(1), u64(1)), 100)).errno,
    ERRNO.EMSGSIZE,
  );
});

test("what is made: files, folders, links, and no devices", async () => {
  await client.walk(0, 1);
  const created = await client.call("lcreate", u32(1), text("new"), u32(READ_WRITE), u32(0o100640), u32(0));
  assert.equal(created.qid().path, folder.look("new")?.id);
  assert.equal((await write(1, 0, "text")).u32(), 4);
  assert.equal(contents("new"), "text");
  await client.walk(0, 2);
  const flags = u32(READ_WRITE | EXCLUSIVE);
  const again = await client.call("lcreate", u32(2), text("new"), flags, u32(0o644), u32(0));
  assert.equal(again.errno, ERRNO.EEXIST);
  const made = await client.call("mkdir", u32(2), text("dir"), u32(0o40755), u32(0));
  assert.deepEqual([made.qid().type, folder.look("dir")?.mode], [0x80, 0o40755]);
  const link = await client.call("symlink", u32(2), text("s"), text("../.."), u32(0));
  assert.equal(link.qid().type, 2);
  await client.walk(0, 3, "s");
  assert.equal((await client.call("readlink", u32(3))).text(), "../..");
  const device = (mode: number): Promise<Reply> =>
    client.call("mknod", u32(2), text("n"), u32(mode), u32(1), u32(3), u32(0));
  assert.equal((await device(0o020666)).errno, ERRNO.EPERM);
  assert.equal((await device(0o010666)).errno, ERRNO.EPERM);
  assert.equal(folder.look("n"), undefined);
  assert.equal((await device(0o100600)).qid().type, 0);
  await client.walk(0, 4, "new");
  assert.equal((await client.call("link", u32(0), u32(4), text("hard"))).errno, 0);
  assert.equal(contents("hard"), "text");
});

test("a symbolic link is neither walked through nor opened", async () => {
  const walked = await client.walk(0, 1, "link");
  assert.deepEqual([walked.u16(), walked.qid().type], [1, 2]);
  assert.equal((await client.walk(1, 2, "passwd")).errno, ERRNO.ENOTDIR);
  assert.equal((await client.walk(1, 2, "..")).errno, ERRNO.ENOTDIR);
  assert.equal((await open(1, READ_ONLY)).errno, ERRNO.ELOOP);
});

test("what is moved and removed, by names and by fids", async () => {
  await client.walk(0, 1, "sub");
  assert.equal((await client.call("renameat", u32(0), text("file"), u32(1), text("f"))).errno, 0);
  assert.equal(contents("sub", "f"), "hello, world");
  await client.walk(1, 2, "f");
  assert.equal((await client.call("rename", u32(2), u32(0), text("back"))).errno, 0);
  assert.equal(contents("back"), "hello, world");
  assert.equal((await client.call("unlinkat", u32(0), text("sub"), u32(0x200))).errno, ERRNO.ENOTEMPTY);
  assert.equal((await client.call("unlinkat", u32(1), text("deep"), u32(0))).errno, 0);
  assert.equal((await client.call("unlinkat", u32(0), text("sub"), u32(0))).errno, ERRNO.EISDIR);
  assert.equal((await client.call("unlinkat", u32(0), text("sub"), u32(0x200))).errno, 0);
  assert.equal((await client.call("unlinkat", u32(0), text("back"), u32(1))).errno, ERRNO.EINVAL);
  await client.walk(0, 3, "link");
  assert.equal((await client.call("remove", u32(3))).errno, 0);
  assert.equal((await clunk(3)).errno, ERRNO.EBADF);
  assert.deepEqual([...folder.top.entries.keys()], ["back"]);
});

test("attributes are told and set", async () => {
  await client.walk(0, 1, "file");
  const told = await client.call("getattr", u32(1), u64(0x3fff));
  assert.equal(told.u64(), 0x7ffn);
  assert.equal(told.qid().path, folder.look("file")?.id);
  assert.deepEqual([told.u32(), told.u32(), told.u32()], [0o100644, 1, 2]);
  assert.deepEqual([told.u64(), told.u64(), told.u64(), told.u64(), told.u64()], [1n, 0n, 12n, 4096n, 8n]);
  // A nanosecond before 1970, and a second and a half after.
  assert.deepEqual([told.u64(), told.u64()], [0xffff_ffff_ffff_ffffn, 999_999_999n]);
  assert.deepEqual([told.u64(), told.u64()], [1n, 500_000_000n]);
  const set = (valid: number, mode: number, size: number, seconds: number, ns: number): Promise<Reply> =>
    client.call(
      "setattr",
      ...[u32(1), u32(valid), u32(mode), u32(0), u32(0), u64(size)],
      ...[u64(0), u64(0), u64(seconds), u64(ns)],
    );
  assert.equal((await set(0x1 | 0x8 | 0x20 | 0x100, 0o600, 5, 7, 9)).errno, 0);
  const file = folder.look("file");
  assert.deepEqual([file?.mode, file?.bytes.length, file?.modifiedNs], [0o100600, 5, 7_000_000_009n]);
  assert.equal((await set(0x20, 0, 0, 0, 0)).errno, 0);
  assert.equal(folder.look("file")?.modifiedNs, 1n);
  assert.equal((await set(0x120, 0, 0, 0, 1_000_000_000)).errno, ERRNO.EINVAL);
});

/** All entries by replies of `count` bytes: name, type and the offset of the next one. */
async function entries(fid: number, count: number): Promise<[string, number, bigint][]> {
  const found: [string, number, bigint][] = [];
  for (;;) {
    const reply = await client.call("readdir", u32(fid), u64(found.at(-1)?.[2] ?? 0n), u32(count));
    const end = reply.u32();
    if (end === 0) return found;
    for (let left = end; left > 0;) {
      reply.qid();
      const offset = reply.u64();
      const type = reply.u8();
      const name = reply.text();
      found.push([name, type, offset]);
      left -= 24 + name.length;
    }
  }
}

test("a folder is listed in replies of any size, and again from any of its entries", async () => {
  for (let index = 0; index < 150; index++) folder.put(`file${index}`);
  await client.walk(0, 1);
  await open(1, READ_ONLY);
  const all = await entries(1, 8192);
  const names = [".", "..", ...folder.top.entries.keys()];
  assert.deepEqual(
    all.map(([name]) => name),
    names,
  );
  assert.deepEqual(
    all.slice(0, 5).map(([, type]) => type),
    [4, 4, 8, 4, 10],
  );
  assert.deepEqual(await entries(1, 40), all);
  const again = await client.call("readdir", u32(1), u64(100), u32(8192));
  again.u32();
  again.qid();
  again.bytes(9);
  assert.equal(again.text(), names[100]);
  const behind = await client.call("readdir", u32(1), u64(1_000_000), u32(8192));
  assert.equal(behind.u32(), 0);
  assert.equal((await client.call("readdir", u32(1), u64(0), u32(24))).errno, ERRNO.EINVAL);
  assert.equal((await client.call("readdir", u32(0), u64(0), u32(100))).errno, ERRNO.EBADF);
  assert.equal((await read(1, 0, 10)).errno, ERRNO.EISDIR);
});

test("locks are granted, the file system's space is told, attributes by name and others are not supported", async () => {
  const place = [u64(0), u64(10), u32(1), text("client")] as const;
  assert.equal((await client.call("lock", u32(0), u8(1), u32(1), ...place)).u8(), 0);
  const lock = await client.call("getlock", u32(0), u8(1), ...place);
  assert.deepEqual([lock.u8(), lock.u64(), lock.u64(), lock.u32(), lock.text()], [2, 0n, 10n, 1, "client"]);
  const space = await client.call("statfs", u32(0));
  assert.deepEqual([space.u32(), space.u32(), space.u64()], [0x858458f6, 4096, 100n]);
  assert.equal(
    (await client.exchange(message(30, 1, u32(0), u32(1), text("user.x")))).errno,
    ERRNO.EOPNOTSUPP,
  );
  assert.equal((await client.exchange(message(102, 1, u32(0)))).errno, ERRNO.EOPNOTSUPP);
  assert.equal((await client.exchange(message(255, 1))).errno, ERRNO.EOPNOTSUPP);
});

test("a folder that is shared read-only refuses what would change it", async () => {
  folder.isReadOnly = true;
  await client.walk(0, 1, "file");
  assert.equal((await open(1, READ_WRITE)).errno, ERRNO.EROFS);
  assert.equal((await open(1, READ_ONLY | TRUNCATE)).errno, ERRNO.EROFS);
  assert.equal((await client.call("unlinkat", u32(0), text("file"), u32(0))).errno, ERRNO.EROFS);
  assert.equal((await client.call("mkdir", u32(0), text("d"), u32(0o755), u32(0))).errno, ERRNO.EROFS);
  assert.equal((await open(1, READ_ONLY)).errno, 0);
  assert.equal((await write(1, 0, "x")).errno, ERRNO.EBADF);
});

test("everything is given back: by clunk, by a new version, and by a reset", async () => {
  const held = (): number => folder.heldCount;
  const useSome = async (): Promise<void> => {
    await client.walk(0, 1, "sub");
    await open(1, READ_ONLY);
    await client.call("readdir", u32(1), u64(0), u32(1000));
    await client.walk(0, 2, "file");
    await open(2, READ_WRITE);
  };
  await useSome();
  assert.equal(client.device.fidCount, 3);
  for (const fid of [1, 2, 0]) assert.equal((await clunk(fid)).errno, 0);
  assert.deepEqual([client.device.fidCount, held()], [0, 0]);
  await client.attach();
  await useSome();
  await client.call("version", u32(8192), text("9P2000.L"));
  assert.deepEqual([client.device.fidCount, held()], [0, 0]);
  await client.attach();
  await useSome();
  client.connect();
  assert.deepEqual([client.device.fidCount, held()], [0, 0]);
});

test("as many fids as FIDS_MAX", async () => {
  for (let fid = 1; fid < FIDS_MAX; fid++) await client.walk(0, fid);
  assert.equal((await client.walk(0, FIDS_MAX)).errno, ERRNO.ENFILE);
  await clunk(1);
  assert.equal((await client.walk(0, FIDS_MAX)).errno, 0);
  assert.equal(client.device.fidCount, FIDS_MAX);
});

test("a walk has up to WALK_NAMES_MAX names", async () => {
  const up = (count: number): Promise<Reply> =>
    client.walk(0, 1, ...Array.from({ length: count }, () => ".."));
  assert.equal((await up(WALK_NAMES_MAX + 1)).errno, ERRNO.EINVAL);
  assert.equal((await up(WALK_NAMES_MAX)).u16(), WALK_NAMES_MAX);
});

test("requests run side by side up to their limit, the others wait, and the host is told of both ends", async () => {
  folder.hold();
  const count = P9_REQUESTS_UNDER_WAY_MAX;
  for (let tag = 0; tag < count; tag++) client.offer(message(MESSAGE.getattr, tag, u32(0), u64(0)));
  await settle();
  assert.deepEqual([client.hostRequests, client.replies().length], [count, 0]);
  client.offer(message(MESSAGE.clunk, 99, u32(7)));
  await settle();
  assert.equal(client.hostRequests, count);
  folder.release();
  await settle();
  const tags = client.replies().map(({ tag }) => tag);
  assert.deepEqual(
    tags.toSorted((a, b) => a - b),
    [...Array(count).keys(), 99],
  );
  assert.equal(client.hostRequests, 0);
});

test("a flush is answered behind the request that it is for", async () => {
  folder.hold();
  client.offer(message(MESSAGE.getattr, 5, u32(0), u64(0)));
  client.offer(message(MESSAGE.flush, 6, u16(5)));
  client.offer(message(MESSAGE.flush, 7, u16(1234)));
  await settle();
  assert.deepEqual(
    client.replies().map(({ tag }) => tag),
    [7],
  );
  folder.release();
  await settle();
  assert.deepEqual(
    client.replies().map(({ tag, type }) => [tag, type]),
    [
      [5, MESSAGE.getattr + 1],
      [6, MESSAGE.flush + 1],
    ],
  );
});

test("what a guest asked for before a reset is not answered after it, and is over before the next is begun", async () => {
  folder.hold();
  client.offer(message(MESSAGE.walk, 3, u32(0), u32(1), u16(1), text("file")));
  await settle();
  client.connect();
  client.offer(message(MESSAGE.version, 4, u32(8192), text("9P2000.L")));
  await settle();
  assert.deepEqual([client.replies().length, client.hostRequests], [0, 1]);
  folder.release();
  await settle();
  assert.deepEqual(
    client.replies().map(({ tag }) => tag),
    [4],
  );
  assert.deepEqual([folder.heldCount, client.hostRequests, client.device.fidCount], [0, 0, 0]);
});

test("a fid that goes while something is found or opened for it leaves nothing behind", async () => {
  const before = folder.heldCount;
  await client.walk(0, 1, "file");
  folder.hold();
  client.offer(message(MESSAGE.lopen, 2, u32(1), u32(READ_ONLY)));
  client.offer(message(MESSAGE.clunk, 3, u32(1)));
  client.offer(message(MESSAGE.walk, 4, u32(0), u32(1), u16(1), text("file")));
  client.offer(message(MESSAGE.clunk, 5, u32(1)));
  await settle();
  folder.release();
  await settle();
  const errors = new Map(client.replies().map(({ tag, errno }) => [tag, errno]));
  assert.deepEqual([errors.get(2), errors.get(3), errors.get(5)], [ERRNO.EBADF, 0, ERRNO.EBADF]);
  assert.equal(errors.get(4), 0);
  await clunk(1);
  assert.equal(folder.heldCount, before);
});

for (const [what, bytes] of [
  ["says more bytes than there are", joined(u32(100), u8(MESSAGE.clunk), u16(1), u32(0))],
  ["says fewer bytes than its header has", joined(u32(6), u8(MESSAGE.clunk), u16(1), u32(0))],
  ["ends within its fields", message(MESSAGE.clunk, 1, u16(0))],
  ["has a text longer than itself", message(MESSAGE.mkdir, 1, u32(0), u16(60_000), raw("x"))],
  ["has more data than itself", message(MESSAGE.write, 1, u32(0), u64(0), u32(0xffffffff))],
] as const) {
  test(`a message that ${what} gets an error`, async () => {
    await client.walk(0, 1);
    const reply = await client.exchange(bytes);
    assert.ok([ERRNO.EPROTO, ERRNO.EBADF].some((errno) => errno === reply.errno));
    assert.deepEqual([reply.tag, client.device.fidCount], [1, 2]);
  });
}

test("a buffer without room for a header or an error breaks the queue until the next reset", async () => {
  const { queue, driver, on } = client;
  queue.offer([readable(0x10_0000, 6), writable(0x20_0000, 100)]);
  driver.notify(0);
  assert.ok((driver.readStatus() & VIRTIO_STATUS.needsReset) !== 0);
  assert.equal(on.pci.faults.count, 1);
  client.connect().offer([readable(0x10_0000, 100), writable(0x20_0000, 10)]);
  driver.notify(0);
  assert.equal(on.pci.faults.count, 2);
  client.connect();
  await client.attach();
  assert.equal(client.device.fidCount, 1);
});

test("a restored device asks again for what was outstanding, and has no fids", async () => {
  const { replyGpa } = client;
  folder.hold();
  client.offer(message(MESSAGE.getattr, 5, u32(0), u64(0)));
  await settle();
  const saved = client.on.pci.save();
  const other = new P9Client(new MemoryFolder());
  other.on.ram.write(0, client.on.ram.bytes);
  other.on.pci.restore(saved);
  await settle();
  assert.deepEqual([other.hostRequests, other.device.fidCount], [0, 0]);
  const reply = new Reply(other.on.ram.slice(replyGpa, 11));
  assert.deepEqual([reply.tag, reply.errno], [5, ERRNO.EPROTO]);
  folder.release();
  await settle();
});
