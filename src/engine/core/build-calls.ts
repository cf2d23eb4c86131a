/**
 * Who calls whom in the compiled core, read from its text format. VM processes run without V8's checks of the stack
 * (platform/node/vm-process.ts), so that how deep the core's calls nest has to be known: no function may lead back to
 * itself, and only the interpreter may call through the table, which is how regions are entered.
 */

/** By function, in the order of the text: what it calls, and whether it calls through a table. */
function callsOf(wat: string): Map<string, { readonly callees: Set<string>; throughTable: boolean }> {
  const functions = new Map<string, { readonly callees: Set<string>; throughTable: boolean }>();
  let current: { readonly callees: Set<string>; throughTable: boolean } | undefined;
  for (const match of wat.matchAll(/^ \(func (\$\S+)|^ +\(?(?:return_)?call(?: (\$[^\s)]+)|_indirect)/gm)) {
    const [, defined, callee] = match;
    if (defined !== undefined) {
      current = { callees: new Set(), throughTable: false };
      functions.set(defined, current);
    } else if (current !== undefined) {
      if (callee === undefined) current.throughTable = true;
      else current.callees.add(callee);
    }
  }
  return functions;
}

/** What is wrong with the core's calls, a sentence each; an error if there are none to look at. */
export function wrongCalls(wat: string, mayCallThroughTable: string): string[] {
  const functions = callsOf(wat);
  const calls = [...functions.values()].reduce((sum, { callees }) => sum + callees.size, 0);
  if (calls === 0) throw new Error("the core's text has no calls: is it in another format?");
  const wrong: string[] = [];
  const done = new Set<string>();
  const way: string[] = [];
  const visit = (name: string): void => {
    const start = way.indexOf(name);
    if (start !== -1) wrong.push(`a recursion: ${[...way.slice(start), name].join(" calls ")}`);
    if (start !== -1 || done.has(name)) return;
    done.add(name);
    way.push(name);
    for (const callee of functions.get(name)?.callees ?? []) visit(callee);
    way.pop();
  };
  for (const [name, { throughTable }] of functions) {
    visit(name);
    if (throughTable && !name.endsWith(`/${mayCallThroughTable}`))
      wrong.push(`${name} calls through the table, which only ${mayCallThroughTable} may`);
  }
  return wrong;
}
