import assert from "node:assert/strict";
import { test } from "node:test";
import { createInflate } from "node:zlib";

import { createDeflater } from "./deflater.ts";

test("what is deflated can be unpacked piece by piece, as one stream", async () => {
  const deflater = createDeflater();
  const inflate = createInflate();
  const unpacked: Buffer[] = [];
  inflate.on("data", (chunk: Buffer) => unpacked.push(chunk));
  const pieces = [Buffer.alloc(200_000, "a screen"), Buffer.from("x"), Buffer.alloc(50_000, "b")];
  for (const piece of pieces) {
    unpacked.length = 0;
    const packed = await deflater.deflate(piece);
    assert.ok(packed.length < 2000, `${packed.length} bytes`);
    await new Promise<void>((resolve) => {
      inflate.write(packed, () => resolve());
    });
    assert.deepEqual(Buffer.concat(unpacked), piece);
  }
  deflater.close();
});
