import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import type { PackagedFile } from "../../../host/index.ts";
import { debOf, debOfData } from "./testing/debian-doubles.ts";
import { unpackDeb } from "./unpack-deb.ts";

function wanted(path: RegExp, compression: PackagedFile["compression"] = "none"): PackagedFile {
  return { package: { kind: "plain", name: "test-package", architecture: "amd64" }, path, compression };
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("utf8");

// ./greeting, which says "hello from xz", as GNU tar and xz 5.4 made it.
const XZ_TAR = Buffer.from(
  "/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4Cf/AHVdABcLyWfpiTaWEmOkFBINaGHKnbWk6pLwcmWXG8p/kcyb+kCd/ds+AHyg" +
    "J+S3AH+yilbvYhP5A9GaI4i84cR2poepU8rVDsWi9BaIW1GjT7/0lmdMcYO1j+tKrgDqgg4l7Zt9uxzTPyNyqUrWDmSaLxTz" +
    "aiMmAAAAAADdq9ySOZF7QAABkQGAUAAAAKDqqbHEZ/sCAAAAAARZWg==",
  "base64",
);

for (const compression of ["none", "gzip", "zstd"] as const) {
  test(`a file is taken out of a package with data compression ${compression}`, async () => {
    const deb = await debOf([{ path: "bin/hello", data: Buffer.from("hello") }], compression);

    assert.equal(text(await unpackDeb(deb, wanted(/^bin\/hello$/))), "hello");
  });
}

test("a file is taken out of a package that xz made", async () => {
  assert.equal(
    text(await unpackDeb(debOfData("data.tar.xz", XZ_TAR), wanted(/^greeting$/))),
    "hello from xz\n",
  );
});

for (const sizes of [[], [83], [0, 1, 512, 130_000, 0, 3_000_000, 83]]) {
  test(`${sizes.length} files before the wanted one are passed over`, { timeout: 10_000 }, async () => {
    const before = sizes.map((size, index) => ({ path: `lib/${index}`, data: Buffer.alloc(size, "x") }));
    const kernel = Buffer.alloc(3_000_000, "kernel ");
    const deb = await debOf([...before, { path: "boot/kernel", data: kernel }], "none");

    assert.deepEqual(Buffer.from(await unpackDeb(deb, wanted(/^boot\/kernel$/))), kernel);
  });
}

test("a file that the package holds compressed is decompressed", async () => {
  const deb = await debOf([{ path: "boot/mach.gz", data: gzipSync("mach") }]);

  assert.equal(text(await unpackDeb(deb, wanted(/^boot\/mach\.gz$/, "gzip"))), "mach");
});

test("a package without the file says so", async () => {
  const deb = await debOf([{ path: "bin/other", data: Buffer.from("x") }]);

  await assert.rejects(unpackDeb(deb, wanted(/^bin\/hello$/)), {
    code: "archive-damaged",
    message: "package test-package holds no file that matches ^bin\\/hello$",
  });
});

for (const [what, member, data] of [
  ["truncated xz", "data.tar.xz", XZ_TAR.subarray(0, 100)],
  ["damaged gzip", "data.tar.gz", Buffer.from("\x1f\x8b no gzip")],
  ["a truncated tar", "data.tar", Buffer.alloc(700, "x")],
] as const) {
  test(`${what} is an error, not an endless wait`, { timeout: 10_000 }, async () => {
    await assert.rejects(unpackDeb(debOfData(member, data), wanted(/^greeting$/)), {
      code: "archive-damaged",
    });
  });
}
