import assert from "node:assert/strict";
import { test } from "node:test";

import { FirmwareBench } from "./testing.ts";
import type { Answer } from "./testing.ts";

const EBDA_SEGMENT = 0x9fc0;
const HANDLER = { es: 0x1234, bx: 0x5678 } as const;
/** The byte of the controller's command byte that lets the mouse interrupt, and the one that switches it off. */
const AUX = { interrupt: 0x02, disabled: 0x20 } as const;

const pointing = (bench: FirmwareBench, al: number, bh = 0): Promise<Answer> =>
  bench.interrupt(0x15, { ax: 0xc200 | al, bx: bh << 8 });
const statusOf = ({ eax, carry }: Answer): readonly [number, boolean] => [(eax >>> 8) & 0xff, carry];
const OK = [0, false];

/** Interrupts as the processor takes them, until the mouse has no byte left; what each left in AL. */
async function deliver(bench: FirmwareBench): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let byte = 0; byte < 8; byte++) {
    bench.clock.advance(1_000_000);
    bench.timers.runDue(bench.clock.nowNs());
    answers.push(await bench.interrupt(0x74));
  }
  return answers;
}

async function withHandler(): Promise<FirmwareBench> {
  const bench = await FirmwareBench.start();
  assert.deepEqual(statusOf(await pointing(bench, 0x05, 3)), OK);
  const { es, bx } = HANDLER;
  assert.deepEqual(statusOf(await bench.interrupt(0x15, { ax: 0xc207, es, bx })), OK);
  assert.deepEqual(statusOf(await pointing(bench, 0x00, 1)), OK);
  return bench;
}

test("a mouse is there: it is reset, has a type, and tells its state", async () => {
  const bench = await FirmwareBench.start();
  const reset = await pointing(bench, 0x01);
  assert.deepEqual([...statusOf(reset), reset.ebx & 0xffff], [0, false, 0x00aa]);
  assert.equal((await pointing(bench, 0x04)).ebx >>> 8, 0);
  await pointing(bench, 0x02, 6);
  await pointing(bench, 0x03, 3);
  await pointing(bench, 0x06, 2);
  const { ebx, ecx, edx } = await pointing(bench, 0x06, 0);
  assert.deepEqual([ebx & 0xff, ecx & 0xff, edx & 0xff], [0x10, 3, 200]);
});

test("what a mouse cannot do is refused with its reason", async () => {
  const bench = await FirmwareBench.start();
  const refusals = [
    await pointing(bench, 0x0a),
    await pointing(bench, 0x00, 2),
    await pointing(bench, 0x02, 7),
    await pointing(bench, 0x03, 4),
    await pointing(bench, 0x05, 0),
    await pointing(bench, 0x05, 9),
    await pointing(bench, 0x06, 3),
    await pointing(bench, 0x00, 1),
  ];
  assert.deepEqual(
    refusals.map(statusOf),
    [1, 2, 2, 2, 2, 2, 2, 5].map((status) => [status, true]),
  );
});

test("the handler is where other programs look for it, and 0000:0000 takes it away", async () => {
  const bench = await withHandler();
  assert.equal(bench.ram.readU32(EBDA_SEGMENT * 16 + 0x22), 0x1234_5678);
  await bench.interrupt(0x15, { ax: 0xc207 });
  assert.deepEqual(statusOf(await pointing(bench, 0x00, 1)), [5, true]);
});

test("a packet's last byte calls the handler with all of it, and bytes before do not", async () => {
  const bench = await withHandler();
  bench.board.mouse.move(5, -3, { left: true, right: false, middle: false });
  const answers = await deliver(bench);
  assert.deepEqual(
    answers.map(({ eax }) => eax & 0xff),
    [0, 0, 1, 0, 0, 0, 0, 0],
  );
  const { ebx, ecx, edx, si, es } = answers[2] ?? answers[0] ?? assert.fail();
  assert.deepEqual([ebx, ecx, edx, si, es], [0x29, 5, 0xfd, 0, EBDA_SEGMENT]);
});

test("a mouse that is disabled, or has no handler, interrupts nobody", async () => {
  const bench = await withHandler();
  await pointing(bench, 0x00, 0);
  bench.board.mouse.move(5, 5, { left: false, right: false, middle: false });
  assert.ok((await deliver(bench)).every(({ eax }) => (eax & 0xff) === 0));
  bench.board.ports.writePort(0x64, 1, 0x20);
  const commandByte = bench.board.ports.readPort(0x60, 1);
  assert.equal(commandByte & (AUX.interrupt | AUX.disabled), AUX.disabled);
});

test("a byte of the keyboard is left to the keyboard", async () => {
  const bench = await withHandler();
  bench.board.keyboard.key("KeyA", true);
  bench.clock.advance(1_000_000);
  bench.timers.runDue(bench.clock.nowNs());
  assert.equal((await bench.interrupt(0x74)).eax & 0xff, 0);
  assert.equal(bench.board.ports.readPort(0x60, 1), 0x1e);
});
