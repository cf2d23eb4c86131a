import assert from "node:assert/strict";
import { test } from "node:test";
import { SHARES_MAX } from "../machine/index.ts";
import { shareSetting } from "./share-settings.ts";

test("a folder is shared read-only unless it is said to be writable, as text and as an object", () => {
  const folder = "/srv/a,b";
  assert.deepEqual(shareSetting.parse(["/srv/a,,b,tag=one", "/x,tag=2,writable", "/x,tag=3,readonly"]), {
    ok: true,
    value: [
      { folder, tag: "one", isReadOnly: true },
      { folder: "/x", tag: "2", isReadOnly: false },
      { folder: "/x", tag: "3", isReadOnly: true },
    ],
  });
  const object = { folder, tag: "one", writable: true };
  assert.deepEqual(shareSetting.parse(object), {
    ok: true,
    value: [{ folder, tag: "one", isReadOnly: false }],
  });
});

for (const [given, problem] of [
  ["", "must name a folder"],
  [5, "must name a folder"],
  ["/x", /must have a tag of up to 32/],
  ["/x,tag=", /must have a tag/],
  ["/x,tag=a/b", /must have a tag/],
  [`/x,tag=${"t".repeat(33)}`, /must have a tag/],
  ["/x,tag=a,rw", /knows no "rw"/],
  ["/x,tag=a,readonly,writable", /cannot be readonly and writable/],
  ["/x,tag=a,writable=yes", /without a value/],
  [["/x,tag=a", "/y,tag=a"], /has the tag a twice/],
  [Array.from({ length: SHARES_MAX + 1 }, (_, index) => `/x,tag=${index}`), /at most 8 times/],
] as const) {
  test(`refused: ${JSON.stringify(given).slice(0, 50)}`, () => {
    const parsed = shareSetting.parse(given);
    assert.ok(!parsed.ok);
    assert.match(parsed.error.problem, new RegExp(problem));
  });
}

test("as many folders as SHARES_MAX, and a tag as long as it may be", () => {
  const tags = Array.from({ length: SHARES_MAX }, (_, index) => `${index}${"t".repeat(31)}`);
  const parsed = shareSetting.parse(tags.map((tag) => `/x,tag=${tag}`));
  assert.deepEqual(parsed.ok && parsed.value.map(({ tag }) => tag), tags);
});
