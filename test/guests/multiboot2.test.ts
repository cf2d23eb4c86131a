/** A multiboot 2 kernel of our own, in both ELF classes: it prints what its loader has told it. */

import assert from "node:assert/strict";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { startVm } from "../../src/apps/embed/index.ts";
import { runTool, Unavailable } from "../programs/run-tool.ts";
import { BOOT_TIMEOUT_MS, LIMIT } from "./guests.ts";

const SOURCE = fileURLToPath(new URL("multiboot2-kernel.s", import.meta.url));

for (const [bits, format] of [
  [32, "elf_i386"],
  [64, "elf_x86_64"],
] as const) {
  test(`an ELF${bits} kernel is moved to where it may lie and reads its information`, LIMIT, async (t) => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "typevisor-multiboot2-"));
    const file = (name: string): string => join(folder.path, name);
    try {
      await runTool("as", [`--${bits}`, SOURCE, "-o", file("kernel.o")]);
      const place = ["-n", "-Ttext", "0x200000", "--no-warn-rwx-segments"];
      await runTool("ld", ["-m", format, ...place, file("kernel.o"), "-o", file("kernel")]);
    } catch (thrown) {
      if (!(thrown instanceof Unavailable)) throw thrown;
      t.skip(thrown.message);
      return;
    }
    await writeFile(file("hello"), "the module\0");
    await using vm = await startVm({
      ...{ kernel: file("kernel"), append: "some words", module: [`${file("hello")},args=a, b`] },
      ...{ memory: "16M", device: ["isa-debug-exit"], profile: "off" },
    });
    const said = await vm.waitFor(/the module\n/, { timeoutMs: BOOT_TIMEOUT_MS });
    assert.equal((await vm.ended).kind, "debug-exit");
    assert.ok(said.length > 0);
    const all = await vm.waitFor(/^[^]*$/, { timeoutMs: BOOT_TIMEOUT_MS });
    assert.deepEqual(all.trimEnd().split("\n"), [
      `${file("kernel")} some words`,
      "Typevisor",
      "moved",
      `${file("hello")} a, b`,
      "the module",
    ]);
  });
}
