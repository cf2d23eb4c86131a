import assert from "node:assert/strict";
import { test } from "node:test";

import { EscapeKeys, runEscapeCommand } from "./escape-keys.ts";

/** What becomes of keys that arrive in these chunks. */
function receive(...chunks: readonly string[]): { readonly input: string; readonly commands: string } {
  let input = "";
  let commands = "";
  const keys = new EscapeKeys({
    input: (bytes) => (input += new TextDecoder().decode(bytes)),
    command: (letter) => (commands += letter),
  });
  for (const chunk of chunks) keys.receive(new TextEncoder().encode(chunk));
  return { input, commands };
}

test("everything but the escape key is for the guest", () => {
  assert.deepEqual(receive("ls -l\r", "\x03\x1b[A"), { input: "ls -l\r\x03\x1b[A", commands: "" });
});

test("the letter after the escape key is a command, wherever the chunks end", () => {
  assert.deepEqual(receive("ab\x1dqcd"), { input: "abcd", commands: "q" });
  assert.deepEqual(receive("ab\x1d", "Qcd"), { input: "abcd", commands: "q" });
  assert.deepEqual(receive("\x1dq\x1dp"), { input: "", commands: "qp" });
});

test("the escape key twice sends one to the guest", () => {
  assert.deepEqual(receive("a\x1d\x1db"), { input: "a\x1db", commands: "" });
  assert.deepEqual(receive("a\x1d", "\x1d", "\x1dq"), { input: "a\x1d", commands: "q" });
});

test("letters that mean something do it, and others tell which those are", () => {
  const done: string[] = [];
  const commands = {
    c: () => done.push("picture"),
    q: () => done.push("quit"),
    p: () => done.push("power"),
    s: () => done.push("sleep"),
    help: () => done.push("help"),
  };
  for (const letter of "pxsqc") runEscapeCommand(commands, letter);
  assert.deepEqual(done, ["power", "help", "sleep", "quit", "picture"]);
});
