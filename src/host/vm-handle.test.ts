import assert from "node:assert/strict";
import { test } from "node:test";

import { MiB, NS_PER_S, unwrap } from "../base/index.ts";
import { parseVmDefinition, SERIAL_INPUT_MAX_BYTES, SERIAL_OUTPUT_WINDOW_BYTES } from "../vmm/index.ts";
import { SimulatedScheduling } from "../vmm/testing.ts";
import {
  ANSWER_TIMEOUT_SECONDS,
  SERIAL_CONFIRMED_TOGETHER_BYTES,
  SERIAL_HISTORY_BYTES,
  VmHandle,
} from "./index.ts";
import type { ProcessEnding, ToVmMessage, VmProcessLink } from "./index.ts";
import { SAMPLE } from "./testing.ts";

/** A VM's process that does what the test says. */
class ScriptedLink implements VmProcessLink {
  readonly pid = 4711;
  readonly sent: ToVmMessage[] = [];
  isKilled = false;
  #listeners: Parameters<VmProcessLink["listen"]>[0] | undefined;

  send(message: ToVmMessage): void {
    this.sent.push(message);
  }

  kill(): void {
    this.isKilled = true;
    this.end({ exitCode: undefined, signal: "SIGKILL", lastWords: "" });
  }

  listen(listeners: Parameters<VmProcessLink["listen"]>[0]): void {
    this.#listeners = listeners;
  }

  says(message: unknown): void {
    this.#listeners?.message(message);
  }

  end(ending: ProcessEnding): void {
    this.#listeners?.ended(ending);
  }

  /** Answers the newest command. */
  reply(error?: { code: string; message: string }): void {
    const command = this.sent.findLast((message) => message.kind === "command");
    assert.ok(command?.kind === "command");
    this.says({ kind: "reply", id: command.id, error });
  }
}

const turn = async (): Promise<void> => {
  for (let i = 0; i < 10; i++) await Promise.resolve();
};

async function handleOf(timeout?: number) {
  const link = new ScriptedLink();
  const scheduling = new SimulatedScheduling();
  const definition = unwrap(parseVmDefinition({ kernel: "k", memory: 4 * MiB, timeout }));
  const creating = VmHandle.create({ definition, link, scheduling });
  link.says({ kind: "created" });
  return { link, scheduling, vm: unwrap(await creating) };
}

test("a refused definition and a process that dies at once are told apart", async () => {
  const definition = unwrap(parseVmDefinition({ kernel: "k" }));
  const scheduling = new SimulatedScheduling();
  const refusing = new ScriptedLink();
  const refused = VmHandle.create({ definition, link: refusing, scheduling });
  refusing.says({ kind: "refused", error: { code: "not-a-kernel", message: "k is not a kernel." } });
  assert.deepEqual(await refused, {
    ok: false,
    error: { code: "not-a-kernel", message: "k is not a kernel." },
  });

  const dying = new ScriptedLink();
  const died = VmHandle.create({ definition, link: dying, scheduling });
  dying.end({
    exitCode: 1,
    signal: undefined,
    lastWords: "file:1\nSyntaxError: no such export\n at x\nNode.js v26\n",
  });
  const result = await died;
  assert.ok(!result.ok);
  assert.equal(result.error.message, "The VM's process could not be started: SyntaxError: no such export.");
});

test("a process that does not answer to create is killed", async () => {
  const definition = unwrap(parseVmDefinition({ kernel: "k", name: "mute" }));
  const scheduling = new SimulatedScheduling();
  const link = new ScriptedLink();
  const creating = VmHandle.create({ definition, link, scheduling });
  await scheduling.run((ANSWER_TIMEOUT_SECONDS - 1) * NS_PER_S);
  assert.equal(link.isKilled, false);
  await scheduling.run(NS_PER_S);
  assert.equal(link.isKilled, true);
  assert.deepEqual(await creating, {
    ok: false,
    error: {
      code: "process-died",
      message: "The process of the VM mute was killed: it did not answer for 60 s.",
    },
  });
});

for (const command of ["start", "pause", "resume", "reset"] as const) {
  test(`a process that does not answer to ${command} is killed`, async () => {
    const { vm, link, scheduling } = await handleOf();
    const commanding = vm[command]();
    await scheduling.run((ANSWER_TIMEOUT_SECONDS - 1) * NS_PER_S);
    assert.equal(link.isKilled, false);
    const rejected = assert.rejects(commanding, { code: "process-died", message: /did not answer for 60 s/ });
    await scheduling.run(NS_PER_S);
    await rejected;
    assert.deepEqual((await vm.ended).outcome, { kind: "process-silent", seconds: 60 });
  });
}

test("a process that does not answer to measure is killed", async () => {
  const { vm, link, scheduling } = await handleOf();
  const measuring = vm.measure();
  await scheduling.run(ANSWER_TIMEOUT_SECONDS * NS_PER_S);
  assert.equal(link.isKilled, true);
  assert.equal(await measuring, undefined);
});

test("an answer ends the wait for it", async () => {
  const { vm, link, scheduling } = await handleOf();
  const starting = vm.start();
  link.reply();
  await starting;
  await scheduling.run(2 * ANSWER_TIMEOUT_SECONDS * NS_PER_S);
  assert.equal(link.isKilled, false);
});

test("a process that stays after its VM has ended is killed", async () => {
  const { vm, link, scheduling } = await handleOf();
  link.says({ kind: "ended", outcome: { kind: "powered-off" }, sample: SAMPLE });
  assert.deepEqual((await vm.ended).outcome, { kind: "powered-off" });
  assert.equal(link.isKilled, false);
  await scheduling.run(4 * NS_PER_S);
  assert.equal(link.isKilled, true);
});

test("a process that stays after it has refused the VM is killed", async () => {
  const definition = unwrap(parseVmDefinition({ kernel: "k" }));
  const scheduling = new SimulatedScheduling();
  const link = new ScriptedLink();
  const creating = VmHandle.create({ definition, link, scheduling });
  link.says({ kind: "refused", error: { code: "not-a-kernel", message: "k is not a kernel." } });
  await creating;
  await scheduling.run(4 * NS_PER_S);
  assert.equal(link.isKilled, true);
});

test("a command resolves with its own reply and rejects with the child's error", async () => {
  const { vm, link } = await handleOf();
  const starting = vm.start();
  link.says({ kind: "state", state: "running" });
  link.reply();
  await starting;
  assert.equal(vm.state, "running");
  const pausing = vm.pause();
  link.reply({ code: "wrong-state", message: "It is paused." });
  await assert.rejects(pausing, { code: "wrong-state", message: "It is paused." });
});

test("a process that dies ends the VM, and settles everything that waited for it", async () => {
  const { vm, link } = await handleOf();
  const pausing = vm.pause();
  const measuring = vm.measure();
  link.end({ exitCode: undefined, signal: "SIGSEGV", lastWords: "boom" });
  await assert.rejects(pausing, { code: "wrong-state" });
  assert.equal(await measuring, undefined);
  const { outcome } = await vm.ended;
  assert.deepEqual(outcome, {
    kind: "process-died",
    ending: { exitCode: undefined, signal: "SIGSEGV", lastWords: "boom" },
  });
  await assert.rejects(vm.resume(), /has ended/);
  assert.deepEqual((await vm.stop()).outcome.kind, "process-died");
});

test("what is no message of the protocol kills the process", async () => {
  const { vm, link } = await handleOf();
  link.says({ kind: "serialOutput", connector: "com1", bytes: 7 });
  assert.equal(link.isKilled, true);
  assert.deepEqual((await vm.ended).outcome, { kind: "process-hostile" });
});

test("what the VM says about its kernel's code is heard once; who says it again is killed", async () => {
  const { vm, link } = await handleOf();
  const heard: unknown[] = [];
  vm.codeProfiles.add((found) => heard.push(found));
  const found = { hot: Uint32Array.of(1), lukewarm: Uint32Array.of(2, 3) };
  link.says({ kind: "codeProfile", found });
  assert.deepEqual(heard, [found]);
  assert.equal(link.isKilled, false);
  link.says({ kind: "codeProfile", found: "unfit" });
  assert.deepEqual(heard, [found]);
  assert.deepEqual((await vm.ended).outcome, { kind: "process-hostile" });
});

test("output beyond its window kills the process", async () => {
  const { vm, link } = await handleOf();
  vm.serial.listen(() => new Promise<void>(() => {}));
  link.says({ kind: "serialOutput", connector: "com1", bytes: new Uint8Array(SERIAL_OUTPUT_WINDOW_BYTES) });
  assert.equal(link.isKilled, false);
  link.says({ kind: "serialOutput", connector: "com1", bytes: new Uint8Array(1) });
  assert.deepEqual((await vm.ended).outcome, { kind: "process-hostile" });
});

test("output at a connector that the VM does not have kills the process", async () => {
  const { vm, link } = await handleOf();
  assert.equal(vm.console("com2"), undefined);
  link.says({ kind: "serialOutput", connector: "com2", bytes: new Uint8Array(1) });
  assert.deepEqual((await vm.ended).outcome, { kind: "process-hostile" });
});

test("a child that is late with its own timeout is killed", async () => {
  const { vm, link, scheduling } = await handleOf(10);
  const starting = vm.start();
  link.reply();
  await starting;
  await scheduling.run(14 * NS_PER_S);
  assert.equal(link.isKilled, false);
  await scheduling.run(2 * NS_PER_S);
  assert.deepEqual((await vm.ended).outcome, { kind: "timeout", seconds: 10 });
});

test("a child that does not stop is killed", async () => {
  const { vm, link, scheduling } = await handleOf();
  const stopping = vm.stop();
  await scheduling.run(4 * NS_PER_S);
  assert.equal(link.isKilled, true);
  // The reply that never came does not keep stop() waiting.
  assert.deepEqual((await stopping).outcome, { kind: "stopped" });
});

test("output is confirmed when the slowest listener has taken it, and remembered up to a limit", async () => {
  const { vm, link } = await handleOf();
  const confirmedTogether = "x".repeat(SERIAL_CONFIRMED_TOGETHER_BYTES - 5) + "hello";
  let taken = (): void => undefined;
  const listening = vm.serial.listen(
    () =>
      new Promise<void>((resolve) => {
        taken = resolve;
      }),
  );
  link.says({ kind: "serialOutput", connector: "com1", bytes: new TextEncoder().encode(confirmedTogether) });
  await turn();
  assert.ok(!link.sent.some((message) => message.kind === "serialConsumed"));
  taken();
  await turn();
  assert.deepEqual(link.sent.at(-1), {
    kind: "serialConsumed",
    connector: "com1",
    byteCount: SERIAL_CONFIRMED_TOGETHER_BYTES,
  });
  listening.release();
  link.says({
    kind: "serialOutput",
    connector: "com1",
    bytes: new Uint8Array(SERIAL_HISTORY_BYTES).fill(0x78),
  });
  link.says({ kind: "serialOutput", connector: "com1", bytes: new TextEncoder().encode("end") });
  await turn();
  const history = new TextDecoder().decode(vm.serial.history());
  assert.equal(history.length, SERIAL_HISTORY_BYTES);
  assert.ok(history.endsWith("xend") && !history.includes("hello"));
});

test("small pieces of output are confirmed together, and count as not confirmed until then", async () => {
  const { vm, link } = await handleOf();
  const confirmed = (): number[] =>
    link.sent.filter((message) => message.kind === "serialConsumed").map(({ byteCount }) => byteCount);
  const piece = new Uint8Array(SERIAL_CONFIRMED_TOGETHER_BYTES / 4 + 1);
  for (let i = 0; i < 3; i++) {
    link.says({ kind: "serialOutput", connector: "com1", bytes: piece });
    await turn();
  }
  assert.deepEqual(confirmed(), []);
  assert.equal(vm.serial.unconfirmedCount, 3 * piece.length);
  link.says({ kind: "serialOutput", connector: "com1", bytes: piece });
  await turn();
  assert.deepEqual(confirmed(), [4 * piece.length]);
  assert.equal(vm.serial.unconfirmedCount, 0);
});

test("input beyond the window waits until the guest has taken some, in order", async () => {
  const { vm, link } = await handleOf();
  const inputs = (): number[] =>
    link.sent.filter((message) => message.kind === "serialInput").map(({ bytes }) => bytes.length);
  const writing = vm.serial.write(new Uint8Array(SERIAL_INPUT_MAX_BYTES + 10));
  await turn();
  assert.deepEqual(inputs(), [SERIAL_INPUT_MAX_BYTES]);
  link.says({ kind: "inputTaken", connector: "com1", byteCount: 9 });
  await turn();
  assert.deepEqual(inputs(), [SERIAL_INPUT_MAX_BYTES]);
  link.says({ kind: "inputTaken", connector: "com1", byteCount: 1 });
  await writing;
  assert.deepEqual(inputs(), [SERIAL_INPUT_MAX_BYTES, 10]);
});

const WHITE = {
  width: 1,
  height: 1,
  places: Uint16Array.of(0, 0, 1, 1),
  pixels: new Uint8Array(4).fill(255),
};

test("the screen is asked for when somebody opens it, once for all who do", async () => {
  const { vm, link } = await handleOf();
  const opening = [vm.openScreen(), vm.openScreen()];
  await turn();
  const looks = link.sent.filter((message) => message.kind === "lookAtFrame");
  assert.deepEqual(looks, [{ kind: "lookAtFrame", isWhole: true }]);
  link.says({ kind: "frame", update: WHITE });
  const [first, second] = await Promise.all(opening);
  assert.ok(first !== undefined && first === second);
  assert.deepEqual([first.picture.width, first.picture.pixels], [1, Uint32Array.of(0xffff_ffff)]);
});

test("a machine without a screen, and a VM that ends, have none to open", async () => {
  const none = await handleOf();
  const opening = none.vm.openScreen();
  await turn();
  none.link.says({ kind: "frame", update: undefined });
  assert.equal(await opening, undefined);
  const ending = await handleOf();
  const waiting = ending.vm.openScreen();
  ending.link.end({ exitCode: 1, signal: undefined, lastWords: "" });
  assert.equal(await waiting, undefined);
  assert.equal(await ending.vm.openScreen(), undefined);
});

test("a process that sends pictures nobody has asked for is killed", async () => {
  const { vm, link } = await handleOf();
  link.says({ kind: "frame", update: WHITE });
  assert.equal((await vm.ended).outcome.kind, "process-hostile");
  assert.equal(link.isKilled, true);
});

test("media are changed by the names of their drives, and what is in them is remembered", async () => {
  const link = new ScriptedLink();
  const definition = unwrap(parseVmDefinition({ kernel: "k", cdrom: ["a.iso", "b.iso"], floppy: "f.img" }));
  const creating = VmHandle.create({ definition, link, scheduling: new SimulatedScheduling() });
  link.says({ kind: "created" });
  const vm = unwrap(await creating);
  const files = (): unknown[] => vm.media.map(({ name, file }) => [name, file]);
  const answer = (error?: { code: string; message: string }): void => {
    const asked = link.sent.findLast((message) => message.kind === "changeMedium");
    link.says({ kind: "reply", id: asked?.id, error });
  };
  const medium = { file: "/c.iso", isReadOnly: true, isTemporary: false };
  const inserting = vm.changeMedium("cdrom1", { kind: "insert", medium });
  answer();
  await inserting;
  const ejecting = vm.changeMedium("floppy", { kind: "eject", isForced: false });
  answer();
  await ejecting;
  const expected = [
    ["cdrom0", "a.iso"],
    ["cdrom1", "/c.iso"],
    ["floppy0", undefined],
  ];
  assert.deepEqual(files(), expected);
  const refused = vm.changeMedium("cdrom0", { kind: "eject", isForced: false });
  answer({ code: "medium-locked", message: "The tray is locked." });
  await assert.rejects(refused, { code: "medium-locked" });
  await assert.rejects(vm.changeMedium("disk0", { kind: "eject", isForced: true }), { code: "no-drive" });
  assert.deepEqual(files(), expected);
});
