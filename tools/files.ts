/** The project's files as git sees them: tracked or new, never ignored ones. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";

export function projectFiles(): string[] {
  const listing = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  // A file that is deleted but not yet committed is still listed.
  return [...new Set(listing.split("\0"))].filter((path) => path !== "" && existsSync(path)).toSorted();
}
