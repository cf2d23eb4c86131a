/** The command lines of the test tools: `--help`, and one sentence with the usage for what is not an option. */
import { parseArgs } from "node:util";
import type { ParseArgsOptionsConfig } from "node:util";

/** Ends the process after `--help` (0) or a mistake (1). `usage` ends with a newline. */
export function toolOptions<const Options extends ParseArgsOptionsConfig>(usage: string, options: Options) {
  if (process.argv.slice(2).includes("--help")) {
    process.stdout.write(usage);
    process.exit(0);
  }
  try {
    return parseArgs({ options }).values;
  } catch (thrown) {
    process.stderr.write(`${thrown instanceof Error ? thrown.message : String(thrown)}\n\n${usage}`);
    process.exit(1);
  }
}
