/** A terminal's input as the keys of a PC keyboard: text as it is, and the sequences of keys that make no text. */

import type { KeyInput } from "../../../vmm/index.ts";

/** xterm's sequences (in both cursor key modes) by the key that they stand for. */
const SEQUENCES: readonly (readonly [sequence: string, key: Extract<KeyInput, { kind: "key" }>["key"]])[] = [
  ["\x1b[A", "ArrowUp"],
  ["\x1b[B", "ArrowDown"],
  ["\x1b[C", "ArrowRight"],
  ["\x1b[D", "ArrowLeft"],
  ["\x1bOA", "ArrowUp"],
  ["\x1bOB", "ArrowDown"],
  ["\x1bOC", "ArrowRight"],
  ["\x1bOD", "ArrowLeft"],
  ["\x1b[H", "Home"],
  ["\x1b[F", "End"],
  ["\x1b[2~", "Insert"],
  ["\x1b[3~", "Delete"],
  ["\x1b[5~", "PageUp"],
  ["\x1b[6~", "PageDown"],
  ["\x1bOP", "F1"],
  ["\x1bOQ", "F2"],
  ["\x1bOR", "F3"],
  ["\x1bOS", "F4"],
  ["\x1b[15~", "F5"],
  ["\x1b[17~", "F6"],
  ["\x1b[18~", "F7"],
  ["\x1b[19~", "F8"],
  ["\x1b[20~", "F9"],
  ["\x1b[21~", "F10"],
  ["\x1b[23~", "F11"],
  ["\x1b[24~", "F12"],
];

/** The keys of one chunk of input; terminals send a sequence whole. */
export function keyInputs(chunk: Uint8Array): KeyInput[] {
  let rest = new TextDecoder().decode(chunk);
  const inputs: KeyInput[] = [];
  while (rest !== "") {
    const known = SEQUENCES.find(([sequence]) => rest.startsWith(sequence));
    if (known !== undefined) {
      inputs.push({ kind: "key", key: known[1] });
      rest = rest.slice(known[0].length);
      continue;
    }
    const escape = rest.indexOf("\x1b", 1);
    const end = escape === -1 ? rest.length : escape;
    inputs.push({ kind: "text", text: rest.slice(0, end) });
    rest = rest.slice(end);
  }
  return inputs;
}
