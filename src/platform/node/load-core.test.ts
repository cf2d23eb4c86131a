/** The compiled core as a VM's process loads it. */
import assert from "node:assert/strict";
import test from "node:test";
import { unwrap } from "../../base/index.ts";
import { loadCore, warmUpCore } from "./load-core.ts";

test("the interpreter warms up without a VM: it runs blocks and asks the host for nothing", async () => {
  const core = unwrap(await loadCore());

  const blocks = warmUpCore(core);

  assert.equal(blocks, 2000);
});
