/**
 * Makes the README's chart of a result: `node bench/chart/main.ts < bench/results/recorded.json > docs/speed.svg`.
 * `npm run bench -- --record` does it too.
 */

import { text } from "node:stream/consumers";
import { readResult } from "../result-reader.ts";
import { speedChart } from "./speed-chart.ts";

process.stdout.write(speedChart(readResult(await text(process.stdin))));
