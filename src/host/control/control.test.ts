import assert from "node:assert/strict";
import { test } from "node:test";

import { KEY_INPUTS_MAX, TYPED_TEXT_MAX_CHARACTERS } from "../../vmm/index.ts";
import { SCREENSHOT_MAX_BYTES } from "../messages.ts";
import {
  CONTROL_LINE_MAX_BYTES,
  decodeRequest,
  encodeReply,
  encodeRequest,
  LineReader,
  ReplyReader,
} from "./index.ts";
import type { ControlReply, ControlRequest } from "./index.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const decoded = (value: unknown): unknown => decodeRequest(bytes(JSON.stringify(value)));

test("requests arrive as they were sent", () => {
  const sent: ControlRequest[] = [
    { command: "describe" },
    { command: "stop" },
    { command: "screenshot", format: "png" },
    { command: "screenshot", format: "text" },
    { command: "press", button: "power" },
    {
      command: "media",
      drive: "floppy0",
      change: { kind: "insert", medium: { file: "/a", isReadOnly: true, isTemporary: false } },
    },
    { command: "media", drive: "cdrom0", change: { kind: "eject", isForced: true } },
    {
      command: "keys",
      inputs: [
        { kind: "text", text: "root\n" },
        { kind: "press", key: "AltLeft" },
      ],
    },
  ];
  for (const request of sent) {
    const found = new LineReader().push(encodeRequest(request));
    assert.ok(typeof found === "object");
    assert.deepEqual(decodeRequest(found.line), request);
  }
});

test("what is no request is refused, at the limits too", () => {
  for (const line of ["", "{", "null", "[]", '"stop"', "{}", '{"command":"toString"}', '{"command":7}'])
    assert.equal(decodeRequest(bytes(line)), undefined, line);
  assert.equal(decodeRequest(Uint8Array.of(0x22, 0xff, 0x22)), undefined);
  const text = (length: number) => ({ kind: "text", text: "x".repeat(length) });
  assert.ok(decoded({ command: "keys", inputs: [text(TYPED_TEXT_MAX_CHARACTERS)] }));
  assert.equal(decoded({ command: "keys", inputs: [text(TYPED_TEXT_MAX_CHARACTERS + 1)] }), undefined);
  const keys = (count: number) => Array.from({ length: count }, () => ({ kind: "key", key: "Enter" }));
  assert.ok(decoded({ command: "keys", inputs: keys(KEY_INPUTS_MAX) }));
  assert.equal(decoded({ command: "keys", inputs: keys(KEY_INPUTS_MAX + 1) }), undefined);
  assert.equal(decoded({ command: "keys", inputs: [{ kind: "key", key: "AnyKey" }] }), undefined);
  assert.equal(decoded({ command: "press", button: "turbo" }), undefined);
  assert.equal(decoded({ command: "screenshot" }), undefined);
  assert.equal(decoded({ command: "screenshot", format: "gif" }), undefined);
  assert.equal(decoded({ command: "media", drive: "cdrom0", change: { kind: "eject" } }), undefined);
  assert.equal(decoded({ command: "media", change: { kind: "eject", isForced: true } }), undefined);
  assert.equal(decoded({ command: "keys", inputs: [{ kind: "hold", key: "Enter" }] }), undefined);
});

test("a line is found in chunks of any size, and never longer than allowed", () => {
  const reader = new LineReader();
  assert.equal(reader.push(bytes("{")), "more");
  assert.deepEqual(reader.push(bytes("}\nrest")), { line: bytes("{}"), rest: bytes("rest") });
  const full = new LineReader();
  assert.equal(full.push(new Uint8Array(CONTROL_LINE_MAX_BYTES - 1)), "more");
  assert.equal(full.push(new Uint8Array(1)), "too-long");
});

const replies: ControlReply[] = [
  { kind: "done" },
  { kind: "error", error: { code: "wrong-state", message: "No." } },
  {
    kind: "description",
    description: {
      name: "a",
      pid: 7,
      guest: "vmlinuz",
      state: "running",
      uptimeSeconds: 3,
      media: [{ name: "cdrom0", file: null }],
    },
  },
  { kind: "screenshot", file: Uint8Array.of(1, 0x0a, 3) },
  { kind: "screenshot", file: new Uint8Array(0) },
];

/** Byte by byte. */
function replyOf(parts: readonly Uint8Array[]): unknown {
  const reader = new ReplyReader();
  const all = parts.flatMap((part) => [...part]);
  const answers = all.map((byte) => reader.push(Uint8Array.of(byte)));
  assert.ok(answers.slice(0, -1).every((answer) => answer === "more"));
  return answers.at(-1);
}

test("replies arrive as they were sent, byte by byte and at once", () => {
  for (const reply of replies) {
    const parts = encodeReply(reply);
    assert.deepEqual(replyOf(parts), reply);
    assert.deepEqual(new ReplyReader().push(Buffer.concat(parts)), reply);
  }
});

test("what is no reply is nonsense: unknown kinds, wrong fields, files beyond the limit or their length", () => {
  const reader = (line: string): unknown => new ReplyReader().push(bytes(`${line}\n`));
  for (const line of [
    "",
    "7",
    '{"kind":"valueOf"}',
    '{"kind":"error","error":"x"}',
    '{"kind":"description"}',
  ])
    assert.equal(reader(line), "nonsense", line);
  assert.equal(reader(`{"kind":"screenshot","byteCount":${SCREENSHOT_MAX_BYTES}}`), "more");
  assert.equal(reader(`{"kind":"screenshot","byteCount":${SCREENSHOT_MAX_BYTES + 1}}`), "nonsense");
  assert.equal(reader('{"kind":"screenshot","byteCount":-1}'), "nonsense");
  assert.equal(new ReplyReader().push(bytes('{"kind":"screenshot","byteCount":1}\nxy')), "nonsense");
});
