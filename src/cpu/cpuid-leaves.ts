/**
 * The CPUID leaves of a set of features (SDM 2A, CPUID). Family, model and vendor are those of an Intel processor
 * whose quirks operating systems know how to leave alone, whatever the features.
 */

import { xsaveSubleaves } from "./xsave-components.ts";
import { features, type CpuidRegister, type Feature } from "./features.ts";

export interface CpuidLeaf {
  readonly leaf: number;
  /** Absent where the leaf has no subleaves. */
  readonly subleaf?: number;
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
}

/** ECX bit 31 of leaf 1: leaves from 0x40000000 on describe the hypervisor. */
const HYPERVISOR = 0x80000000;
const CLFLUSH_LINE_8 = 8 << 8;
const LOGICAL_PROCESSORS_1 = 1 << 16;
/** Leaf 80000008H: 40 physical and 48 linear address bits. */
const ADDRESS_BITS = 0x3028;

/** Family 6, model 94, stepping 3. */
const SIGNATURE = 0x000506e3;
const VENDOR = "GenuineIntel";
const BRAND = "Typevisor virtual x86-64 processor";

const ascii = (text: string, at: number): number => {
  let value = 0;
  for (let i = 3; i >= 0; i--) value = (value << 8) | (at + i < text.length ? text.charCodeAt(at + i) : 0);
  return value >>> 0;
};

type Registers = Record<CpuidRegister, number>;

/** Leaves under construction: at() gives one, all zeros at first. */
class Leaves {
  readonly #leaves = new Map<string, { leaf: number; subleaf: number; registers: Registers }>();

  at(leaf: number, subleaf = 0): Registers {
    const key = `${leaf}.${subleaf}`;
    const known = this.#leaves.get(key);
    if (known !== undefined) return known.registers;
    const registers = { eax: 0, ebx: 0, ecx: 0, edx: 0 };
    this.#leaves.set(key, { leaf, subleaf, registers });
    return registers;
  }

  highestSubleaf(leaf: number): number {
    return Math.max(
      ...[...this.#leaves.values()].filter((each) => each.leaf === leaf).map(({ subleaf }) => subleaf),
    );
  }

  list(): CpuidLeaf[] {
    return [...this.#leaves.values()].map(({ leaf, subleaf, registers: { eax, ebx, ecx, edx } }) => ({
      ...{ leaf, subleaf, eax: eax >>> 0, ebx: ebx >>> 0, ecx: ecx >>> 0, edx: edx >>> 0 },
    }));
  }
}

/** What CPUID answers on a processor with these features. */
export function cpuidLeaves(has: ReadonlySet<Feature>): CpuidLeaf[] {
  const leaves = new Leaves();
  Object.assign(leaves.at(0), {
    eax: has.has("xsave") ? 0xd : 7,
    ebx: ascii(VENDOR, 0),
    edx: ascii(VENDOR, 4),
    ecx: ascii(VENDOR, 8),
  });
  Object.assign(leaves.at(1), {
    eax: SIGNATURE,
    ebx: CLFLUSH_LINE_8 | LOGICAL_PROCESSORS_1,
    ecx: HYPERVISOR,
  });
  leaves.at(7);
  leaves.at(0x80000000).eax = 0x80000008;
  leaves.at(0x80000001);
  for (let i = 0; i < 3; i++) {
    const text = BRAND.padEnd(48, "\0");
    const from = 16 * i;
    Object.assign(leaves.at(0x80000002 + i), {
      eax: ascii(text, from),
      ebx: ascii(text, from + 4),
      ecx: ascii(text, from + 8),
      edx: ascii(text, from + 12),
    });
  }
  leaves.at(0x80000008).eax = ADDRESS_BITS;
  for (const { subleaf, ...registers } of xsaveSubleaves(has))
    Object.assign(leaves.at(0xd, subleaf), registers);
  for (const feature of has) {
    const [leaf, register, bit, subleaf] = features[feature].cpuid;
    leaves.at(leaf, subleaf)[register] |= 1 << bit;
  }
  leaves.at(7).eax = leaves.highestSubleaf(7);
  return leaves.list();
}
