/**
 * The state components that the XSAVE feature set manages, as data, and CPUID leaf 0DH made from them (SDM 1, 13.1 to
 * 13.4; SDM 2A, CPUID). The core (core/xsave.ts) finds out from that leaf which exist and where they lie. A further
 * component is a row here and its loading and saving there: AVX would be bit 2, 256 bytes at 576.
 */
import type { Feature } from "./features.ts";

interface XsaveComponent {
  readonly name: string;
  /** In XCR0, XSTATE_BV and masks. */
  readonly bit: number;
  readonly feature: Feature;
  /** Place in the standard format. Components 0 and 1 lie in the legacy region. */
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

export const xsaveComponents: readonly XsaveComponent[] = [
  { name: "x87", bit: 0, feature: "fpu", offsetBytes: 0, sizeBytes: 160 },
  { name: "SSE", bit: 1, feature: "sse", offsetBytes: 160, sizeBytes: 256 },
];

/** The legacy region and the header, behind which the other components lie. */
const EXTENDED_REGION_AT = 512 + 64;
const FIRST_EXTENDED = 2;

interface XsaveSubleaf {
  readonly subleaf: number;
  readonly eax?: number;
  readonly ebx?: number;
  readonly ecx?: number;
}

/** The subleaves of leaf 0DH, without the features in EAX of subleaf 1. EBX of 0 and 1 follows XCR0 at run time. */
export function xsaveSubleaves(has: ReadonlySet<Feature>): XsaveSubleaf[] {
  if (!has.has("xsave")) return [];
  const components = xsaveComponents.filter(({ feature }) => has.has(feature));
  const extended = components.filter(({ bit }) => bit >= FIRST_EXTENDED);
  const ends = extended.map(({ offsetBytes, sizeBytes }) => offsetBytes + sizeBytes);
  const sizeBytes = Math.max(EXTENDED_REGION_AT, ...ends);
  const mask = components.reduce((bits, { bit }) => bits | (1 << bit), 0);
  return [
    { subleaf: 0, eax: mask, ebx: sizeBytes, ecx: sizeBytes },
    ...extended.map((component) => ({
      subleaf: component.bit,
      eax: component.sizeBytes,
      ebx: component.offsetBytes,
    })),
  ];
}
