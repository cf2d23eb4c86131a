#!/usr/bin/env node
/** The `typevisor` command: in a checkout it runs the sources themselves, in the published package what was built. */
import { existsSync } from "node:fs";

const major = Number(process.versions.node.split(".")[0]);
if (major < 24) {
  console.error(
    `typevisor: needs Node.js 24 or later, and this is ${process.version}. ` +
      "In a checkout, `npx typevisor` uses the Node.js that `npm ci` installed.",
  );
  process.exit(1);
}
const source = new URL("../src/apps/cli/main.ts", import.meta.url);
const built = new URL("../dist/apps/cli/main.js", import.meta.url);
await import((existsSync(source) ? source : built).href);
