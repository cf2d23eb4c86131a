/** The whole way from the command line to the engine and back, with guests of a few instructions. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

import { MiB } from "../../base/index.ts";
import { smallestKernel } from "../../vmm/testing.ts";

const command = fileURLToPath(new URL("main.ts", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "typevisor-test-"));
after(() => rmSync(folder, { recursive: true }));

/** Runs a guest of these bytes of 32-bit code. */
function run(code: readonly number[], ...args: readonly string[]) {
  const kernel = join(folder, "kernel");
  writeFileSync(kernel, smallestKernel(Uint8Array.from(code)));
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [command, "run", "--kernel", kernel, "--memory", "16M", "--timeout", "30", ...args],
    { encoding: "utf8", input: "", env: { ...process.env, XDG_CACHE_HOME: folder, XDG_RUNTIME_DIR: folder } },
  );
  return { status, stdout, stderr };
}

const HLT = 0xf4;
/** mov dx, PORT; mov al, VALUE; out dx, al */
const outb = (port: number, value: number): number[] => [
  0x66,
  0xba,
  port & 0xff,
  port >> 8,
  0xb0,
  value,
  0xee,
];

test("a guest says something on its serial port and ends with a status", () => {
  const hello = [...Buffer.from("hello\n")].flatMap((byte) => outb(0x3f8, byte));
  assert.deepEqual(run([...hello, ...outb(0xf4, 0x15), HLT], "--device", "isa-debug-exit"), {
    status: 0x2b,
    stdout: "hello\n",
    stderr: "",
  });
});

test("without isa-debug-exit its port is nothing, in either tier", () => {
  for (const tier of ["auto", "interpreter"]) {
    // With the port there it would end with 3.
    const { status, stderr } = run([...outb(0xf4, 1), HLT], "--tier", tier, "--timeout", "0.5");
    assert.equal(status, 124);
    assert.match(stderr, /^typevisor: The VM vm was ended after its timeout of 0\.5 s\.$/m);
  }
});

test("a triple fault ends the VM with 3, and the dump shows the instruction", () => {
  // lidt of an empty table at 0, then ud2
  const { status, stderr } = run([0x0f, 0x01, 0x1d, 0, 0, 0, 0, 0x0f, 0x0b]);
  assert.equal(status, 3);
  assert.match(stderr, /^typevisor: The VM vm crashed \(triple fault\)\.$/m);
  assert.match(stderr, / rip 0000000000100027 /);
  assert.match(stderr, /<0f> 0b/);
});

test("a triple fault resets the machine if it is to, as old systems do on purpose", () => {
  const address = [0, 0, 0x40, 0];
  const bye = [...outb(0x3f8, 0x62), ...outb(0x3f8, 0x79), ...outb(0xf4, 2), HLT];
  const hello = [...outb(0x3f8, 0x68), 0xc7, 0x05, ...address, 0x5a, 0, 0, 0];
  // lidt of an empty table at 0, then ud2
  const fault = [0x0f, 0x01, 0x1d, 0, 0, 0, 0, 0x0f, 0x0b];
  // cmp dword [address], 5ah; je behind the fault; mov dword [address], 5ah
  const code = [0x81, 0x3d, ...address, 0x5a, 0, 0, 0, 0x74, hello.length + fault.length];
  assert.deepEqual(
    run([...code, ...hello, ...fault, ...bye], "--triple-fault", "reset", "--device", "isa-debug-exit"),
    { status: 5, stdout: "hby", stderr: "" },
  );
});

test("ACPI's power-off ends the VM with 0", () => {
  // mov dx, 604h; mov ax, SLP_EN | SLP_TYP 0 (S5); out dx, ax; hlt
  assert.deepEqual(run([0x66, 0xba, 0x04, 0x06, 0x66, 0xb8, 0x00, 0x20, 0x66, 0xef, HLT]), {
    status: 0,
    stdout: "",
    stderr: "",
  });
});

test("a loop is compiled, and the statistics say so", () => {
  // mov ecx, 10,000,000; dec ecx; jnz; then the end
  const loop = [0xb9, 0x80, 0x96, 0x98, 0x00, 0x49, 0x75, 0xfd];
  const { status, stderr } = run(
    [...loop, ...outb(0xf4, 0), HLT],
    "--device",
    "isa-debug-exit",
    "--stats",
    "--format",
    "json",
  );
  assert.equal(status, 1);
  const figures: unknown = JSON.parse(stderr);
  assert.ok(typeof figures === "object" && figures !== null);
  assert.ok("instructions" in figures && Number(figures.instructions) > 20_000_000);
  assert.ok("compiledShare" in figures && Number(figures.compiledShare) > 0.9);
});

test("a second run knows what the first has found worth compiling, and compiles it sooner", () => {
  // mov ecx, 10,000,000; dec ecx; jnz; then the end
  const code = [0xb9, 0x80, 0x96, 0x98, 0x00, 0x49, 0x75, 0xfd, ...outb(0xf4, 1), HLT];
  const options = ["--device", "isa-debug-exit", "--stats", "--format", "json"];
  const figures = (...args: string[]): Record<string, unknown> => {
    const { status, stderr } = run(code, ...options, ...args);
    assert.equal(status, 3);
    const printed: unknown = JSON.parse(stderr);
    assert.ok(typeof printed === "object" && printed !== null);
    return Object.fromEntries(Object.entries(printed));
  };
  assert.equal(figures()["profileBlocks"], 0);
  const second = figures();
  assert.deepEqual([second["profileBlocks"], second["profileBlocksMet"]], [1, 1]);
  const without = figures("--profile", "off");
  assert.equal(without["profileBlocks"], 0);
  assert.equal(second["instructions"], without["instructions"]);
  assert.ok(Number(second["interpretedShare"]) < Number(without["interpretedShare"]) / 5);
});

test("the statistics tell by part what the VM's process has in memory", () => {
  // mov edi, 0x400000; mov ecx, 2048; again: mov [edi], ecx; add edi, 4096; dec ecx; jnz again; then the end
  const touch8Mib = [
    ...[0xbf, 0, 0, 0x40, 0, 0xb9, 0, 8, 0, 0],
    ...[0x89, 0x0f, 0x81, 0xc7, 0, 0x10, 0, 0, 0x49, 0x75, 0xf5],
  ];
  const { status, stderr } = run(
    [...touch8Mib, ...outb(0xf4, 0), HLT],
    ...["--device", "isa-debug-exit", "--stats", "--format", "json"],
  );
  assert.equal(status, 1);
  const figures: unknown = JSON.parse(stderr);
  assert.ok(typeof figures === "object" && figures !== null && "memory" in figures);
  const { memory } = figures;
  assert.ok(
    typeof memory === "object" && memory !== null && "touchedGuestRam" in memory && "resident" in memory,
  );
  const touched = Number(memory.touchedGuestRam);
  assert.ok(touched >= 8 * MiB && touched < 10 * MiB, `${touched}`);
  assert.ok(Number(memory.resident) > touched + 20 * MiB);
});
