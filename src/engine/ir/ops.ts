/**
 * The IR's op table: every row numbered, with the effects the passes need. Ops that interpret by themselves come
 * first (the interpreter's dense switch), helpers behind them. An op number is meaningful within one build only;
 * nothing stores it.
 */
import type { Expr, Statement } from "./expr.ts";
import type { HelperRow } from "./helper-row.ts";
import { helperRows } from "./helpers.ts";
import type { OpEffects, OpMeaning, OpRow } from "./op.ts";
import { controlOps } from "./ops-control.ts";
import { bitOps } from "./ops-bits.ts";
import { integerOps } from "./ops-integer.ts";
import { memoryOps } from "./ops-memory.ts";
import { sequenceName, sequences } from "./ops-sequences.ts";
import { simdOpRows } from "./ops-simd.ts";
import { stringOps } from "./ops-strings.ts";
import { x87Ops } from "./ops-x87.ts";

const helperOp = (row: HelperRow): OpRow => ({
  name: row.name,
  format: "short",
  meaning: { kind: "helper", helper: row.name, gprs: row.gprs, ends: row.ends },
});

const plainOps: readonly OpRow[] = [
  ...controlOps,
  ...integerOps,
  ...bitOps,
  ...memoryOps,
  ...stringOps,
  ...x87Ops,
];

function sequenceOp(parts: readonly string[]): OpRow {
  const first = plainOps.find(({ name }) => name === parts[0]);
  if (first === undefined) throw new Error(`no sequence can begin with ${parts[0]}`);
  return { name: sequenceName(parts), format: first.format, meaning: { kind: "sequence", parts } };
}

export const ops: readonly OpRow[] = [
  ...plainOps,
  ...sequences.map(sequenceOp),
  ...simdOpRows,
  ...helperRows.map(helperOp),
];
export const inlineOpCount = ops.length - helperRows.length;

const numbers = new Map<string, number>();
for (const [number, row] of ops.entries()) {
  if (numbers.has(row.name)) throw new Error(`IR op ${row.name} is declared twice`);
  numbers.set(row.name, number);
}

/** The number of an op by name; a misspelt name fails when the module that uses it loads. */
export function opNumber(name: string): number {
  const number = numbers.get(name);
  if (number === undefined) throw new Error(`there is no IR op ${name}`);
  return number;
}

/** The row of an op number. */
export function opRow(number: number): OpRow {
  const row = ops[number];
  if (row === undefined) throw new Error(`there is no IR op number ${number}`);
  return row;
}

/** Visits every expression of a statement, outermost first. */
export function visitExpressions(statement: Statement, visit: (e: Expr) => void): void {
  const walk = (e: Expr | undefined): void => {
    if (e === undefined) return;
    visit(e);
    switch (e.kind) {
      case "unary":
        return walk(e.value);
      case "binary":
        walk(e.left);
        return walk(e.right);
      case "select":
        walk(e.condition);
        walk(e.then);
        return walk(e.else);
      case "simd":
      case "pure":
        return e.args.forEach(walk);
      default:
        return;
    }
  };
  switch (statement.kind) {
    case "flags":
      walk(statement.dst);
      walk(statement.src);
      walk(statement.aux);
      return walk(statement.when);
    case "load":
      return walk(statement.address);
    case "store":
      walk(statement.address);
      return walk(statement.value);
    case "compareExchange":
      walk(statement.address);
      walk(statement.expected);
      return walk(statement.value);
    default:
      return walk(statement.value);
  }
}

/** Statements that access guest memory; all of them may fault. */
export const accessesMemory = ({ kind }: Statement): boolean =>
  kind === "load" || kind === "store" || kind === "compareExchange";

const helpersByName = new Map<string, HelperRow>(helperRows.map((row) => [row.name, row]));

function effectsOf(meaning: OpMeaning): OpEffects {
  if (meaning.kind === "helper") {
    const row = helpersByName.get(meaning.helper);
    if (row === undefined) throw new Error(`helper ${meaning.helper} has no row`);
    return {
      readsFlags: row.flags === "reads" || row.flags === "both",
      killsFlags: false,
      writesFlags: row.flags === "writes" || row.flags === "both",
      mayFault: row.faults,
      endsBlock: false,
    };
  }
  // What knows the effects of ops runs before sequences are made.
  if (meaning.kind === "sequence")
    return { readsFlags: true, killsFlags: false, writesFlags: true, mayFault: true, endsBlock: false };
  if (meaning.kind === "branch") {
    const { branch } = meaning;
    const ends =
      branch.kind !== "enter" &&
      branch.kind !== "stale" &&
      branch.kind !== "region" &&
      branch.kind !== "syncpc" &&
      branch.kind !== "canonical";
    // At a block's end the flags are live: another block or the dispatcher may ask for them.
    return {
      readsFlags: ends,
      killsFlags: false,
      writesFlags: false,
      mayFault: branch.kind === "raise" || branch.kind === "canonical",
      endsBlock: ends,
    };
  }
  let readsFlags = false;
  let killsFlags = false;
  let writesFlags = false;
  let mayFault = false;
  for (const statement of meaning.body) {
    visitExpressions(statement, (e) => {
      if (e.kind === "condition" || e.kind === "statusFlags") readsFlags = true;
    });
    if (accessesMemory(statement)) mayFault = true;
    if (statement.kind === "flags") {
      writesFlags = true;
      // A conditional write keeps the old flags alive on its other arm.
      if (statement.when === undefined) killsFlags = true;
      else readsFlags = true;
    }
  }
  return { readsFlags, killsFlags, writesFlags, mayFault, endsBlock: false };
}

export const opEffects: readonly OpEffects[] = ops.map((row) => effectsOf(row.meaning));

/** For each op the number of its form without flags, or the op itself. */
export const opWithoutFlags: readonly number[] = ops.map((row, number) =>
  row.withoutFlags === undefined ? number : opNumber(row.withoutFlags),
);
