// RDRAND and RDSEED: the host's random bits (SDM 1, 7.3.17). They never run out, so CF is always set.
import { S } from "./state";
import { setFlags } from "./flags";
import { FLAG_CF } from "./control-bits";
import { entropyU32 } from "./host";

export function h_random(d: u32, s: u32, imm: i32): u32 {
  const low: u64 = entropyU32();
  store<u64>(S + d, low | (<u64>entropyU32() << 32));
  setFlags(FLAG_CF);
  return 0;
}
