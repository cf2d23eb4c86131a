import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { spawnScriptedVm, testFolder } from "../testing.ts";
import { runCli } from "./program.ts";

const command = fileURLToPath(new URL("testing.ts", import.meta.url));
const folder = testFolder();
after(() => folder[Symbol.dispose]());
// For what this process runs itself.
process.env["XDG_RUNTIME_DIR"] = folder.path;

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(args: readonly string[]) {
  const child = spawn(process.execPath, [command, ...args], {
    env: {
      ...process.env,
      XDG_STATE_HOME: folder.path,
      XDG_CACHE_HOME: folder.path,
      XDG_RUNTIME_DIR: folder.path,
    },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = once(child, "close").then(([status]: unknown[]): Ran => {
    assert.ok(typeof status === "number" || status === null);
    return { status, stdout, stderr };
  });
  return { child, ended, stdout: () => stdout };
}

async function typevisor(...args: readonly string[]): Promise<Ran> {
  const { child, ended } = start(args);
  child.stdin.end();
  return await ended;
}

const run = (script: string, ...args: readonly string[]): Promise<Ran> =>
  typevisor("run", "--kernel", folder.kernel, "--append", script, ...args);

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await setTimeout(5);
}

test("a guest that powers off gives 0, and its output is on standard output", async () => {
  assert.deepEqual(await run("say:hello| poweroff"), { status: 0, stdout: "hello\r\n", stderr: "" });
});

test("a triple fault gives 3 and a dump", async () => {
  const { status, stderr } = await run("crash", "--name", "fragile");
  assert.equal(status, 3);
  assert.match(stderr, /^typevisor: The VM fragile crashed \(triple fault\)\.\n/);
  assert.match(stderr, / rip 0000000000100000/);
  assert.match(stderr, /<02> b0 ad 1b/);
  assert.match(stderr, /last exit: shutdown/);
});

test("a timeout gives 124", async () => {
  const { status, stderr } = await run("spin", "--timeout", "0.3");
  assert.equal(status, 124);
  assert.equal(stderr, "typevisor: The VM vm was ended after its timeout of 0.3 s.\n");
});

test("isa-debug-exit gives (value << 1) | 1, and nothing is said about it", async () => {
  const { status, stderr } = await run("exit:16", "--device", "isa-debug-exit");
  assert.deepEqual({ status, stderr }, { status: 33, stderr: "" });
});

test("a bug of ours gives 1, and a report with registers, last exit and code bytes", async () => {
  const { status, stderr } = await run("say:x bug", "--name", "unlucky");
  assert.equal(status, 1);
  assert.match(stderr, /^typevisor: The VM unlucky was stopped by a bug in Typevisor\.\n/);
  const reports = join(folder.path, "typevisor", "crashes");
  const [file = ""] = readdirSync(reports).filter((name) => name.startsWith("unlucky-"));
  const report = readFileSync(join(reports, file), "utf8");
  for (const expected of [
    /a bug for the test/,
    / rip 0000000000100000/,
    /last exit: slice/,
    /<02> b0 ad 1b/,
  ]) {
    assert.match(report, expected);
  }
  assert.ok(stderr.includes(`A report is in ${join(reports, file)}.`));
});

test("a VM process that dies gives 1 and its last words", async () => {
  const { status, stderr } = await run("abort");
  assert.equal(status, 1);
  assert.match(
    stderr,
    /^typevisor: The VM vm lost its process, which ended by SIGKILL\.\nlast words of the process\n/,
  );
});

test("a VM process that breaks the protocol is killed", async () => {
  const { status, stderr } = await run("nonsense");
  assert.equal(status, 1);
  assert.match(stderr, /was killed because its process sent what no VM of Typevisor sends/);
});

test("input from a pipe reaches the guest, and its end does not end the VM", async () => {
  const { child, ended } = start(["run", "--kernel", folder.kernel, "--append", "shell"]);
  child.stdin.end("one\ntwo\npoweroff\n");
  const { status, stdout } = await ended;
  assert.deepEqual(
    { status, stdout },
    { status: 0, stdout: "you said one\r\nyou said two\r\nyou said poweroff\r\n" },
  );
});

test("more input than fits anywhere arrives whole", async () => {
  const { child, ended } = start(["run", "--kernel", folder.kernel, "--append", "shell"]);
  child.stdin.end(`${"x".repeat(70_000)}\npoweroff\n`);
  const { status, stdout, stderr } = await ended;
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  assert.match(stdout, /^you said x{70000}\r\nyou said poweroff\r\n$/);
});

test("a signal stops the VM and gives 128 and its number", async () => {
  const { child, ended, stdout } = start(["run", "--kernel", folder.kernel, "--append", "say:up spin"]);
  await until(() => stdout().includes("up"));
  child.kill("SIGTERM");
  assert.equal((await ended).status, 128 + 15);
});

test("a reader of the output that goes away stops the VM", async () => {
  const { child, ended, stdout } = start(["run", "--kernel", folder.kernel, "--append", "say:up flood"]);
  await until(() => stdout().includes("up"));
  child.stdout.destroy();
  assert.equal((await ended).status, 0);
});

test("the serial port can go to a file, or nowhere", async () => {
  const path = join(folder.path, "serial.log");
  assert.deepEqual(await run("say:hello poweroff", "--serial", `file:${path}`), {
    status: 0,
    stdout: "",
    stderr: "",
  });
  assert.equal(readFileSync(path, "utf8"), "hello");
  assert.deepEqual(await run("say:hello poweroff", "--serial", "none"), {
    status: 0,
    stdout: "",
    stderr: "",
  });
});

test("further serial ports and the printer go where their options say", async () => {
  const paths = ["com1", "com2", "lpt1"].map((name) => join(folder.path, `${name}.log`));
  const [first = "", second = "", printer = ""] = paths;
  const options = [
    "--serial",
    `file:${first}`,
    "--serial",
    `file:${second}`,
    "--parallel",
    `file:${printer}`,
  ];
  const ran = await run("say:one second:two print:page poweroff", ...options);
  assert.deepEqual(ran, { status: 0, stdout: "", stderr: "" });
  assert.deepEqual(
    paths.map((path) => readFileSync(path, "utf8")),
    ["one", "two", "page"],
  );
});

test("a serial port waits for connections to a socket", async () => {
  const path = join(folder.path, "com2.socket");
  const script = ["run", "--kernel", folder.kernel, "--append", "shell"];
  const { child, ended } = start([...script, "--serial", "stdio", "--serial", `unix:${path}`]);
  await until(() => existsSync(path));
  const socket = connect(path);
  socket.write("echo");
  const heard = await once(socket, "data").then(([chunk]: unknown[]) => String(chunk));
  assert.equal(heard, "echo");
  socket.destroy();
  child.stdin.end("poweroff\n");
  assert.deepEqual(await ended, { status: 0, stdout: "you said poweroff\r\n", stderr: "" });
});

test("what a VM learns of its kernel's code is there for the next one with that kernel, unless that is not wanted", async () => {
  const kernel = join(folder.path, "learnt");
  writeFileSync(kernel, readFileSync(folder.kernel).with(4095, 1));
  const profiles = join(folder.path, "typevisor", "profiles");
  const said = async (script: string, ...args: string[]): Promise<string> =>
    (await typevisor("run", "--kernel", kernel, "--append", `known ${script} poweroff`, ...args)).stdout;
  assert.equal(await said("learns:7"), "learn");
  assert.equal(await said(""), "7 hot blocks");
  assert.equal(await said("", "--profile", "off"), "nothing");
  assert.equal(await said("", "--tier", "interpreter"), "nothing");
  assert.equal((await run("known poweroff")).stdout, "learn");
  // Damaged: ignored, and replaced.
  const [file = ""] = readdirSync(profiles);
  writeFileSync(join(profiles, file), "nonsense");
  assert.equal(await said("learns:3"), "learn");
  assert.equal(await said("unfit"), "3 hot blocks");
  assert.deepEqual(readdirSync(profiles), []);
});

test("--stats says what the VM has done, on standard error", async () => {
  const { status, stdout, stderr } = await run("say:hello poweroff", "--stats");
  assert.deepEqual({ status, stdout }, { status: 0, stdout: "hello" });
  for (const name of [
    "wall time",
    "guest time",
    "instructions",
    "interpreted",
    "compiled",
    "code cache",
    "regions compiled",
    "installed",
    "profile of an earlier run",
    "regions put off",
    "memory, estimated",
    "stops for translation",
    "stops for compilation",
    "exits: halt",
    "peak memory",
  ]) {
    assert.match(stderr, new RegExp(`^ *${name}  `, "m"));
  }
});

test("--stats --format json is one JSON object", async () => {
  const { stderr } = await run("poweroff", "--stats", "--format", "json");
  const figures: unknown = JSON.parse(stderr);
  assert.ok(typeof figures === "object" && figures !== null && "instructions" in figures);
  assert.equal(figures.instructions, 1000);
});

// Everything that can be wrong before a guest starts.
const text = join(folder.path, "text");
writeFileSync(text, "This is not a kernel.\n".repeat(100));
const truncated = join(folder.path, "truncated");
writeFileSync(truncated, readFileSync(folder.kernel).subarray(0, 8));
const empty = join(folder.path, "empty");
writeFileSync(empty, "");
const missing = join(folder.path, "missing");
const image = join(folder.path, "image");
writeFileSync(image, new Uint8Array(4096));

const refusals: readonly [what: string, args: readonly string[], stderr: RegExp][] = [
  [
    "no kernel",
    ["run"],
    /^typevisor: The option --kernel is missing, and there is no drive to start a system from\.$/,
  ],
  [
    "a ring that there is not",
    ["run", "--kernel", folder.kernel, "--virtio-ring", "token"],
    /^typevisor: The option --virtio-ring must be one of split, packed; "token" is not\.$/,
  ],
  ["a missing kernel", ["run", "--kernel", missing], /^typevisor: The kernel .*missing does not exist\.$/],
  [
    "a folder as kernel",
    ["run", "--kernel", folder.path],
    /^typevisor: The kernel .* is a folder, not a file\.$/,
  ],
  [
    "a text as kernel",
    ["run", "--kernel", text],
    /^typevisor: .*text is not a kernel: it is no Linux bzImage, no ELF file and no multiboot image\.$/,
  ],
  ["an empty kernel", ["run", "--kernel", empty], /^typevisor: .*empty is empty\.$/],
  ["a truncated kernel", ["run", "--kernel", truncated], /^typevisor: .*truncated .*\.$/],
  [
    "a missing initrd",
    ["run", "--kernel", folder.kernel, "--initrd", missing],
    /^typevisor: The initrd .*missing does not exist\.$/,
  ],
  [
    "too little memory",
    ["run", "--kernel", folder.kernel, "--memory", "1M"],
    /^typevisor: The option --memory must be between 2 and 3072 MiB; "1M" is not\.$/,
  ],
  [
    "memory that is no size",
    ["run", "--kernel", folder.kernel, "--memory", "lots"],
    /^typevisor: The option --memory must be a size like 256M or 1G; "lots" is none\.$/,
  ],
  [
    "a name of its own",
    ["run", "--kernel", folder.kernel, "--name", "../x"],
    /^typevisor: The option --name must be up to 64 letters, .*; "\.\.\/x" is not\.$/,
  ],
  [
    "an unknown tier",
    ["run", "--kernel", folder.kernel, "--tier", "fast"],
    /^typevisor: The option --tier must be one of auto, interpreter; "fast" is not\.$/,
  ],
  [
    "a timeout of nothing",
    ["run", "--kernel", folder.kernel, "--timeout", "0"],
    /^typevisor: The option --timeout must be a number of seconds above 0 .*; "0" is not\.$/,
  ],
  [
    "an unknown device",
    ["run", "--kernel", folder.kernel, "--device", "laser"],
    /^typevisor: The option --device must be one of isa-debug-exit, isa-debugcon, virtio-rng, virtio-console, virtio-balloon, i6300esb, isa-parallel; "laser" is not\.$/,
  ],
  [
    "a missing disk",
    ["run", "--kernel", folder.kernel, "--disk", missing],
    /^typevisor: The disk .*missing does not exist\.$/,
  ],
  [
    "a disk of part of a sector",
    ["run", "--kernel", folder.kernel, "--disk", text],
    /^typevisor: The disk .*text has 2200 bytes, which is not a multiple of 512: it is no raw disk image\.$/,
  ],
  [
    "a disk given twice",
    ["run", "--kernel", folder.kernel, "--disk", image, "--disk", `${image},readonly`],
    /^typevisor: The disk .*image is written by another VM, or read by 16 already\.$/,
  ],
  [
    "a disk on a bus that does not exist",
    ["run", "--kernel", folder.kernel, "--disk", `${image},bus=scsi`],
    /^typevisor: The option --disk for .*image must have bus=nvme.*\.$/,
  ],
  [
    "an unknown place for the serial port",
    ["run", "--kernel", folder.kernel, "--serial", "usb"],
    /^typevisor: The option --serial must be stdio, file:PATH, tcp:HOST:PORT, unix:PATH or none; "usb" is not\.$/,
  ],
  [
    "a terminal for two serial ports",
    ["run", "--kernel", folder.kernel, "--serial", "stdio", "--serial", "stdio"],
    /^typevisor: The option --serial may be stdio for one serial port only\.$/,
  ],
  [
    "a fifth serial port",
    ["run", "--kernel", folder.kernel, ...["1", "2", "3", "4", "5"].flatMap(() => ["--serial", "none"])],
    /^typevisor: The option --serial may be given once for each serial port\.$/,
  ],
  [
    "more serial ports than a PC has",
    ["run", "--kernel", folder.kernel, "--serial-ports", "5"],
    /^typevisor: The option --serial-ports must be a number from 1 to 4; "5" is not\.$/,
  ],
  [
    "a port that is none",
    ["run", "--kernel", folder.kernel, "--serial", "tcp:localhost:65536"],
    /^typevisor: The option --serial must be .*; "tcp:localhost:65536" is not\.$/,
  ],
  [
    "a printer on the terminal",
    ["run", "--kernel", folder.kernel, "--parallel", "stdio"],
    /^typevisor: The option --parallel must be file:PATH or none; "stdio" is not\.$/,
  ],
  [
    "a serial file in no folder",
    ["run", "--kernel", folder.kernel, "--serial", `file:${missing}/log`],
    /^typevisor: The file .*log for the serial port cannot be written: .*\.$/,
  ],
  [
    "an unknown display",
    ["run", "--kernel", folder.kernel, "--display", "window"],
    /^typevisor: The option --display must be none, text or vnc; "window" is not\.$/,
  ],
  [
    "VNC at a name",
    ["run", "--kernel", folder.kernel, "--display", "vnc:localhost:0"],
    /^typevisor: The option --display must be vnc, vnc:PORT, .*; "vnc:localhost:0" is not\.$/,
  ],
  [
    "VNC for everybody without a password",
    ["run", "--kernel", folder.kernel, "--display", "vnc:0.0.0.0:0"],
    /^typevisor: VNC at 0\.0\.0\.0, which other hosts reach, needs a password\.$/,
  ],
  [
    "a missing password file",
    ["run", "--kernel", folder.kernel, "--display", "vnc", "--vnc-password-file", missing],
    /^typevisor: The file .*missing with the password for VNC cannot be read: ENOENT.*\.$/,
  ],
  [
    "a password without VNC",
    ["run", "--kernel", folder.kernel, "--vnc-password-file", missing],
    /^typevisor: The option --vnc-password-file needs --display vnc\.$/,
  ],
  [
    "an unknown option",
    ["run", "--kernal", folder.kernel],
    /^typevisor: unknown option '--kernal'\n\(Did you mean --kernel\?\)$/,
  ],
  [
    "an option without its value",
    ["run", "--kernel"],
    /^typevisor: option '--kernel <FILE>' argument missing$/,
  ],
  ["an argument too many", ["run", "--kernel", folder.kernel, "more"], /^typevisor: too many arguments/],
  [
    "an unknown format",
    ["run", "--format", "xml"],
    /^typevisor: option '--format <FORMAT>' argument 'xml' is invalid/,
  ],
  ["an unknown command", ["rnu"], /^typevisor: unknown command 'rnu'\n\(Did you mean run\?\)$/],
];

for (const [what, args, expected] of refusals) {
  test(`refused with one sentence: ${what}`, async (t) => {
    const written: string[] = [];
    t.mock.method(process.stderr, "write", (chunk: string) => written.push(chunk) > 0);
    const status = await runCli(args, { spawn: spawnScriptedVm });
    assert.match(written.join("").trimEnd(), expected);
    assert.equal(status, 1);
  });
}

test("--help and --version go to standard output and give 0; no command at all gives the help and 1", async () => {
  const help = await typevisor("--help");
  assert.equal(help.status, 0);
  assert.match(help.stdout, /Commands:\n +run /);
  const version = await typevisor("--version");
  assert.deepEqual({ status: version.status, stderr: version.stderr }, { status: 0, stderr: "" });
  assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
  const nothing = await typevisor();
  assert.equal(nothing.status, 1);
  assert.match(nothing.stderr, /^Usage: typevisor/);
});
