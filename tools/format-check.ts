/** Checks the formatting of every file prettier knows, and says how many those are. `npm run format` mends it. */
import { readFile } from "node:fs/promises";
import * as prettier from "prettier";
import { projectFiles } from "./files.ts";

let checkedCount = 0;
const unformatted: string[] = [];
for (const path of projectFiles()) {
  const info = await prettier.getFileInfo(path, { ignorePath: ".prettierignore" });
  if (info.ignored || info.inferredParser === null) continue;
  checkedCount += 1;
  const options = await prettier.resolveConfig(path);
  const text = await readFile(path, "utf8");
  const formatted = await prettier.check(text, { ...options, filepath: path }).catch((error: unknown) => {
    console.error(`format: ${path}: ${String(error)}`);
    return false;
  });
  if (!formatted) unformatted.push(path);
}
for (const path of unformatted) console.error(`format: ${path}`);
console.log(`format: ${checkedCount} files, ${unformatted.length} not formatted`);
process.exitCode = unformatted.length === 0 && checkedCount > 0 ? 0 : 1;
