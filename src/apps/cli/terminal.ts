/**
 * The terminal while a guest or the dashboard owns it: keys arrive as they are pressed, and whatever happens (an
 * exception, a signal, the end of the guest) it is left as it was found.
 */

import { releasable } from "../../base/index.ts";
import type { Releasable } from "../../base/index.ts";

/** Attributes off, cursor visible, cursor keys and mouse as usual, no bracketed paste, the normal screen. */
const AFTER_A_GUEST = "\x1b[0m\x1b[?25h\x1b[?1l\x1b>\x1b[?1000l\x1b[?1002l\x1b[?1006l\x1b[?2004l\x1b[?1049l";

/** Puts standard input into raw mode until released, or until the process exits. Does nothing without a terminal. */
export function rawTerminal(restoreText = AFTER_A_GUEST): Releasable {
  const { stdin, stdout } = process;
  if (!stdin.isTTY) return releasable(() => undefined);
  stdin.setRawMode(true);
  const restore = releasable(() => {
    process.off("exit", onExit);
    stdin.setRawMode(false);
    if (stdout.isTTY) stdout.write(restoreText);
  });
  const onExit = (): void => restore.release();
  process.on("exit", onExit);
  return restore;
}
