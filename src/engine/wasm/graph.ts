/**
 * The control-flow graph of a region: its blocks in reverse postorder, immediate dominators, and which edges stay
 * inside. Where an edge leads back to a block that does not dominate its source, a loop that is entered in two places,
 * that block gets a copy for this edge. If there would be many copies, blocks in front of loops that run on into them,
 * to the first branch, which is what often gives loops two entries, are shortened first; after COPIES_MAX copies such an
 * edge leaves the region, which is always correct.
 * Small loops are unrolled: what they do once for each round, look at the budget and into the TLB, is shared by several.
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
  /** Its call, or tail call, is inlined: the callee is the successor; an indirect one has several, and what is behind it. */
  readonly inlinesCall: boolean;
  /** It ends an inlined callee with an indirect jump into another function, which returns in its place: a call, then. */
  readonly isTailCall: boolean;
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

/** Loops with two entries cost a copy for each block between them. */
const COPIES_MAX = 32;
/** Up to here they are worth their room: a loop of its own for each entry, with flags of one kind, can be unrolled. */
const COPIES_FEW = 4;

/** Loops of so many blocks and instructions are unrolled, to so many rounds and instructions at most. */
const LOOP_BLOCKS_MAX = 2;
const LOOP_INSTRUCTIONS_MAX = 12;
const ROUNDS_MAX = 4;
const UNROLLED_INSTRUCTIONS_MAX = 36;

/** Copies a block's ops behind all others; gives the index of the first, or undefined if there is no room. */
export type CopyOps = (block: RegionBlock) => number | undefined;

export type ShortenedBlock = Pick<RegionBlock, "start" | "end" | "instructionCount">;
/**
 * The block's instructions in front of an offset from the region's base, with a jump to there at the end; undefined if
 * none of its instructions begins there or there is no room.
 */
export type ShortenBlock = (block: RegionBlock, to: number) => ShortenedBlock | undefined;

/**
 * The graph of blocks that are all reachable from the first one. Nodes are numbered in reverse postorder. Blocks that
 * are in it twice have their ops twice: what is known of an op depends on where it stands.
 */
export function buildGraph(
  blocks: readonly RegionBlock[],
  copyOps: CopyOps,
  shorten: ShortenBlock = () => undefined,
): RegionNode[] {
  const flow = withFewCopies(blocks, copyOps) ?? withShortenedBlocks(blocks, copyOps, shorten);
  flow.unrollLoops(copyOps);
  return flow.nodes();
}

/** Undefined if there would have to be many. */
function withFewCopies(blocks: readonly RegionBlock[], copyOps: CopyOps): Flow | undefined {
  const flow = new Flow(blocks);
  let copies = 0;
  for (let second = flow.secondEntry(); second !== undefined; second = flow.secondEntry())
    if (copies++ === COPIES_FEW || !flow.copyEntry(second, copyOps)) return undefined;
  return flow;
}

function withShortenedBlocks(blocks: readonly RegionBlock[], copyOps: CopyOps, shorten: ShortenBlock): Flow {
  const flow = new Flow(blocks);
  let copies = 0;
  for (let second = flow.secondEntry(); second !== undefined; second = flow.secondEntry()) {
    if (flow.shortenIntoLoop(second.to, shorten)) continue;
    if (copies++ === COPIES_MAX || !flow.copyEntry(second, copyOps)) break;
  }
  return flow;
}

/** The blocks at the ends of an edge. */
interface SecondEntry {
  readonly from: number;
  readonly to: number;
}

const UNKNOWN = -1;
const NO_SUCCESSORS: readonly number[] = [];

/** Which blocks follow which, by their indices: what is worked out again for each copy allocates next to nothing. */
class Flow {
  /** The copies are behind the others. */
  readonly #blocks: RegionBlock[];
  /** By block: the indices of those that follow, or OUTSIDE. */
  readonly #successors: number[][];
  /** By node: the index of its block; by block: the number of its node, or UNKNOWN. */
  readonly #order: number[] = [];
  readonly #numbers: number[] = [];
  /** By node: its immediate dominator; the entry is its own. */
  readonly #dominators: number[] = [];
  /** The blocks on the way to the one that is visited, and how many successors of each have been seen to. */
  readonly #path: number[] = [];
  readonly #visited: number[] = [];

  constructor(blocks: readonly RegionBlock[]) {
    this.#blocks = [...blocks];
    const indices = new Map<BlockKey, number>();
    for (let i = 0; i < blocks.length; i++) indices.set(this.#block(i).key, i);
    this.#successors = blocks.map(({ successors }) => successors.map((key) => indices.get(key) ?? OUTSIDE));
    this.#arrange();
  }

  #block(index: number): RegionBlock {
    return defined(this.#blocks[index], "a block that is not there");
  }

  #successorsOf(block: number): readonly number[] {
    return this.#successors[block] ?? NO_SUCCESSORS;
  }

  /** Numbers the nodes and finds their dominators. */
  #arrange(): void {
    this.#sort();
    this.#findDominators();
  }

  /** Reverse postorder. */
  #sort(): void {
    const order = this.#order;
    const numbers = this.#numbers;
    const path = this.#path;
    const visited = this.#visited;
    const count = this.#blocks.length;
    order.length = 0;
    for (let i = 0; i < count; i++) {
      numbers[i] = UNKNOWN;
      visited[i] = UNKNOWN;
    }
    path.push(0);
    visited[0] = 0;
    while (path.length > 0) {
      const block = path[path.length - 1] ?? 0;
      const position = visited[block] ?? 0;
      const next = this.#successorsOf(block)[position];
      if (next === undefined) {
        order.push(block);
        path.pop();
        continue;
      }
      visited[block] = position + 1;
      if (next === OUTSIDE || visited[next] !== UNKNOWN) continue;
      visited[next] = 0;
      path.push(next);
    }
    order.reverse();
    for (let number = 0; number < order.length; number++) numbers[order[number] ?? 0] = number;
  }

  /** A node's dominator moves up the tree until it lies above all from which edges lead to the node. */
  #findDominators(): void {
    const dominators = this.#dominators;
    const order = this.#order;
    const numbers = this.#numbers;
    const count = order.length;
    dominators.length = count;
    dominators.fill(UNKNOWN);
    dominators[0] = 0;
    for (let changed = true; changed;) {
      changed = false;
      for (let from = 0; from < count; from++) {
        const successors = this.#successorsOf(order[from] ?? 0);
        for (let i = 0; i < successors.length; i++) {
          const block = successors[i] ?? OUTSIDE;
          if (block === OUTSIDE) continue;
          const to = numbers[block] ?? 0;
          const before = dominators[to] ?? UNKNOWN;
          if (before === from) continue;
          const after = before === UNKNOWN ? from : this.#common(before, from);
          if (after === before) continue;
          dominators[to] = after;
          changed = true;
        }
      }
    }
  }

  #numberOf(block: number): number {
    return block === OUTSIDE ? OUTSIDE : (this.#numbers[block] ?? OUTSIDE);
  }

  #common(a: number, b: number): number {
    const dominators = this.#dominators;
    let left = a;
    let right = b;
    while (left !== right) {
      if (left > right) left = dominators[left] ?? 0;
      else right = dominators[right] ?? 0;
    }
    return left;
  }

  #dominates(a: number, b: number): boolean {
    const dominators = this.#dominators;
    let node = b;
    while (node > a) node = dominators[node] ?? 0;
    return node === a;
  }

  /** An edge back into a loop that does not lead to its only entry. */
  secondEntry(): SecondEntry | undefined {
    const order = this.#order;
    for (let number = 0; number < order.length; number++) {
      const from = order[number] ?? 0;
      for (const to of this.#successorsOf(from)) {
        const target = this.#numberOf(to);
        if (target === OUTSIDE || target > number || this.#dominates(target, number)) continue;
        return { from, to };
      }
    }
    return undefined;
  }

  /**
   * If one block that leads to `to` runs on into another one that does, it now ends where that begins. False if there are
   * no such blocks.
   */
  shortenIntoLoop(to: number, shorten: ShortenBlock): boolean {
    const sources = this.#order.filter((block) => this.#successorsOf(block).includes(to));
    for (const index of sources) {
      const block = this.#block(index);
      for (const rest of sources) {
        const { key } = this.#block(rest);
        if (key <= block.key || contextOf(key) !== contextOf(block.key)) continue;
        const shortened = shorten(block, offsetOf(key));
        if (shortened === undefined) continue;
        this.#blocks[index] = {
          ...block,
          ...shortened,
          inlinesCall: false,
          isTailCall: false,
          successors: [key],
        };
        this.#successors[index] = [rest];
        this.#arrange();
        return true;
      }
    }
    return false;
  }

  /** Gives the edge a copy of the block that it leads to; false if there is no room. */
  copyEntry({ from, to }: SecondEntry, copyOps: CopyOps): boolean {
    const block = this.#block(to);
    const start = copyOps(block);
    if (start === undefined) return false;
    const copy = this.#blocks.length;
    this.#blocks.push({ ...block, start, end: start + block.end - block.start });
    this.#successors.push(redirected(this.#successorsOf(to), to, copy));
    this.#successors[from] = redirected(this.#successorsOf(from), to, copy);
    this.#arrange();
    return true;
  }

  /**
   * Writes the bodies of small loops without loops inside several times. The last leads back to the second: the first is a
   * round of its own, behind which the loop is always entered as its body leaves it, with flags of one kind.
   */
  unrollLoops(copyOps: CopyOps): void {
    const bodies: number[][] = [];
    for (const [header, sources] of this.#backEdges()) {
      const body = this.#smallBody(header, sources);
      if (body !== undefined) bodies.push(body);
    }
    for (const body of bodies) {
      const rounds = Math.min(ROUNDS_MAX, Math.floor(UNROLLED_INSTRUCTIONS_MAX / this.#instructionsOf(body)));
      const first = body[0] ?? OUTSIDE;
      const last = this.#blocks.length;
      let second: number | undefined = first;
      for (let round = 1; round < rounds && second !== undefined; round++)
        second = this.#copyBody(body, second, copyOps);
      if (second === undefined || second === first) continue;
      for (let i = last; i < last + body.length; i++)
        this.#successors[i] = redirected(this.#successorsOf(i), first, second);
    }
    if (bodies.length > 0) this.#arrange();
  }

  #instructionsOf(blocks: readonly number[]): number {
    return blocks.reduce((sum, block) => sum + this.#block(block).instructionCount, 0);
  }

  /** By header of a loop, as blocks: those from which edges lead back to it. */
  #backEdges(): Map<number, number[]> {
    const sources = new Map<number, number[]>();
    for (let number = 0; number < this.#order.length; number++) {
      const from = this.#order[number] ?? 0;
      for (const to of this.#successorsOf(from)) {
        const target = this.#numberOf(to);
        if (target === OUTSIDE || target > number || !this.#dominates(target, number)) continue;
        const known = sources.get(to);
        if (known === undefined) sources.set(to, [from]);
        else if (!known.includes(from)) known.push(from);
      }
    }
    return sources;
  }

  /** The blocks of a loop, the header first; undefined if they are many, or another loop is among them. */
  #smallBody(header: number, sources: readonly number[]): number[] | undefined {
    const body = [header];
    let instructions = this.#block(header).instructionCount;
    const queue = [...sources];
    for (let block = queue.pop(); block !== undefined; block = queue.pop()) {
      if (body.includes(block)) continue;
      body.push(block);
      instructions += this.#block(block).instructionCount;
      if (body.length > LOOP_BLOCKS_MAX) return undefined;
      for (let from = 0; from < this.#successors.length; from++)
        if (this.#successorsOf(from).includes(block) && this.#numberOf(from) !== UNKNOWN) queue.push(from);
    }
    if (instructions > LOOP_INSTRUCTIONS_MAX) return undefined;
    const isNested = body.some((block) => block !== header && this.#isHeader(block));
    return isNested ? undefined : body;
  }

  #isHeader(block: number): boolean {
    const number = this.#numberOf(block);
    return this.#order.some((from, i) => i >= number && this.#successorsOf(from).includes(block));
  }

  /** Puts a copy of a loop's body between itself and its next round; gives the copy of its header. */
  #copyBody(body: readonly number[], next: number, copyOps: CopyOps): number | undefined {
    const copy = this.#blocks.length;
    const copies: RegionBlock[] = [];
    for (const original of body) {
      const block = this.#block(original);
      const start = copyOps(block);
      if (start === undefined) return undefined;
      copies.push({ ...block, start, end: start + block.end - block.start });
    }
    this.#blocks.push(...copies);
    for (const original of body) {
      const successors = this.#successorsOf(original);
      this.#successors.push(
        successors.map((to) => (to === next || !body.includes(to) ? to : copy + body.indexOf(to))),
      );
      this.#successors[original] = redirected(successors, next, copy);
    }
    return copy;
  }

  nodes(): RegionNode[] {
    const nodes = this.#order.map((block) => new RegionNode(this.#block(block)));
    const nodeAt = (number: number): RegionNode => defined(nodes[number], "a node that is not there");
    const forwardEdges = nodes.map(() => 0);
    for (let from = 0; from < nodes.length; from++) {
      const { block, edges } = nodeAt(from);
      const successors = this.#successorsOf(this.#order[from] ?? 0);
      for (let i = 0; i < successors.length; i++) {
        const offset = offsetOf(block.successors[i] ?? 0);
        const to = this.#numberOf(successors[i] ?? OUTSIDE);
        const isBack = to !== OUTSIDE && to <= from;
        const leaves = isBack && !this.#dominates(to, from);
        edges.push({ to: leaves ? OUTSIDE : to, offset });
        if (leaves || to === OUTSIDE) continue;
        if (isBack) nodeAt(to).isHeader = true;
        else forwardEdges[to] = (forwardEdges[to] ?? 0) + 1;
      }
    }
    for (let number = nodes.length - 1; number > 0; number--) {
      if ((forwardEdges[number] ?? 0) < 2) continue;
      nodeAt(number).isMerge = true;
      nodeAt(this.#dominators[number] ?? 0).mergeChildren.push(number);
    }
    return nodes;
  }
}

const redirected = (successors: readonly number[], from: number, to: number): number[] =>
  successors.map((successor) => (successor === from ? to : successor));
