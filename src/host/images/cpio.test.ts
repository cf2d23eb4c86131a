import assert from "node:assert/strict";
import { test } from "node:test";
import { buildCpio, MAX_CPIO_PATH_BYTES } from "./cpio.ts";

/** Each member as the fields of its header after the magic, its name and its data. */
function readCpio(archive: Uint8Array): { fields: number[]; path: string; data: string }[] {
  const text = String.fromCharCode(...archive);
  const members: { fields: number[]; path: string; data: string }[] = [];
  let offset = 0;
  while (offset < text.length) {
    assert.equal(text.slice(offset, offset + 6), "070701");
    const fields = Array.from({ length: 13 }, (_, index) =>
      Number.parseInt(text.slice(offset + 6 + index * 8, offset + 14 + index * 8), 16),
    );
    const [nameSize = 0, dataSize = 0] = [fields[11], fields[6]];
    const dataStart = (offset + 110 + nameSize + 3) & ~3;
    const path = text.slice(offset + 110, offset + 110 + nameSize - 1);
    members.push({ fields, path, data: text.slice(dataStart, dataStart + dataSize) });
    offset = (dataStart + dataSize + 3) & ~3;
  }
  return members;
}

test("a file's header, name and data have the bytes of the format", () => {
  const archive = buildCpio([
    { kind: "file", path: "a", mode: 0o755, data: new TextEncoder().encode("hello") },
  ]);

  const first = String.fromCharCode(...archive.subarray(0, 124));
  const header =
    "070701" +
    "00000001" +
    "000081ED" +
    "00000000" +
    "00000000" +
    "00000001" +
    "00000000" +
    "00000005" +
    "00000000".repeat(4) +
    "00000002" +
    "00000000";
  assert.equal(first, `${header}a\0hello\0\0\x000707`);
});

test("every kind of entry has its type, and the archive ends with the trailer", () => {
  const members = readCpio(
    buildCpio([
      { kind: "directory", path: "dev" },
      { kind: "character-device", path: "dev/console", major: 5, minor: 1 },
      { kind: "directory", path: "bin", mode: 0o700 },
      { kind: "symlink", path: "bin/sh", target: "busybox" },
      { kind: "file", path: "bin/busybox", data: new Uint8Array([65, 66, 67, 68]) },
    ]),
  );

  const shown = members.map(({ fields, path, data }) => [
    path,
    fields[1]?.toString(8),
    fields[9],
    fields[10],
    data,
  ]);
  assert.deepEqual(shown, [
    ["dev", "40755", 0, 0, ""],
    ["dev/console", "20600", 5, 1, ""],
    ["bin", "40700", 0, 0, ""],
    ["bin/sh", "120777", 0, 0, "busybox"],
    ["bin/busybox", "100644", 0, 0, "ABCD"],
    ["TRAILER!!!", "100000", 0, 0, ""],
  ]);
});

test("a time of change is kept", () => {
  const data = new Uint8Array(0);
  const members = readCpio(
    buildCpio([
      { kind: "file", path: "old", data },
      { kind: "file", path: "new", data, modifiedSeconds: 0x8123_4567 },
    ]),
  );

  assert.deepEqual(
    members.map(({ fields }) => fields[5]),
    [0, 0x8123_4567, 0],
  );
});

test("inode numbers differ, so that the kernel makes no hard links", () => {
  const members = readCpio(
    buildCpio([
      { kind: "directory", path: "a" },
      { kind: "directory", path: "b" },
      { kind: "directory", path: "c" },
    ]),
  );

  assert.deepEqual(
    members.map(({ fields }) => fields[0]),
    [1, 2, 3, 0],
  );
});

test("paths that the kernel would drop or misplace are bugs of the caller", () => {
  const file = (path: string) => ({ kind: "file", path, data: new Uint8Array(0) }) as const;

  assert.throws(() => buildCpio([file("/init")]), /not relative/);
  assert.throws(() => buildCpio([file("bin/sh")]), /no parent/);
  assert.throws(() => buildCpio([file("init"), file("init")]), /is taken/);
});

test("the limit of a path holds", () => {
  const file = (length: number) =>
    ({ kind: "file", path: "x".repeat(length), data: new Uint8Array(0) }) as const;

  assert.equal(readCpio(buildCpio([file(MAX_CPIO_PATH_BYTES - 1)])).length, 2);
  assert.throws(() => buildCpio([file(MAX_CPIO_PATH_BYTES)]), /too long/);
});
