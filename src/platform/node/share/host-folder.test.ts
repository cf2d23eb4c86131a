import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { unwrap } from "../../../base/index.ts";
import { ERRNO } from "../../../share/index.ts";
import type { FileAccess, FolderNode, SharedFolder, ShareResult } from "../../../share/index.ts";
import { openSharedFolder } from "../index.ts";

const READ: FileAccess = {
  reads: true,
  writes: false,
  appends: false,
  truncates: false,
  isSynchronous: false,
};
const READ_WRITE: FileAccess = { ...READ, writes: true };

/** The folder that is shared, and beside it what must stay out of reach. */
let outside: string;
let inside: string;
let folder: SharedFolder;
let root: FolderNode;

beforeEach(async () => {
  outside = await mkdtemp(join(tmpdir(), "typevisor-share-"));
  inside = join(outside, "shared");
  await mkdir(inside);
  await writeFile(join(outside, "secret"), "secret");
  await share(false);
});

afterEach(async () => {
  await folder.close();
  await rm(outside, { recursive: true });
});

async function share(isReadOnly: boolean, placesMax = 100): Promise<void> {
  folder = unwrap(await openSharedFolder({ path: inside, isReadOnly, placesMax }));
  root = folder.root();
}

const nameOf = (text: string): Uint8Array => Buffer.from(text);

function granted<T>(result: ShareResult<T>): T {
  assert.ok(result.ok, `errno ${result.ok ? 0 : result.errno}`);
  return result.value;
}

/** By names from the shared folder on. */
async function found(...names: string[]): Promise<FolderNode> {
  let node = root.share();
  for (const name of names) node = granted(await node.find(nameOf(name)));
  return node;
}

async function refused(result: Promise<ShareResult<unknown>>, errno: number): Promise<void> {
  assert.deepEqual(await result, { ok: false, errno });
}

async function listed(node: FolderNode): Promise<string[]> {
  const stream = granted(await node.openFolder());
  const names: string[] = [];
  for (;;) {
    const entries = granted(await stream.read(3));
    names.push(...entries.map(({ name }) => Buffer.from(name).toString("latin1")));
    if (entries.length === 0) break;
  }
  stream.release();
  return names.toSorted();
}

async function contentOf(node: FolderNode): Promise<string> {
  const file = granted(await node.openFile(READ));
  const target = new Uint8Array(1000);
  const count = granted(await file.read(0, target));
  file.release();
  return Buffer.from(target.subarray(0, count)).toString();
}

const descriptorCount = async (): Promise<number> => (await readdir("/proc/self/fd")).length;

/** Descriptors are closed by another thread, a moment later. */
async function descriptorsBecome(expected: number): Promise<void> {
  const endMs = performance.now() + 5000;
  let count = await descriptorCount();
  while (count !== expected && performance.now() < endMs) count = await descriptorCount();
  assert.equal(count, expected);
}

test("a file is found, read and written, and made longer and shorter", async () => {
  await writeFile(join(inside, "file"), "hello");
  const node = await found("file");
  assert.equal(node.kind, "file");
  const file = granted(await node.openFile(READ_WRITE));
  assert.equal(granted(await file.write(5, nameOf(", world"))), 7);
  granted(await file.sync(true));
  assert.equal(await readFile(join(inside, "file"), "utf8"), "hello, world");
  granted(await node.setAttributes({ sizeBytes: 4 }));
  const { sizeBytes, id, mode } = granted(await node.attributes());
  const host = await stat(join(inside, "file"));
  assert.deepEqual([sizeBytes, id, mode], [4n, BigInt(host.ino), host.mode]);
  file.release();
});

test("a symbolic link is read and neither followed nor walked through nor opened", async () => {
  await symlink(join(outside, "secret"), join(inside, "link"));
  await symlink("..", join(inside, "up"));
  const link = await found("link");
  assert.deepEqual([link.kind, Buffer.from(link.linkTarget).toString()], ["link", join(outside, "secret")]);
  await refused(link.openFile(READ), ERRNO.ELOOP);
  await refused(link.setAttributes({ sizeBytes: 0 }), ERRNO.EINVAL);
  await refused(link.setAttributes({ mode: 0o777 }), ERRNO.EOPNOTSUPP);
  await refused((await found("up")).find(nameOf("secret")), ERRNO.ENOTDIR);
  await refused((await found("up")).openFolder(), ERRNO.ENOTDIR);
  granted(await link.setAttributes({ modified: { seconds: 1000, nanoseconds: 0 } }));
  assert.equal((await lstat(join(inside, "link"))).mtimeMs, 1_000_000);
  assert.equal(await readFile(join(outside, "secret"), "utf8"), "secret");
});

test("creating a file does not follow a symbolic link that has its name", async () => {
  await symlink(join(outside, "secret"), join(inside, "link"));
  await symlink(join(outside, "new"), join(inside, "dangling"));
  const truncating = { ...READ_WRITE, truncates: true };
  const options = { access: truncating, mode: 0o644, mustBeNew: false };
  await refused(root.createFile(nameOf("link"), options), ERRNO.ELOOP);
  await refused(root.createFile(nameOf("dangling"), options), ERRNO.ELOOP);
  assert.deepEqual((await readdir(outside)).toSorted(), ["secret", "shared"]);
  assert.equal(await readFile(join(outside, "secret"), "utf8"), "secret");
});

test("a folder that the host replaces by a link stays the folder that it was", async () => {
  await mkdir(join(inside, "folder"));
  await writeFile(join(inside, "folder", "file"), "inside");
  const held = await found("folder");
  await rename(join(inside, "folder"), join(inside, "moved"));
  await symlink(outside, join(inside, "folder"));
  assert.deepEqual(await listed(held), ["file"]);
  await refused(held.find(nameOf("secret")), ERRNO.ENOENT);
  const made = granted(await held.createFolder(nameOf("made"), 0o755));
  assert.equal(made.kind, "folder");
  assert.deepEqual((await readdir(join(inside, "moved"))).toSorted(), ["file", "made"]);
  await refused((await found("folder")).find(nameOf("secret")), ERRNO.ENOTDIR);
});

test("the way up ends at the shared folder", async () => {
  await mkdir(join(inside, "a", "b"), { recursive: true });
  const rootId = granted(await root.attributes()).id;
  const up = (await found("a", "b")).above().above();
  assert.equal(granted(await up.attributes()).id, rootId);
  assert.equal(granted(await up.above().attributes()).id, rootId);
});

test("a pipe is seen and not opened", async () => {
  execFileSync("mkfifo", [join(inside, "pipe")]);
  const pipe = await found("pipe");
  assert.equal(pipe.kind, "other");
  await refused(pipe.openFile(READ), ERRNO.ENXIO);
  const options = { access: READ_WRITE, mode: 0o644, mustBeNew: false };
  await refused(root.createFile(nameOf("pipe"), options), ERRNO.ENXIO);
});

test("what is renamed is still removed by the one who holds it, and nothing else in its place", async () => {
  await writeFile(join(inside, "one"), "1");
  await mkdir(join(inside, "folder"));
  const one = await found("one");
  granted(await root.rename(nameOf("one"), await found("folder"), nameOf("two")));
  const path = join(inside, "folder", "two");
  assert.equal(await readFile(path, "utf8"), "1");
  granted(await one.moveSelf(root, nameOf("three")));
  await rename(join(inside, "three"), join(inside, "four"));
  await writeFile(join(inside, "three"), "other");
  await refused(one.removeSelf(), ERRNO.ESTALE);
  assert.equal(await contentOf(one), "1");
  await rename(join(inside, "four"), join(inside, "three"));
  granted(await one.removeSelf());
  assert.deepEqual(await readdir(inside), ["folder"]);
});

test("names, links and permissions are made as asked for, set-user-ID bits are not", async () => {
  const options = { access: READ_WRITE, mode: 0o4700, mustBeNew: true };
  const { node, file } = granted(await root.createFile(nameOf("file"), options));
  file.release();
  await refused(root.createFile(nameOf("file"), options), ERRNO.EEXIST);
  granted(await root.addName(nameOf("again"), node));
  granted(
    await node.setAttributes({ mode: 0o6751, accessed: "now", modified: { seconds: 5, nanoseconds: 0 } }),
  );
  const host = await stat(join(inside, "again"));
  assert.deepEqual([host.mode & 0o7777, host.nlink, host.mtimeMs], [0o751, 2, 5000]);
  const link = granted(await root.createLink(nameOf("link"), nameOf("/etc/passwd")));
  assert.deepEqual([link.kind, await readlink(join(inside, "link"))], ["link", "/etc/passwd"]);
  granted(await root.remove(nameOf("file"), "other"));
  await refused(root.remove(nameOf("again"), "folder"), ERRNO.ENOTDIR);
  assert.deepEqual(await listed(root), ["again", "link"]);
});

test("names that are no UTF-8 are kept as their bytes", async () => {
  const name = Uint8Array.of(0x61, 0xff, 0xfe);
  granted(await root.createFolder(name, 0o700));
  assert.deepEqual(await listed(root), ["a\u00ff\u00fe"]);
  assert.equal(granted(await root.find(name)).kind, "folder");
});

test("a folder that is shared read-only cannot be changed in any way", async () => {
  await folder.close();
  await writeFile(join(inside, "file"), "as it was");
  await share(true);
  const node = await found("file");
  const name = nameOf("new");
  const { EROFS } = ERRNO;
  await refused(node.openFile(READ_WRITE), EROFS);
  await refused(node.openFile({ ...READ, truncates: true }), EROFS);
  await refused(node.setAttributes({ mode: 0o777 }), EROFS);
  await refused(node.removeSelf(), EROFS);
  await refused(node.moveSelf(root, name), EROFS);
  await refused(root.createFile(name, { access: READ, mode: 0o644, mustBeNew: true }), EROFS);
  await refused(root.createFolder(name, 0o755), EROFS);
  await refused(root.createLink(name, name), EROFS);
  await refused(root.addName(name, node), EROFS);
  await refused(root.rename(nameOf("file"), root, name), EROFS);
  await refused(root.remove(nameOf("file"), "other"), EROFS);
  assert.equal(await contentOf(node), "as it was");
  assert.deepEqual(await readdir(inside), ["file"]);
});

test("every descriptor is given back: by release, at the limit, and by close", async () => {
  for (let index = 0; index < 12; index++) await writeFile(join(inside, `f${index}`), "");
  await folder.close();
  await share(false, 10);
  const before = await descriptorCount();
  const nodes: FolderNode[] = [];
  for (let index = 0; index < 9; index++) nodes.push(await found(`f${index}`));
  await refused(root.find(nameOf("f9")), ERRNO.ENFILE);
  await descriptorsBecome(before + 9);
  for (const node of nodes) {
    node.release();
    node.release();
  }
  await refused(root.find(nameOf("nothing")), ERRNO.ENOENT);
  await descriptorsBecome(before);
  const node = await found("f0");
  const file = granted(await node.openFile(READ));
  granted(await root.openFolder());
  const reading = file.read(0, new Uint8Array(10));
  node.release();
  file.release();
  assert.equal(granted(await reading), 0);
  await refused(file.read(0, new Uint8Array(10)), ERRNO.EBADF);
  await refused(node.attributes(), ERRNO.EBADF);
  await folder.close();
  await refused(root.attributes(), ERRNO.EBADF);
  await descriptorsBecome(before - 1);
});

test("what cannot be shared is refused with a sentence", async () => {
  const sentence = async (path: string): Promise<string> => {
    const result = await openSharedFolder({ path, isReadOnly: true });
    return result.ok ? "shared" : result.error.message;
  };
  const secret = join(outside, "secret");
  assert.equal(await sentence(secret), `The folder ${secret} cannot be shared: it is not a folder.`);
  assert.equal(await sentence("/nowhere"), "The folder /nowhere cannot be shared: it does not exist.");
});

test("errors of the host's file system are told as it tells them", async () => {
  await mkdir(join(inside, "full", "folder"), { recursive: true });
  await refused(root.remove(nameOf("full"), "folder"), ERRNO.ENOTEMPTY);
  await refused(root.createFolder(nameOf("full"), 0o755), ERRNO.EEXIST);
  await refused((await found("full")).openFile(READ), ERRNO.EISDIR);
  await refused(root.removeSelf(), ERRNO.EPERM);
  await chmod(join(inside, "full"), 0o700);
  const space = granted(await root.space());
  assert.ok(space.blocks > 0n && space.blockBytes >= 512n);
});
