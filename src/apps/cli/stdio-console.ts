/**
 * A VM's serial console on standard input and output. On a terminal every key goes to the guest except the escape
 * key's commands; from a pipe the guest gets the bytes at the speed at which it takes them, and the end of the pipe
 * is not the end of the VM.
 */

import { once } from "node:events";
import { ReleaseStack } from "../../base/index.ts";
import type { Releasable } from "../../base/index.ts";
import type { SerialConsole } from "../../host/index.ts";
import { EscapeKeys, runEscapeCommand } from "./escape-keys.ts";
import type { EscapeCommands } from "./escape-keys.ts";
import { rawTerminal } from "./terminal.ts";

/**
 * Connects until released; the terminal is given back as soon as the VM has ended. Commands are
 * called by the letter behind Ctrl-], and "q" also when nobody reads the output any more.
 */
export function attachStdio(
  console: SerialConsole,
  ended: Promise<unknown>,
  commands: EscapeCommands,
): Releasable {
  const attached = new ReleaseStack();
  attached.adopt(outputTo(console, process.stdout, commands.q));
  const raw = attached.adopt(rawTerminal());
  attached.adopt(inputFrom(console, process.stdin, commands));
  void ended.then(() => raw.release());
  return attached;
}

/** A console's output to a stream, no faster than it takes it. */
export function outputTo(
  console: SerialConsole,
  stream: NodeJS.WritableStream,
  failed: (error: Error) => void,
): Releasable {
  let isBroken = false;
  const onError = (error: Error): void => {
    isBroken = true;
    failed(error);
  };
  stream.on("error", onError);
  const listening = console.listen((chunk) => {
    if (isBroken || stream.write(chunk)) return undefined;
    return once(stream, "drain").then(
      () => undefined,
      () => undefined,
    );
  });
  return {
    release() {
      listening.release();
      stream.off("error", onError);
    },
  };
}

function inputFrom(console: SerialConsole, stdin: NodeJS.ReadStream, commands: EscapeCommands): Releasable {
  // The handle keeps the order of writes; the stream waits while the guest does not take what it was given.
  const give = (bytes: Uint8Array): void => {
    stdin.pause();
    void console.write(bytes).then(() => stdin.resume());
  };
  const keys = new EscapeKeys({
    input: give,
    command: (letter) => runEscapeCommand(commands, letter),
  });
  const onData = (chunk: Buffer): void => {
    if (stdin.isTTY) keys.receive(chunk);
    else give(chunk);
  };
  stdin.on("data", onData);
  return {
    release() {
      stdin.off("data", onData);
      // A terminal or a pipe that is still open does not keep the process alive while it is not read.
      stdin.pause();
    },
  };
}
