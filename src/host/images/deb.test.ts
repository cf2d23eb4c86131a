import assert from "node:assert/strict";
import { test } from "node:test";
import { debData } from "./deb.ts";

function deb(...members: readonly (readonly [name: string, data: string])[]): Uint8Array {
  const parts = members.map(
    ([name, data]) =>
      `${name.padEnd(48)}${`${data.length}`.padEnd(10)}\`\n${data}${"\n".repeat(data.length % 2)}`,
  );
  return new TextEncoder().encode(`!<arch>\n${parts.join("")}`);
}

const VERSION = ["debian-binary", "2.0\n"] as const;

for (const [member, compression] of [
  ["data.tar", "none"],
  ["data.tar.gz", "gzip"],
  ["data.tar.xz", "xz"],
  ["data.tar.zst", "zstd"],
] as const) {
  test(`${member} is found, with its compression`, () => {
    const result = debData(deb(VERSION, ["control.tar.xz", "c"], [member, "content"]));

    assert(result.ok);
    assert.equal(result.value.compression, compression);
    assert.equal(new TextDecoder().decode(result.value.bytes), "content");
  });
}

test("an archive of another kind is refused", () => {
  const result = debData(deb(["debian-binary", "3.0\n"], ["data.tar", ""]));

  assert(!result.ok);
  assert.match(result.error.message, /no Debian package of format 2/);
});

test("a package whose data cannot be read names its members", () => {
  const result = debData(deb(VERSION, ["control.tar.gz", ""], ["data.tar.lzma", ""]));

  assert(!result.ok);
  assert.match(result.error.message, /it has: debian-binary, control.tar.gz, data.tar.lzma/);
});
