/** The version in package.json, which lies as far above this module in src/ as in dist/. */

import { readFileSync } from "node:fs";

export function packageVersion(): string {
  const text = readFileSync(new URL("../../../package.json", import.meta.url), "utf8");
  const version = /"version":\s*"([^"]+)"/.exec(text)?.[1];
  return version ?? "of an unknown version";
}
