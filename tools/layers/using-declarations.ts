/**
 * Teaches dependency-cruiser's parser `using` and `await using` (ECMAScript "Explicit Resource Management").
 *
 * swc parses both, but the tree walker that dependency-cruiser takes from it stops with "Unknown statement type" at
 * the first one. The statement and the head of `for (using … of …)` are walked here like any variable declaration, so
 * that an import inside an initializer is judged too; the fixture has one of each, which the gate must reject.
 * Imported for its effect.
 */
import type { ForOfStatement, Statement, VariableDeclarator } from "@swc/core";
import { Visitor } from "@swc/core/Visitor.js";

/** swc's node for both forms; its type declarations lack it. */
interface UsingDeclaration {
  readonly type: "UsingDeclaration";
  readonly decls: VariableDeclarator[];
}

interface Node {
  readonly type: string;
}

function isUsing(node: Node): node is UsingDeclaration {
  return node.type === "UsingDeclaration";
}

const walker = Visitor.prototype;
// oxlint-disable-next-line typescript/unbound-method -- called with their walker below
const { visitStatement: visitKnownStatement, visitForOfStatement: visitKnownForOf } = walker;

walker.visitStatement = function (this: Visitor, statement: Statement): Statement {
  const node: Node = statement;
  if (!isUsing(node)) return visitKnownStatement.call(this, statement);
  this.visitVariableDeclarators(node.decls);
  return statement;
};

walker.visitForOfStatement = function (this: Visitor, statement: ForOfStatement): Statement {
  if (!isUsing(statement.left)) return visitKnownForOf.call(this, statement);
  this.visitExpression(statement.right);
  this.visitStatement(statement.body);
  return statement;
};
