/** Register states that random guests start in, one per processor mode; all at CPL 0. */
import type { CpuState, SegmentState } from "../../src/hw/index.ts";
import type { CpuMode, Random } from "../oracle/index.ts";
import { likelyAddress } from "./instructions.ts";
import * as At from "./guest-layout.ts";

export interface GuestMode {
  readonly name: string;
  /** How its code is encoded. */
  readonly code: CpuMode;
  readonly real: boolean;
  readonly cr0: bigint;
  readonly cr3: number;
  readonly cr4: bigint;
  readonly efer: bigint;
}

const PE = 0x11n;
const PG = 0x80000000n;
const WP = 0x10000n;
const PAE = 0x20n;
const SSE_ON = 0x600n;
const LONG = 0xd01n;

const mode = (
  name: string,
  code: CpuMode,
  rest: Partial<Omit<GuestMode, "name" | "code">> = {},
): GuestMode => ({ name, code, real: false, cr0: PE, cr3: 0, cr4: SSE_ON, efer: 0n, ...rest });

export const guestModes: readonly GuestMode[] = [
  mode("real", "protected16", { real: true, cr0: 0x10n }),
  mode("protected16", "protected16"),
  mode("protected32", "compat32"),
  mode("paged32", "compat32", { cr0: PE | PG | WP, cr3: At.PAGE_DIRECTORY, cr4: SSE_ON | 0x90n }),
  mode("pae", "compat32", { cr0: PE | PG | WP, cr3: At.PAE_POINTERS, cr4: SSE_ON | PAE | 0x80n }),
  mode("long", "long64", { cr0: PE | PG | WP, cr3: At.PML4, cr4: SSE_ON | PAE | 0x80n, efer: LONG }),
  mode("compatibility", "compat32", { cr0: PE | PG | WP, cr3: At.PML4, cr4: SSE_ON | PAE, efer: LONG }),
];

function segment(selector: number, attributes: number, base: number, limit: number): SegmentState {
  return { selector, base: BigInt(base), limit, attributes };
}

function value(random: Random): bigint {
  const kind = random.below(8);
  if (kind < 4) return BigInt(likelyAddress(random));
  if (kind < 6) return BigInt(random.below(256));
  return kind < 7 ? BigInt.asUintN(64, -BigInt(random.below(4096))) : random.next64();
}

export function randomState(guest: GuestMode, random: Random): CpuState {
  const { code, real } = guest;
  const codeAttributes = real ? 0x9b : code === "long64" ? 0xa09b : code === "compat32" ? 0xc09b : 0x9b;
  const dataAttributes = code === "protected16" ? 0x93 : 0xc093;
  const limit = code === "protected16" ? 0xffff : 0xffffffff;
  const data = (): SegmentState => {
    const selector = real ? random.below(0x10000) : 0x10;
    return segment(selector, dataAttributes, real ? selector << 4 : 0, limit);
  };
  const narrow = code === "long64" ? 64 : 32;
  const gpr = Array.from({ length: 16 }, () => BigInt.asUintN(narrow, value(random)));
  gpr[4] = BigInt(
    random.below(10) === 0 ? likelyAddress(random) : (At.STACK_TOP - random.below(64)) & (real ? 0xffff : -1),
  );
  return {
    gpr,
    rip: BigInt(random.below(At.CODE_END)),
    rflags: 2n | BigInt(random.below(4) === 0 ? 0x200 : 0) | (random.below(30) === 0 ? 0x100n : 0n),
    cs: segment(real ? 0 : code === "long64" ? 0x18 : 0x08, codeAttributes, 0, limit),
    ss: data(),
    ds: data(),
    es: data(),
    fs: data(),
    gs: data(),
    ldtr: segment(0x48, 0x82, At.LDT, 0xff),
    tr: segment(0x48, 0x8b, At.TSS, 0x67),
    gdtr: { base: BigInt(At.GDT), limit: 0xff },
    idtr: { base: BigInt(At.IDT), limit: random.below(8) === 0 ? 0xffff : 0xfff },
    cr0: guest.cr0,
    cr2: 0n,
    cr3: BigInt(guest.cr3),
    cr4: guest.cr4,
    cr8: 0n,
    efer: guest.efer,
  };
}
