/** Programs that prepare a run (apt-get, gcc): their output when they succeed, an error with their last words otherwise. */

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { MiB } from "../../src/base/index.ts";

const MAX_OUTPUT_BYTES = 16 * MiB;

/** Something that this machine lacks; a test that meets it is skipped. */
export class Unavailable extends Error {
  override readonly name = "Unavailable";
}

export async function runTool(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<string> {
  try {
    const environment = {
      ...{ ...process.env, LC_ALL: "C.UTF-8", DEBIAN_FRONTEND: "noninteractive" },
      ...options.env,
    };
    const run = promisify(execFile);
    const { stdout } = await run(program, args, {
      ...options,
      env: environment,
      maxBuffer: MAX_OUTPUT_BYTES,
    });
    return stdout;
  } catch (thrown) {
    if (!(thrown instanceof Error)) throw thrown;
    throw new Unavailable(`${program} ${args.join(" ")}: ${thrown.message}`, { cause: thrown });
  }
}
