/** Paravirtual interfaces towards guests that know KVM. */

export { KVM_CPUID, KvmClock, TSC_HZ } from "./kvm-clock.ts";
export type { CpuidLeaf, KvmClockParts } from "./kvm-clock.ts";
