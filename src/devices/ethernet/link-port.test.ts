import assert from "node:assert/strict";
import { test } from "node:test";
import { FRAME_BYTES_MAX, FRAME_BYTES_MIN, LARGE_FRAME_BYTES_MAX } from "../../net/index.ts";
import { frameOf, RecordedLink } from "../../net/testing.ts";
import { LinkPort } from "./link-port.ts";

function connect() {
  const link = new RecordedLink();
  const arrived: number[] = [];
  const changes: boolean[] = [];
  const card = {
    hasRoom: true,
    frameArrived: (frame: Uint8Array) => {
      if (card.hasRoom) arrived.push(frame.length);
      return card.hasRoom;
    },
    linkChanged: (isUp: boolean) => void changes.push(isUp),
    unfinished: {
      isWanted: true,
      frameArrived: (frame: Uint8Array, segmentBytes: number) => {
        if (card.hasRoom) arrived.push(frame.length, segmentBytes);
        return card.hasRoom;
      },
    },
  };
  return { link, arrived, changes, card, port: new LinkPort(link, card) };
}

for (const [length, sent] of [
  [13, undefined],
  [14, FRAME_BYTES_MIN],
  [59, FRAME_BYTES_MIN],
  [60, 60],
  [FRAME_BYTES_MAX, FRAME_BYTES_MAX],
  [FRAME_BYTES_MAX + 1, undefined],
] as const) {
  test(`a frame of ${length} bytes is ${sent === undefined ? "lost" : `sent with ${sent}`}`, () => {
    const { link, port } = connect();
    port.send(new Uint8Array(70).fill(9).subarray(0, 59));
    link.sent.length = 0;
    port.send(new Uint8Array(length).fill(7));
    assert.deepEqual(
      link.sent.map((frame) => [frame.length, frame.lastIndexOf(7), frame.includes(9)]),
      sent === undefined ? [] : [[sent, length - 1, false]],
    );
  });
}

test("what is too short or too long for Ethernet does not arrive", () => {
  const { link, arrived } = connect();
  for (const length of [13, 14, FRAME_BYTES_MAX, FRAME_BYTES_MAX + 1]) link.deliver(new Uint8Array(length));
  assert.deepEqual(arrived, [14, FRAME_BYTES_MAX]);
});

test("nothing goes either way while the link is down", () => {
  const { link, port, arrived, changes } = connect();
  link.setUp(false);
  port.send(frameOf());
  assert.equal(link.deliver(frameOf()), true);
  assert.deepEqual([link.sent.length, arrived.length, port.isUp, changes], [0, 0, false, [false]]);
});

test("the link is told once that there is room again, and only if it was refused", () => {
  const { link, port, card } = connect();
  port.roomAgain();
  assert.equal(link.timesReady, 0);
  card.hasRoom = false;
  assert.equal(link.deliver(frameOf()), false);
  port.roomAgain();
  port.roomAgain();
  assert.equal(link.timesReady, 1);
});

test("a frame that is refused again as there is room again is asked for another time", () => {
  const { link, port, card, arrived } = connect();
  card.hasRoom = false;
  link.onReady = () => void link.deliver(frameOf());
  link.deliver(frameOf());
  port.roomAgain();
  assert.equal(port.isAwaited, true);
  card.hasRoom = true;
  port.roomAgain();
  assert.deepEqual([link.timesReady, port.isAwaited, arrived.length], [2, false, 1]);
});

test("what waited for a card that is reset is lost", () => {
  const { link, port, card, arrived } = connect();
  card.hasRoom = false;
  link.deliver(frameOf());
  card.hasRoom = true;
  link.onReady = () => assert.equal(link.deliver(frameOf()), true);
  port.reset();
  assert.deepEqual([link.timesReady, arrived.length], [1, 0]);
  link.deliver(frameOf());
  assert.equal(arrived.length, 1);
});

test("unfinished frames go where they are taken, of up to LARGE_FRAME_BYTES_MAX", () => {
  const { link, port } = connect();
  port.sendUnfinished(frameOf());
  assert.equal(port.takesUnfinished, false);
  link.takeUnfinished();
  assert.equal(port.takesUnfinished, true);
  for (const length of [13, 14, LARGE_FRAME_BYTES_MAX, LARGE_FRAME_BYTES_MAX + 1]) {
    port.sendUnfinished(new Uint8Array(length));
  }
  link.setUp(false);
  port.sendUnfinished(frameOf());
  assert.deepEqual(
    link.sentUnfinished.map(({ length }) => length),
    [14, LARGE_FRAME_BYTES_MAX],
  );
  assert.equal(link.sent.length, 0);
});

test("unfinished frames arrive if the driver wants them, and wait for room as others do", () => {
  const { link, port, card, arrived } = connect();
  for (const length of [13, LARGE_FRAME_BYTES_MAX, LARGE_FRAME_BYTES_MAX + 1]) {
    assert.equal(link.deliverUnfinished(new Uint8Array(length), 1448), true);
  }
  assert.deepEqual(arrived, [LARGE_FRAME_BYTES_MAX, 1448]);
  card.hasRoom = false;
  assert.equal(link.deliverUnfinished(frameOf(), 1), false);
  port.roomAgain();
  assert.equal(link.timesReady, 1);
  card.unfinished.isWanted = false;
  assert.equal(link.deliverUnfinished(frameOf(), 1), undefined);
});
