/**
 * 9P fuzz: a client that knows every message and breaks the rules. Requests of every type with fids, names, lengths and
 * offsets of which some are wrong, some cut short or with bytes changed, several at a time and with answers of the host held
 * back, resets among them. Nothing throws, every request of a queue that lives is answered, and when the session ends nothing is held any
 * more. Some sessions are with a folder of the host: what is beside that stays as it was.
 */
import assert from "node:assert/strict";
import { mkdir, mkdtempDisposable, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { unwrap } from "../../src/base/index.ts";
import { MESSAGE, WALK_NAMES_MAX } from "../../src/devices/virtio/p9/messages.ts";
import { joined, message, P9Client, text, u16, u32, u64, u8 } from "../../src/devices/virtio/p9/testing.ts";
import { settle } from "../../src/devices/virtio/testing.ts";
import { openSharedFolder } from "../../src/platform/node/index.ts";
import type { SharedFolder } from "../../src/share/index.ts";
import { MemoryFolder } from "../../src/share/testing.ts";
import { Random } from "../oracle/index.ts";
import { assertBelowLimits } from "./memory-use.ts";

const STEPS = 200;
const HOST_STEPS = 60;
const STEP_MAX_MS = 2000;
const FIDS = 6;
/** As many as the client has places for. */
const BATCH_MAX = 12;
const ROOM_BYTES = 0x8000;
const NAMES = ["a", "b", "c", "..", ".", "", "a/b", "nul\0", "\u00ff", "x".repeat(255), "x".repeat(256)];
const TYPES = Object.values(MESSAGE);

class Chaos {
  readonly #random: Random;
  #tag = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  request(): Uint8Array {
    const random = this.#random;
    const type = random.below(20) === 0 ? random.below(256) : random.pick(TYPES);
    const bytes = message(
      type,
      random.below(10) === 0 ? random.below(4) : this.#tag++ & 0xffff,
      ...this.#fields(type),
    );
    return this.#spoiled(bytes);
  }

  #fields(type: number): Uint8Array[] {
    const fid = (): Uint8Array => this.#fid();
    const name = (): Uint8Array => text(this.#random.pick(NAMES));
    const word = (): Uint8Array => this.#word();
    switch (type) {
      case MESSAGE.version:
        return [word(), text(this.#random.pick(["9P2000.L", "9P2000", ""]))];
      case MESSAGE.attach:
        return [fid(), this.#random.below(4) === 0 ? word() : u32(0xffffffff), name(), name(), word()];
      case MESSAGE.walk: {
        const count = this.#random.pick([0, 1, 1, 2, 3, WALK_NAMES_MAX, WALK_NAMES_MAX + 1]);
        const names = Array.from({ length: count }, name);
        return [fid(), fid(), u16(this.#random.below(20) === 0 ? 0xffff : count), ...names];
      }
      case MESSAGE.lopen:
        return [fid(), this.#flags()];
      case MESSAGE.lcreate:
        return [fid(), name(), this.#flags(), word(), word()];
      case MESSAGE.symlink:
        return [fid(), name(), name(), word()];
      case MESSAGE.mknod:
        return [fid(), name(), u32(this.#random.pick([0o100644, 0o020644, 0])), word(), word(), word()];
      case MESSAGE.mkdir:
        return [fid(), name(), word(), word()];
      case MESSAGE.link:
      case MESSAGE.rename:
        return [fid(), fid(), name()];
      case MESSAGE.renameat:
        return [fid(), name(), fid(), name()];
      case MESSAGE.unlinkat:
        return [fid(), name(), u32(this.#random.pick([0, 0x200, 1]))];
      case MESSAGE.getattr:
        return [fid(), this.#offset()];
      case MESSAGE.setattr: {
        const valid = u32(this.#random.below(0x400));
        return [fid(), valid, word(), word(), word(), ...Array.from({ length: 5 }, () => this.#offset())];
      }
      case MESSAGE.read:
      case MESSAGE.readdir:
        return [fid(), this.#offset(), word()];
      case MESSAGE.write: {
        const data = new Uint8Array(this.#random.below(300)).fill(0x77);
        return [fid(), this.#offset(), this.#random.below(10) === 0 ? word() : u32(data.length), data];
      }
      case MESSAGE.fsync:
        return [fid(), word()];
      case MESSAGE.lock:
        return [fid(), u8(1), word(), this.#offset(), this.#offset(), word(), name()];
      case MESSAGE.getlock:
        return [fid(), u8(1), this.#offset(), this.#offset(), word(), name()];
      case MESSAGE.flush:
        return [u16(this.#random.below(4))];
      default:
        return [fid(), word(), name()];
    }
  }

  #fid(): Uint8Array {
    return u32(this.#random.below(30) === 0 ? 0xffffffff : this.#random.below(FIDS));
  }

  #word(): Uint8Array {
    const any = this.#random.below(0x1_0000);
    return u32(this.#random.pick([0, 1, 100, 4096, 8192, 0xffffffff, 0x7fffffff, any]));
  }

  #flags(): Uint8Array {
    return u32(this.#random.pick([0, 0, 1, 2, 2, 3, 0o1002, 0o202, 0o2001, this.#random.below(0x1_0000)]));
  }

  #offset(): Uint8Array {
    return u64(
      this.#random.pick([0n, 0n, 1n, 2n, 50n, 4096n, 1n << 53n, (1n << 64n) - 1n, this.#random.next64()]),
    );
  }

  /** One in four: cut short, with a wrong length, or with another byte in it. */
  #spoiled(bytes: Uint8Array): Uint8Array {
    const random = this.#random;
    switch (random.below(12)) {
      case 0:
        return bytes.subarray(0, Math.max(7, random.below(bytes.length + 1)));
      case 1:
        return joined(u32(random.pick([0, 7, bytes.length + 1, 0xffffffff])), bytes.subarray(4));
      case 2: {
        const changed = bytes.slice();
        changed[7 + random.below(Math.max(1, bytes.length - 7))] = random.below(256);
        return changed;
      }
      default:
        return bytes;
    }
  }
}

/** A folder, and what the fuzz does with it from the host's side. */
interface Subject {
  readonly folder: SharedFolder;
  /** Lets the host work. */
  readonly wait: () => Promise<void>;
  /** Holds answers back, and gives them. */
  readonly hold: () => void;
  readonly release: () => void;
  /** Once the session has ended and nothing is under way. */
  readonly check: () => Promise<void>;
}

function memorySubject(random: Random): Subject {
  const folder = new MemoryFolder();
  folder.put("a", "some text");
  folder.put("inner", "more", "file", folder.put("b", "", "folder"));
  folder.put("c", "../../..", "link");
  return {
    folder,
    wait: settle,
    hold() {
      folder.isReadOnly = random.below(10) === 0;
      folder.hold();
    },
    release: () => folder.release(),
    check() {
      assert.equal(folder.heldCount, 0, "nothing is held by a session that has ended");
      return Promise.resolve();
    },
  };
}

const openCount = async (): Promise<number> => (await readdir("/proc/self/fd")).length;
const OUTSIDE = ["secret", "shared"];
const SECRET = "outside of the folder";

/** In a folder of the host, beside which there is something that must stay as it is. */
async function hostSubject(outside: string): Promise<Subject> {
  const inside = join(outside, "shared");
  await mkdir(join(inside, "b"), { recursive: true });
  await writeFile(join(outside, "secret"), SECRET);
  await writeFile(join(inside, "a"), "some text");
  await symlink("../secret", join(inside, "c"));
  await symlink("..", join(inside, "b", "c"));
  const openBefore = await openCount();
  const folder = unwrap(await openSharedFolder({ path: inside, isReadOnly: false }));
  const nothing = (): void => undefined;
  return {
    folder,
    wait: () => setTimeout(1, undefined),
    hold: nothing,
    release: nothing,
    async check() {
      // Descriptors are closed by another thread.
      const endMs = performance.now() + STEP_MAX_MS;
      let open = await openCount();
      while (open > openBefore + 1 && performance.now() < endMs) open = await openCount();
      assert.equal(open, openBefore + 1, "nothing is open but the folder itself");
      await folder.close();
      assert.deepEqual((await readdir(outside)).toSorted(), OUTSIDE);
      assert.equal(await readFile(join(outside, "secret"), "utf8"), SECRET);
    },
  };
}

async function settled(client: P9Client, { wait }: Subject): Promise<void> {
  const endMs = performance.now() + STEP_MAX_MS;
  while (client.hostRequests > 0 && performance.now() < endMs) await wait();
  assert.equal(client.hostRequests, 0, "every request ends");
}

/** Of one session of many batches; returns how many requests were answered with an error. */
async function session(random: Random, subject: Subject, steps: number): Promise<number> {
  const { folder, wait } = subject;
  const client = new P9Client(folder, "fuzz", wait);
  await client.attach(0);
  const chaos = new Chaos(random);
  let errors = 0;
  for (let step = 0; step < steps; step++) {
    const start = performance.now();
    if (random.below(4) === 0) subject.hold();
    const count = 1 + random.below(BATCH_MAX);
    for (let index = 0; index < count; index++) {
      client.offer(chaos.request(), random.below(8) === 0 ? 11 + random.below(200) : ROOM_BYTES);
      if (random.below(4) === 0) await wait();
    }
    const isReset = random.below(10) === 0;
    if (isReset) client.connect();
    subject.release();
    await settled(client, subject);
    const replies = client.replies();
    if (!isReset) assert.equal(replies.length, count, "every request is answered");
    errors += replies.filter(({ errno }) => errno !== 0).length;
    if (isReset || random.below(10) === 0) await client.attach(0);
    const tookMs = performance.now() - start;
    assert.ok(tookMs < STEP_MAX_MS, `a step took ${tookMs.toFixed(0)} ms`);
  }
  assertBelowLimits("virtio-9p");
  client.connect();
  await client.attach(0);
  assert.equal((await client.call("getattr", u32(0), u64(0))).errno, 0, "who keeps to the rules is served");
  client.connect();
  await subject.check();
  return errors;
}

/**
 * Fuzzes `count` sessions of seeds from `seed` on, one in eight with a folder of the host; throws the first failure with its
 * seed. Returns the errors met.
 */
export async function fuzzP9(seed: number, count: number): Promise<number> {
  let errors = 0;
  for (let next = seed; next < seed + count; next++) {
    const random = new Random(next);
    try {
      if (next % 8 === 0) {
        await using outside = await mkdtempDisposable(join(tmpdir(), "typevisor-fuzz-"));
        errors += await session(random, await hostSubject(outside.path), HOST_STEPS);
      } else {
        errors += await session(random, memorySubject(random), STEPS);
      }
    } catch (error) {
      throw new Error(`p9, seed ${String(next)}`, { cause: error });
    }
  }
  return errors;
}
