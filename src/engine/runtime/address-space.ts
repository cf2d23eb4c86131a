/**
 * Where code lies in guest-physical memory, in the current address space: which pages a region's blocks are in, and whether
 * they are still there (core/paging.ts walks).
 */
import * as L from "../layout.ts";
import type { MappedPage } from "../wasm/region.ts";
import type { Core } from "./core.ts";

export const NO_PAGE = 0xffffffff;
const ACCESS_EXECUTE = 2;
const SEG_BASE_CS = L.SEG_BASE + 8 * L.SEG_CS;
const PAGE_OFFSET = BigInt(L.PAGE_SIZE - 1);

export class AddressSpace {
  readonly pages: MappedPage[] = [];
  /** The first address behind all code. */
  readonly end: bigint;
  readonly #core: Core;
  readonly #view: DataView;
  readonly #user: number;
  readonly #base: bigint;
  readonly #pagesMax: number;
  readonly #known = new Map<bigint, number>();

  constructor(core: Core, view: DataView, mode: number, pagesMax: number) {
    this.#core = core;
    this.#view = view;
    this.#user = (mode & L.MODE_USER) !== 0 ? 1 : 0;
    const size = mode & L.MODE_CODE_SIZE;
    this.end = size === 2 ? 1n << 64n : size === 1 ? 1n << 32n : 1n << 16n;
    this.#base = size === 2 ? 0n : view.getBigUint64(core.stateBase + SEG_BASE_CS, true);
    this.#pagesMax = pagesMax;
  }

  #linear(rip: bigint): bigint {
    return this.end === 1n << 64n ? rip : BigInt.asUintN(32, rip + this.#base);
  }

  /** Guest-physical address of a linear page, or NO_PAGE. */
  translate(page: bigint): number {
    const gpa = this.#core.exports.translate(BigInt.asIntN(64, page), ACCESS_EXECUTE, this.#user) >>> 0;
    if (gpa === NO_PAGE) this.#view.setUint32(this.#core.stateBase + L.FAULT_VECTOR, L.FAULT_NONE, true);
    return gpa;
  }

  #isGlobal(page: bigint, gpa: number): boolean {
    return (
      this.#core.exports.translateGlobal(BigInt.asIntN(64, page), ACCESS_EXECUTE, this.#user) >>> 0 === gpa
    );
  }

  isStillAt({ linear, gpa, isGlobal }: MappedPage): boolean {
    return this.translate(linear) === gpa && (!isGlobal || this.#isGlobal(linear, gpa));
  }

  #pageGpa(page: bigint): number {
    const known = this.#known.get(page);
    if (known !== undefined) return known;
    const gpa = this.translate(page);
    this.#known.set(page, gpa);
    return gpa;
  }

  /** Guest-physical address of the code at RIP, or NO_PAGE. */
  gpaOf(rip: bigint): number {
    const linear = this.#linear(rip);
    const page = this.#pageGpa(linear & ~PAGE_OFFSET);
    return page === NO_PAGE ? NO_PAGE : page + Number(linear & PAGE_OFFSET);
  }

  /** Adds the page or pages of a block to the region's; false if they would be too many or are not where it says. */
  include(rip: bigint, gpa: number, secondGpa: number): boolean {
    const page = this.#linear(rip) & ~PAGE_OFFSET;
    const wanted = [{ linear: page, gpa: gpa - (gpa % L.PAGE_SIZE) }];
    if (secondGpa !== NO_PAGE) {
      wanted.push({
        linear: this.#linear((rip & ~PAGE_OFFSET) + BigInt(L.PAGE_SIZE)),
        gpa: secondGpa - (secondGpa % L.PAGE_SIZE),
      });
    }
    const added = wanted.filter(({ linear }) => !this.pages.some((known) => known.linear === linear));
    if (this.pages.length > 0 && this.pages.length + added.length > this.#pagesMax) return false;
    if (added.some(({ linear, gpa: expected }) => this.#pageGpa(linear) !== expected)) return false;
    for (const at of added) this.pages.push({ ...at, isGlobal: this.#isGlobal(at.linear, at.gpa) });
    return true;
  }
}
