/**
 * The control-flow graph of a region: its blocks in reverse postorder, immediate dominators, and which edges stay
 * inside. Where an edge leads back to a block that does not dominate its source, a loop that is entered in two places,
 * that block gets a copy for this edge; after COPIES_MAX copies such an edge leaves the region, which is always correct.
 * Dominators: Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm".
 */
import { defined } from "../../base/index.ts";

/** The target of an edge that leaves the region. */
export const OUTSIDE = -1;

/** An offset from the region's base, and the inlined call that its code stands for; contexts are far apart. */
export type BlockKey = number;

const CONTEXT_STRIDE = 2 ** 34;

export const blockKey = (offset: number, context: number): BlockKey => offset + context * CONTEXT_STRIDE;
export const contextOf = (key: BlockKey): number => Math.round(key / CONTEXT_STRIDE);
export const offsetOf = (key: BlockKey): number => key - contextOf(key) * CONTEXT_STRIDE;

export interface RegionBlock {
  /** Which block this is: its offset in its context (0 unless a call of it is inlined). */
  readonly key: BlockKey;
  /** Offset of the block's first instruction from the region's base. */
  readonly offset: number;
  /** It ends with a call whose callee is inlined: the first successor; an indirect call has the block behind it too. */
  readonly inlinesCall: boolean;
  /** Its ops in RegionOps: [start, end); the last one is its branch. */
  readonly start: number;
  readonly end: number;
  readonly instructionCount: number;
  /** The blocks that follow by jump or branch, after a call returns, or after this inlined callee returns. */
  readonly successors: readonly BlockKey[];
}

export interface RegionEdge {
  /** Number of the node it leads to, or OUTSIDE. */
  readonly to: number;
  /** Where it leads to, from the base. */
  readonly offset: number;
}

export class RegionNode {
  readonly block: RegionBlock;
  /** In the order of the block's successors. */
  readonly edges: RegionEdge[] = [];
  /** The first block of a loop: an edge leads back to it. */
  isHeader = false;
  /** Reached by several forward edges. */
  isMerge = false;
  /** The merges among the nodes it immediately dominates, last in reverse postorder first. */
  readonly mergeChildren: number[] = [];

  constructor(block: RegionBlock) {
    this.block = block;
  }
}

const nodeAt = (nodes: readonly RegionNode[], i: number): RegionNode =>
  defined(nodes[i], `there is no node ${i}`);

/** Loops with two entries cost a copy for each block between them. */
const COPIES_MAX = 32;

/** Copies a block's ops behind all others; gives the index of the first, or undefined if there is no room. */
export type CopyOps = (block: RegionBlock) => number | undefined;

/**
 * The graph of blocks that are all reachable from the first one. Nodes are numbered in reverse postorder. Blocks that
 * are in it twice have their ops twice: what is known of an op depends on where it stands.
 */
export function buildGraph(blocks: readonly RegionBlock[], copyOps: CopyOps): RegionNode[] {
  let nodes = linked(blocks);
  let dominators = immediateDominators(nodes);
  let all = blocks;
  let context = Math.max(...blocks.map(({ key }) => contextOf(key)));
  for (let copies = 0; copies < COPIES_MAX; copies++) {
    const edge = secondEntry(nodes, dominators);
    const start = edge === undefined ? undefined : copyOps(edge.to);
    if (edge === undefined || start === undefined) break;
    all = withCopy(all, edge, start, ++context);
    nodes = linked(all);
    dominators = immediateDominators(nodes);
  }
  const forwardEdges = new Int32Array(nodes.length);
  for (const [from, node] of nodes.entries()) {
    for (const [i, { to, offset }] of node.edges.entries()) {
      if (to === OUTSIDE) continue;
      if (to > from) {
        forwardEdges[to] = (forwardEdges[to] ?? 0) + 1;
      } else if (dominates(dominators, to, from)) {
        nodeAt(nodes, to).isHeader = true;
      } else {
        node.edges[i] = { to: OUTSIDE, offset };
      }
    }
  }
  for (let number = nodes.length - 1; number > 0; number--) {
    if ((forwardEdges[number] ?? 0) < 2) continue;
    nodeAt(nodes, number).isMerge = true;
    nodeAt(nodes, dominators[number] ?? 0).mergeChildren.push(number);
  }
  return nodes;
}

/** Nodes with their edges. */
function linked(blocks: readonly RegionBlock[]): RegionNode[] {
  const nodes = reversePostorder(blocks).map((block) => new RegionNode(block));
  const numbers = new Map(nodes.map((node, number) => [node.block.key, number]));
  for (const node of nodes) {
    for (const key of node.block.successors)
      node.edges.push({ to: numbers.get(key) ?? OUTSIDE, offset: offsetOf(key) });
  }
  return nodes;
}

interface BlockEdge {
  readonly from: RegionBlock;
  readonly to: RegionBlock;
}

/** An edge back into a loop that does not lead to its only entry, if there is one. */
function secondEntry(nodes: readonly RegionNode[], dominators: Int32Array): BlockEdge | undefined {
  for (const [from, node] of nodes.entries()) {
    const edge = node.edges.find(
      ({ to }) => to !== OUTSIDE && to <= from && !dominates(dominators, to, from),
    );
    if (edge !== undefined) return { from: node.block, to: nodeAt(nodes, edge.to).block };
  }
  return undefined;
}

/** The blocks with one more: a copy of where the edge leads, in a context of its own, for this edge alone. */
function withCopy(
  blocks: readonly RegionBlock[],
  { from, to }: BlockEdge,
  start: number,
  context: number,
): RegionBlock[] {
  const key = blockKey(to.offset, context);
  const redirected = ({ successors }: RegionBlock): BlockKey[] =>
    successors.map((successor) => (successor === to.key ? key : successor));
  const copy = { ...to, key, start, end: start + to.end - to.start, successors: redirected(to) };
  return [
    ...blocks.map((block) => (block === from ? { ...from, successors: redirected(from) } : block)),
    copy,
  ];
}

function reversePostorder(blocks: readonly RegionBlock[]): RegionBlock[] {
  const byKey = new Map(blocks.map((block) => [block.key, block]));
  const visited = new Set<RegionBlock>();
  const postorder: RegionBlock[] = [];
  const visit = (block: RegionBlock): void => {
    visited.add(block);
    for (const key of block.successors) {
      const next = byKey.get(key);
      if (next !== undefined && !visited.has(next)) visit(next);
    }
    postorder.push(block);
  };
  visit(defined(blocks[0], "a region has a first block"));
  return postorder.reverse();
}

/** For each node the number of its immediate dominator; the entry is its own. */
function immediateDominators(nodes: readonly RegionNode[]): Int32Array {
  const predecessors: number[][] = nodes.map(() => []);
  for (const [from, node] of nodes.entries()) {
    for (const { to } of node.edges) predecessors[to]?.push(from);
  }
  const UNKNOWN = -1;
  const dominator = new Int32Array(nodes.length).fill(UNKNOWN);
  dominator[0] = 0;
  const common = (a: number, b: number): number => {
    let left = a;
    let right = b;
    while (left !== right) {
      if (left > right) left = dominator[left] ?? 0;
      else right = dominator[right] ?? 0;
    }
    return left;
  };
  for (let changed = true; changed;) {
    changed = false;
    for (let number = 1; number < nodes.length; number++) {
      let best = UNKNOWN;
      for (const from of predecessors[number] ?? []) {
        if (dominator[from] === UNKNOWN) continue;
        best = best === UNKNOWN ? from : common(best, from);
      }
      if (dominator[number] !== best) {
        dominator[number] = best;
        changed = true;
      }
    }
  }
  return dominator;
}

function dominates(dominators: Int32Array, a: number, b: number): boolean {
  let node = b;
  while (node > a) node = dominators[node] ?? 0;
  return node === a;
}
