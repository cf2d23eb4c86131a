/** A multiboot module as it is given: a file and the words of its string. */

const MODULE_ARGUMENTS = ",args=";

/** A module's file, and the words behind its name in its string, if `--module` gives any: FILE,args=TEXT. */
export function moduleFile(text: string): { readonly path: string; readonly arguments?: string } {
  const at = text.indexOf(MODULE_ARGUMENTS);
  if (at < 0) return { path: text };
  return { path: text.slice(0, at), arguments: text.slice(at + MODULE_ARGUMENTS.length) };
}
