/**
 * Extensions of the instruction set that the x86 table does not have, by the names that iced-x86 gives their CPUID
 * features. The comparison of the decoders expects #UD for them, and docs/cpu.md lists them, so that neither says
 * less than the other. VEX-, EVEX- and XOP-encoded instructions (but BMI1 and BMI2) are missing as a whole.
 */

export interface MissingExtensions {
  /** What a reader knows them by. */
  readonly title: string;
  readonly icedFeatures: readonly string[];
  /** What is there instead, or why they are missing, if that is not plain. */
  readonly note?: string;
}

export const missingExtensions: readonly MissingExtensions[] = [
  {
    title: "AVX, AVX2, FMA, F16C, VAES, GFNI, AVX-512, AMX",
    icedFeatures: ["GFNI"],
    note: "VEX prefixes are decoded; the state has room for 256-bit registers",
  },
  { title: "MONITOR, MWAIT, MONITORX, MWAITX, UMWAIT, TPAUSE", icedFeatures: ["MONITOR", "MONITORX", "WAITPKG"], note: "guests idle with HLT" },
  { title: "VMX, SVM, SEV, TDX", icedFeatures: ["VMX", "SVM", "SKINIT_or_SVM", "SEV_ES", "SEV_SNP", "RMPQUERY", "TDX", "TSE"], note: "no nested virtualization" },
  { title: "SMM (RSM), SMX, SGX, PCONFIG, MCOMMIT", icedFeatures: ["SMM", "SMX", "SGX1", "PCONFIG", "MCOMMIT"] },
  { title: "TSX: RTM, HLE, TSXLDTRK", icedFeatures: ["RTM", "HLE_or_RTM", "TSXLDTRK"], note: "XACQUIRE and XRELEASE are ignored, as without HLE" },
  { title: "CET: shadow stacks, indirect-branch tracking", icedFeatures: ["CET_SS", "CET_IBT"], note: "ENDBR and RDSSP are NOPs, as without CET" },
  { title: "INVLPGB, protection keys, HRESET, PTWRITE", icedFeatures: ["INVLPGB", "PKU", "HRESET", "PTWRITE"] },
  { title: "XSAVES, XRSTORS", icedFeatures: ["XSAVES"], note: "there is no supervisor state to save" },
  { title: "FRED, LKGS, UINTR, MSRLIST, WRMSRNS, RDPRU", icedFeatures: ["FRED", "LKGS", "UINTR", "MSRLIST", "WRMSRNS", "RDPRU"] },
  { title: "MOVDIRI, MOVDIR64B, ENQCMD, SERIALIZE, RAO-INT, CLDEMOTE, WBNOINVD, CLZERO", icedFeatures: ["MOVDIRI", "MOVDIR64B", "ENQCMD", "SERIALIZE", "RAO_INT", "CLDEMOTE", "WBNOINVD", "CLZERO"], note: "CLDEMOTE is a NOP and WBNOINVD is WBINVD, as without them" },
  { title: "Key Locker", icedFeatures: ["AESKLE", "KL"] },
  { title: "3DNow!, SSE4a, XOP, FMA4, TBM", icedFeatures: ["D3NOW", "D3NOWEXT", "SSE4A"] },
  { title: "VIA PadLock, OSS, Knights Corner", icedFeatures: ["PADLOCK_ACE", "PADLOCK_GMI", "PADLOCK_PHE", "PADLOCK_PMM", "PADLOCK_RNG", "PADLOCK_UNDOC", "OSS", "KNC"] },
]; // prettier-ignore
