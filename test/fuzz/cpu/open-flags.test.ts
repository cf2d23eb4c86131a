import assert from "node:assert/strict";
import test from "node:test";
import { AF, CF, OF, PF, SF, ZF } from "../../../src/engine/ir/flags.ts";
import { parseCode } from "../../oracle/index.ts";
import { openFlagsOf } from "./open-flags.ts";

for (const [name, code, expected] of [
  ["BSF leaves all but ZF open", "0f bc c1", { kind: "known", flags: CF | OF | SF | AF | PF }],
  ["ADD behind it closes them", "0f bc c1 01 c8", { kind: "known", flags: 0 }],
  ["SETE may follow it", "0f bc c1 0f 94 c0", { kind: "known", flags: CF | OF | SF | AF | PF }],
  ["SETB may not", "0f bc c1 0f 92 c0", { kind: "dependent" }],
  ["PUSHF may not", "0f bc c1 9c", { kind: "dependent" }],
  ["SHL by 1 leaves AF open", "d1 e0", { kind: "known", flags: AF }],
  ["SHL by 3 leaves OF open as well", "c1 e0 03", { kind: "known", flags: AF | OF }],
  ["SHL by CL may leave anything open", "d3 e0", { kind: "known", flags: CF | OF | SF | ZF | AF | PF }],
  ["of code with branches nothing is known", "74 00", { kind: "unknown" }],
] as const) {
  test(name, () => {
    assert.deepEqual(openFlagsOf(parseCode(code), "long64"), expected);
  });
}
