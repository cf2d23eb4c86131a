/**
 * Which status flags instructions read, define and leave undefined, so that random programs never depend on what the
 * architecture leaves open. SDM 1, appendix A. Only instructions that programs use are here.
 */
import { AF, CF, OF, PF, SF, STATUS_FLAGS, ZF } from "../../src/engine/ir/flags.ts";
import { conditionNames } from "../../src/engine/x86/spec-integer.ts";

export interface FlagEffect {
  readonly reads: number;
  /** Flags that have a defined value afterwards, whatever they were before. */
  readonly defines: number;
  /** Flags that afterwards may be anything. */
  readonly undefines: number;
}

const effect = (reads: number, defines: number, undefines = 0): FlagEffect => ({ reads, defines, undefines });
const NONE = effect(0, 0);
const ARITHMETIC = effect(0, STATUS_FLAGS);
const LOGIC = effect(0, STATUS_FLAGS & ~AF, AF);

/** Flags that each pair of condition codes looks at. */
const conditionFlags = [OF, CF, ZF, CF | ZF, SF, PF, SF | OF, ZF | SF | OF] as const;
export const flagsOfCondition = (code: number): number => conditionFlags[code >> 1] ?? STATUS_FLAGS;

/** Of a shift or rotate by a count; undefined if the count is in CL and so not known. */
function shiftEffect(mnemonic: string, count: number | undefined, bits: number): FlagEffect {
  const isRotate = /^r[oc][lr]$/.test(mnemonic);
  const reads = mnemonic === "rcl" || mnemonic === "rcr" ? CF : 0;
  if (count === undefined) return effect(reads, 0, isRotate ? OF : STATUS_FLAGS);
  const masked = count & (bits === 64 ? 63 : 31);
  if (masked === 0) return effect(reads, 0);
  const of = masked === 1 ? OF : 0;
  if (isRotate) return effect(reads, CF | of, OF & ~of);
  const carry = masked < bits || (mnemonic === "sar" && masked >= bits) ? CF : 0;
  return effect(0, SF | ZF | PF | carry | of, AF | (OF & ~of) | (CF & ~carry));
}

const byMnemonic: Readonly<Record<string, FlagEffect>> = {
  add: ARITHMETIC,
  sub: ARITHMETIC,
  cmp: ARITHMETIC,
  neg: ARITHMETIC,
  xadd: ARITHMETIC,
  cmpxchg: ARITHMETIC,
  adc: effect(CF, STATUS_FLAGS),
  sbb: effect(CF, STATUS_FLAGS),
  and: LOGIC,
  or: LOGIC,
  xor: LOGIC,
  test: LOGIC,
  inc: effect(0, STATUS_FLAGS & ~CF),
  dec: effect(0, STATUS_FLAGS & ~CF),
  imul: effect(0, CF | OF, SF | ZF | AF | PF),
  mul: effect(0, CF | OF, SF | ZF | AF | PF),
  bt: effect(0, CF, OF | SF | AF | PF),
  bts: effect(0, CF, OF | SF | AF | PF),
  btr: effect(0, CF, OF | SF | AF | PF),
  btc: effect(0, CF, OF | SF | AF | PF),
  bsf: effect(0, ZF, CF | OF | SF | AF | PF),
  bsr: effect(0, ZF, CF | OF | SF | AF | PF),
  tzcnt: effect(0, ZF | CF, OF | SF | AF | PF),
  lzcnt: effect(0, ZF | CF, OF | SF | AF | PF),
  popcnt: ARITHMETIC,
  andn: effect(0, ZF | SF | CF | OF, AF | PF),
  bextr: effect(0, ZF | CF | OF, AF | SF | PF),
  blsi: effect(0, ZF | SF | CF | OF, AF | PF),
  blsmsk: effect(0, ZF | SF | CF | OF, AF | PF),
  blsr: effect(0, ZF | SF | CF | OF, AF | PF),
  bzhi: effect(0, ZF | SF | CF | OF, AF | PF),
  mulx: NONE,
  pdep: NONE,
  pext: NONE,
  rorx: NONE,
  sarx: NONE,
  shlx: NONE,
  shrx: NONE,
  adcx: effect(CF, CF),
  adox: effect(OF, OF),
  cmpxchg8b: effect(0, ZF),
  cmpxchg16b: effect(0, ZF),
  not: NONE,
  mov: NONE,
  movzx: NONE,
  movsx: NONE,
  movsxd: NONE,
  movbe: NONE,
  xchg: NONE,
  bswap: NONE,
  lea: NONE,
  cbw: NONE,
  cwd: NONE,
  sahf: effect(0, CF | PF | AF | ZF | SF),
  lahf: effect(CF | PF | AF | ZF | SF, 0),
  cmc: effect(CF, CF),
  clc: effect(0, CF),
  stc: effect(0, CF),
  comiss: ARITHMETIC,
  comisd: ARITHMETIC,
  ucomiss: ARITHMETIC,
  ucomisd: ARITHMETIC,
  ptest: ARITHMETIC,
  pcmpestri: ARITHMETIC,
  pcmpestrm: ARITHMETIC,
  pcmpistri: ARITHMETIC,
  pcmpistrm: ARITHMETIC,
  fcmovb: effect(CF, 0),
  fcmovnb: effect(CF, 0),
  fcmove: effect(ZF, 0),
  fcmovne: effect(ZF, 0),
  fcmovbe: effect(CF | ZF, 0),
  fcmovnbe: effect(CF | ZF, 0),
  fcmovu: effect(PF, 0),
  fcmovnu: effect(PF, 0),
};

const SHIFTS = /^(rol|ror|rcl|rcr|shl|shr|sar|shld|shrd)$/;

/** The effect of an instruction on the flags, or undefined if programs do not use it. */
export function flagEffectOf(
  mnemonic: string,
  count: number | undefined,
  bits: number,
): FlagEffect | undefined {
  if (SHIFTS.test(mnemonic)) return shiftEffect(mnemonic, count, bits);
  const condition = /^(?:set|cmov)(\w+)$/.exec(mnemonic)?.[1];
  if (condition !== undefined) {
    const code = conditionNames.findIndex((name) => name === condition);
    return code < 0 ? undefined : effect(flagsOfCondition(code), 0);
  }
  return byMnemonic[mnemonic];
}
