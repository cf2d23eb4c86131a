/**
 * The decoder tool: compares our decoder with iced-x86 on random byte strings in every mode.
 *
 *     npm run decoder -- --strings 1000000 --seed 7
 */
import { compare, modes } from "./iced-comparison.ts";
import { nextString, randomSource, STRING_BYTES } from "./random-bytes.ts";
import { toolOptions } from "../tool-options.ts";

const USAGE = `npm run decoder -- [--strings N] [--seed S]

Random byte strings in three modes, decoded by our decoder and by iced-x86, which must agree.

  --strings N  how many (1000000)
  --seed S     which (1)
`;

const given = toolOptions(USAGE, {
  strings: { type: "string", default: "1000000" },
  seed: { type: "string", default: "1" },
});
const count = Number(given.strings);
const seed = Number(given.seed);
if (!Number.isSafeInteger(count) || count < 1 || !Number.isSafeInteger(seed)) {
  throw new RangeError("--strings takes a number from 1 on, --seed an integer");
}
const SHOWN_MAX = 10;

const random = randomSource(seed);
const bytes = new Uint8Array(STRING_BYTES);
const mnemonics = new Set<string>();
let valid = 0;
let invalid = 0;
let vex = 0;
let differences = 0;
const started = performance.now();
for (let n = 0; n < count; n++) {
  nextString(random, bytes);
  for (const { codeSize, bits } of modes) {
    try {
      const row = compare(bytes, codeSize, bits);
      if (row === undefined) invalid++;
      else {
        valid++;
        mnemonics.add(row.mnemonic);
        if (row.encoding.vex !== undefined) vex++;
      }
    } catch (thrown) {
      if (differences++ < SHOWN_MAX)
        process.stdout.write(`${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
    }
  }
}
const seconds = ((performance.now() - started) / 1000).toFixed(1);
process.stdout.write(
  `${count} strings with seed ${seed}, in ${modes.length} modes: ${valid} valid (${vex} of VEX, ${mnemonics.size} mnemonics), ` +
    `${invalid} invalid or of a feature that is missing, ${differences} differences, ${seconds} s\n`,
);
process.exitCode = differences === 0 ? 0 : 1;
