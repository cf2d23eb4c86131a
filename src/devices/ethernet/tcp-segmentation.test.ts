import assert from "node:assert/strict";
import { test } from "node:test";
import { checksumAdd, folded, FRAME_BYTES_MAX } from "../../net/index.ts";
import { SEGMENTS_MAX, TcpSegmenter, UNSEGMENTED_BYTES_MAX } from "./tcp-segmentation.ts";
import { tcpFrame } from "./testing.ts";

const SEQUENCE = 0xffff_fff0;
const FLAGS = { fin: 1, push: 8, acknowledge: 16, cwr: 128 } as const;

function segment(options: Parameters<typeof tcpFrame>[0], segmentBytes: number) {
  const sent: Uint8Array[] = [];
  const segmenter = new TcpSegmenter((frame) => sent.push(frame.slice()));
  const { frame, layout } = tcpFrame(options);
  const isDone = segmenter.send(frame, { ...layout, segmentBytes });
  return { sent, isDone, frame, layout, segmenter };
}

const view = (frame: Uint8Array): DataView => new DataView(frame.buffer, frame.byteOffset, frame.length);

/** What a receiver checks. */
function tcpSum(frame: Uint8Array, { isIpv6, ipOffset, tcpOffset }: ReturnType<typeof tcpFrame>["layout"]) {
  const [start, length] = isIpv6 ? [ipOffset + 8, 32] : [ipOffset + 12, 8];
  const sum = checksumAdd(6 + frame.length - tcpOffset, frame, start, start + length);
  return folded(checksumAdd(sum, frame, tcpOffset, frame.length));
}

test("IPv4: each segment has its own lengths, identification, sequence number, flags and sums", () => {
  const flags = FLAGS.fin | FLAGS.push | FLAGS.acknowledge | FLAGS.cwr;
  const data = Uint8Array.from({ length: 250 }, (_, index) => index);
  const { sent, isDone, layout } = segment({ data, sequence: SEQUENCE, identification: 0xffff, flags }, 100);
  assert.equal(isDone, true);
  assert.deepEqual(
    sent.map((frame) => ({
      length: frame.length,
      total: view(frame).getUint16(16),
      id: view(frame).getUint16(18),
      sequence: view(frame).getUint32(38),
      flags: frame[47],
      ipSum: folded(checksumAdd(0, frame, 14, 34)),
      tcpSum: tcpSum(frame, layout),
    })),
    [
      { length: 154, total: 140, id: 0xffff, sequence: SEQUENCE, flags: FLAGS.acknowledge | FLAGS.cwr, ipSum: 0xffff, tcpSum: 0xffff }, // prettier-ignore
      { length: 154, total: 140, id: 0, sequence: 84, flags: FLAGS.acknowledge, ipSum: 0xffff, tcpSum: 0xffff }, // prettier-ignore
      { length: 104, total: 90, id: 1, sequence: 184, flags: FLAGS.acknowledge | FLAGS.fin | FLAGS.push, ipSum: 0xffff, tcpSum: 0xffff }, // prettier-ignore
    ],
  );
  assert.deepEqual(Uint8Array.from(sent.flatMap((frame) => [...frame.subarray(54)])), data);
});

test("IPv6 behind a tag: payload lengths and sums", () => {
  const { sent, layout } = segment({ isIpv6: true, vlan: 5, data: new Uint8Array(101).fill(3) }, 51);
  assert.deepEqual(
    sent.map((frame) => [frame.length, view(frame).getUint16(18 + 4), tcpSum(frame, layout)]),
    [
      [18 + 60 + 51, 20 + 51, 0xffff],
      [18 + 60 + 50, 20 + 50, 0xffff],
    ],
  );
});

test("options of both headers are in every segment", () => {
  const { sent, layout } = segment({ ipOptions: 8, tcpOptions: 12, data: new Uint8Array(20) }, 10);
  assert.deepEqual(
    sent.map((frame) => [frame.length, tcpSum(frame, layout), folded(checksumAdd(0, frame, 14, 42))]),
    [
      [14 + 28 + 32 + 10, 0xffff, 0xffff],
      [14 + 28 + 32 + 10, 0xffff, 0xffff],
    ],
  );
});

test("a frame that is one segment goes out as one, also without data", () => {
  assert.deepEqual(
    segment({ data: new Uint8Array(9) }, 10).sent.map(({ length }) => length),
    [63],
  );
  assert.deepEqual(
    segment({ data: new Uint8Array(0) }, 10).sent.map(({ length }) => length),
    [54],
  );
});

test("the largest datagram", () => {
  const data = new Uint8Array(0xffff - 40);
  const { sent, frame } = segment({ data, vlan: 1 }, FRAME_BYTES_MAX - 58);
  assert.equal(frame.length, UNSEGMENTED_BYTES_MAX);
  assert.equal(sent[0]?.length, FRAME_BYTES_MAX);
  assert.equal(
    sent.reduce((sum, { length }) => sum + length - 58, 0),
    data.length,
  );
});

for (const [what, dataBytes, segmentBytes] of [
  ["more than SEGMENTS_MAX segments", SEGMENTS_MAX + 1, 1],
  ["segments without data", 1, 0],
  ["segments too long for a frame", 3000, FRAME_BYTES_MAX - 53],
  ["more than a datagram", UNSEGMENTED_BYTES_MAX, 1000],
] as const) {
  test(`${what}: nothing is sent`, () => {
    const { sent, isDone } = segment({ data: new Uint8Array(dataBytes) }, segmentBytes);
    assert.deepEqual([isDone, sent.length], [false, 0]);
  });
}

test("SEGMENTS_MAX segments are sent", () => {
  assert.equal(segment({ data: new Uint8Array(SEGMENTS_MAX) }, 1).sent.length, SEGMENTS_MAX);
});

test("headers that are not where they should be: nothing is sent", () => {
  const { segmenter, frame, layout, sent } = segment({ data: new Uint8Array(10) }, 10);
  sent.length = 0;
  const good = { ...layout, segmentBytes: 10 };
  for (const wrong of [
    { ipOffset: 13 },
    { ipOffset: 15 },
    { ipOffset: 1000 },
    { tcpOffset: 33 },
    { tcpOffset: 35 },
    { headerBytes: 53 },
    { headerBytes: frame.length + 1 },
    { isIpv6: true },
  ]) {
    assert.equal(segmenter.send(frame, { ...good, ...wrong }), false, JSON.stringify(wrong));
  }
  assert.equal(sent.length, 0);
  assert.equal(segmenter.send(frame, good), true);
});
