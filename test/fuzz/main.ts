/** The long form of the fuzz: `npm run fuzz -- --seconds 600 --seed 1`. Prints the seed of the first failure. */
import { parseArgs } from "node:util";
import { fuzzBoard } from "./board-fuzz.ts";
import { fuzzEngine } from "./engine-fuzz.ts";

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "60" }, seed: { type: "string", default: "1" } },
});
const seconds = Number(values.seconds);
const seed = Number(values.seed);
const BOARDS = 20;
console.log(`board: ${String(fuzzBoard(seed, BOARDS))} boards from seed ${String(seed)}, no failure`);
const deadline = performance.now() + seconds * 1000;
const result = fuzzEngine(seed, () => performance.now() > deadline);
if (typeof result === "number") {
  console.log(`engine: ${String(result)} guests from seed ${String(seed)}, no failure`);
} else {
  console.error(`engine: seed ${String(result.seed)}, tier ${result.tier}:`);
  console.error(result.error);
  process.exitCode = 1;
}
