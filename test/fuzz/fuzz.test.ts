/** The short form of the fuzz: fixed seeds. `npm run fuzz` is the long one. */
import assert from "node:assert/strict";
import test from "node:test";
import { fuzzBios } from "./bios-fuzz.ts";
import { fuzzBoard, fuzzBoardMemory } from "./board-fuzz.ts";
import { fuzzEngine } from "./engine-fuzz.ts";
import { fuzzNat } from "./nat-fuzz.ts";
import { fuzzIde } from "./ide-fuzz.ts";
import { fuzzNics } from "./nic-fuzz.ts";
import { fuzzNvme } from "./nvme-fuzz.ts";
import { fuzzP9 } from "./p9-fuzz.ts";
import { fuzzVirtio } from "./virtio-fuzz.ts";

const ENGINE_GUESTS = 75;
const BOARDS = 10;
const BOARD_DEVICES = 50;
const ACCESSES = 8000;
const NAT_GUESTS = 20;
const BIOSES = 15;
const VIRTIO_DEVICES = 25;
const NVME_CONTROLLERS = 25;
const IDE_CONTROLLERS = 20;
const NETWORK_CARDS = 40;
const P9_SESSIONS = 8;

test("random guests at CPL 0 neither crash the engine, nor keep it, nor leave their memory, in any tier", () => {
  const result = fuzzEngine(1, (cases) => cases >= ENGINE_GUESTS);
  if (typeof result !== "number")
    throw new Error(`seed ${String(result.seed)}, tier ${result.tier}`, { cause: result.error });
  assert.ok(result >= ENGINE_GUESTS);
});

test("random accesses neither crash the board nor keep it, and its state survives being saved", () => {
  assert.equal(fuzzBoard(1, BOARDS), BOARDS);
});

test("no device of a board takes more and more memory, however long a guest goes on with it", () => {
  const devices = fuzzBoardMemory(1, ACCESSES);
  assert.ok(devices > BOARD_DEVICES, `${String(devices)} devices`);
});

test("drivers that break the rules neither crash a virtio device nor keep it from those who do not", async () => {
  const violations = await fuzzVirtio(1, VIRTIO_DEVICES);
  assert.ok(violations > VIRTIO_DEVICES, `${String(violations)} violations were met`);
});

test("a driver that breaks the rules neither crashes an NVMe controller nor keeps it from one who does not", async () => {
  const errors = await fuzzNvme(1, NVME_CONTROLLERS);
  assert.ok(errors > NVME_CONTROLLERS, `${String(errors)} errors were met`);
});

test("drivers that break the rules neither crash IDE drives nor keep them from those who do not", async () => {
  const errors = await fuzzIde(1, IDE_CONTROLLERS);
  assert.ok(errors > IDE_CONTROLLERS, `${String(errors)} commands ended with an error`);
});

test("drivers that break the rules neither crash a network card nor keep it from those who do not", () => {
  const sent = fuzzNics(1, NETWORK_CARDS);
  assert.ok(sent > NETWORK_CARDS, `${String(sent)} frames were sent`);
});

test("guests that break the rules of protocols neither crash a NAT nor keep it from those who do not", async () => {
  const dropped = await fuzzNat(1, NAT_GUESTS);
  assert.ok(dropped > 100 * NAT_GUESTS, `${String(dropped)} packets were dropped`);
});

test("programs that call the BIOS with anything do not crash it", async () => {
  assert.equal(await fuzzBios(1, BIOSES), BIOSES);
});

test("clients that break the rules neither crash a shared folder's device nor leave anything open", async () => {
  const errors = await fuzzP9(1, P9_SESSIONS);
  assert.ok(errors > 100 * P9_SESSIONS, `${String(errors)} requests were answered with an error`);
});
