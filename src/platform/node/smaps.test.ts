import assert from "node:assert/strict";
import { test } from "node:test";

import { mappingSizeBytes, parseSmaps } from "./smaps.ts";

const TEXT = `0082e000-03489000 r-xp 0042e000 fe:00 5316624                            /opt/a program/node
Size:              45420 kB
Rss:               28580 kB
Anonymous:             4 kB
VmFlags: rd ex mr mw me
7fe700000000-7fe714000000 rw-p 00000000 00:00 0 
Size:             327680 kB
Rss:               89748 kB
Anonymous:         89748 kB
`;

test("mappings come with their range, permissions, path and what is resident", () => {
  const [program, memory, ...others] = parseSmaps(TEXT);
  assert.ok(program !== undefined && memory !== undefined);
  assert.equal(others.length, 0);
  assert.deepEqual(
    [program.path, program.permissions, program.residentBytes, program.anonymousBytes],
    ["/opt/a program/node", "r-xp", 28580 * 1024, 4096],
  );
  assert.deepEqual([memory.path, memory.start], ["", 0x7fe700000000n]);
  assert.equal(mappingSizeBytes(memory), 320 * 1024 * 1024);
});
