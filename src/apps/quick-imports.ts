/**
 * Makes the modules of this package load quickly; a program calls it before it imports them. Node.js keeps what it has
 * compiled, without types, in its compile cache, and is told where our own imports lead: they name a file relative to
 * their own, so that there is nothing to search for in folders, symbolic links and package.json files. (Node's own
 * search takes longer than reading the files.)
 *
 * A package that is imported by its name is found as always. In a test that loads modules its own way nothing calls this.
 */

import { enableCompileCache, registerHooks } from "node:module";

/** The sources are TypeScript, what was built from them is JavaScript; either imports only its like. */
export const moduleExtension = import.meta.url.slice(import.meta.url.lastIndexOf("."));
const format = moduleExtension === ".ts" ? "module-typescript" : "module";
const packageRoot = new URL("..", import.meta.url).href;

export function enableQuickImports(): void {
  enableCompileCache();
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const { parentURL } = context;
      const isOurs = parentURL?.startsWith(packageRoot) === true;
      if (!isOurs || !specifier.startsWith(".") || !specifier.endsWith(moduleExtension))
        return nextResolve(specifier, context);
      return { url: new URL(specifier, parentURL).href, format, shortCircuit: true };
    },
  });
}
