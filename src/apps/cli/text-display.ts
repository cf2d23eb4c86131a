/**
 * `--display text`: the VM's text screen on the whole terminal, and the terminal's keys on the PC's keyboard. Ctrl-] and then
 * a letter is for Typevisor, as on the serial console.
 */

import { ReleaseStack } from "../../base/index.ts";
import type { Releasable } from "../../base/index.ts";
import type { VmHandle } from "../../host/index.ts";
import { keyInputs } from "./demo/key-strokes.ts";
import { lookFor } from "./demo/look.ts";
import { EscapeKeys, runEscapeCommand } from "./escape-keys.ts";
import type { EscapeCommands } from "./escape-keys.ts";
import { ScreenPainter } from "./screen-painter.ts";
import { rawTerminal } from "./terminal.ts";

const SCREEN_EVERY_MS = 50;
/** The alternate screen, empty. */
const TAKE_OVER = "\x1b[?1049h\x1b[2J\x1b[H";

/** How long a sentence stands over the last line. */
const SAYING_MS = 5000;

export interface TextDisplay extends Releasable {
  /** Shows a sentence for a while. */
  say(sentence: string): void;
}

/** Shows the screen until released or until the VM has ended. Commands are called by the letter behind Ctrl-]. */
export function attachTextDisplay(vm: VmHandle, commands: EscapeCommands): TextDisplay {
  const { stdin, stdout } = process;
  const attached = new ReleaseStack();
  const painter = new ScreenPainter(lookFor(process.env), `${vm.name}: Ctrl-] and then q ends it`);
  const keys = new EscapeKeys({
    input: (bytes) => vm.giveInput(keyInputs(bytes)),
    command: (letter) => runEscapeCommand(commands, letter),
  });
  const onData = (chunk: Buffer): void => keys.receive(chunk);
  const onResize = (): void => {
    painter.invalidate();
    painter.paint(vm.screen);
  };
  stdout.write(TAKE_OVER);
  attached.adopt(rawTerminal());
  attached.adopt(vm.screens.add(() => painter.paint(vm.screen)));
  stdin.on("data", onData);
  stdout.on("resize", onResize);
  attached.adopt({
    release() {
      stdin.off("data", onData);
      stdout.off("resize", onResize);
      stdin.pause();
    },
  });
  vm.observe({ sampleEveryMs: undefined, screenEveryMs: SCREEN_EVERY_MS });
  void vm.ended.then(() => attached.release());
  let saying: NodeJS.Timeout | undefined;
  attached.adopt({ release: () => clearTimeout(saying) });
  return {
    say(sentence) {
      const show = (text: string | undefined): void => {
        painter.say(text);
        painter.paint(vm.screen);
      };
      clearTimeout(saying);
      saying = setTimeout(() => show(undefined), SAYING_MS);
      show(sentence);
    },
    release: () => attached.release(),
  };
}
