/** How help texts are laid out: a short option stands before its description, a long one above it. */

import type { Help, HelpConfiguration } from "commander";

const INDENT = 2;
const DESCRIPTION_INDENT = 22;
const WIDTH_WITHOUT_TERMINAL = 80;
/** Longer lines are hard to read, however wide the terminal is. */
const WIDTH_MAX = 110;
const GAP_MIN = 2;
const DESCRIPTION_WIDTH_MIN = 40;

export const HELP_LAYOUT: HelpConfiguration = {
  formatItem(this: Help, term: string, _termWidth: number, description: string, helper: Help): string {
    const width = Math.min(WIDTH_MAX, helper.helpWidth ?? WIDTH_WITHOUT_TERMINAL);
    const room = Math.max(DESCRIPTION_WIDTH_MIN, width - DESCRIPTION_INDENT);
    const margin = " ".repeat(DESCRIPTION_INDENT);
    const text = helper.boxWrap(description, room).replaceAll("\n", `\n${margin}`);
    const head = `${" ".repeat(INDENT)}${term}`;
    const gap = DESCRIPTION_INDENT - head.length;
    return gap >= GAP_MIN ? `${head}${" ".repeat(gap)}${text}` : `${head}\n${margin}${text}`;
  },
};
