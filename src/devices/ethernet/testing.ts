/** TCP frames for the tests of cards that segment them and compute their checksums. */

import type { SegmentLayout } from "./tcp-segmentation.ts";

export interface TcpFrameParts {
  readonly isIpv6?: boolean;
  readonly vlan?: number;
  readonly to?: readonly number[];
  readonly data: Uint8Array;
  /** Bytes of options, multiples of 4. */
  readonly ipOptions?: number;
  readonly tcpOptions?: number;
  readonly sequence?: number;
  readonly identification?: number;
  readonly flags?: number;
}

const FROM = [0x52, 0x55, 0x0a, 0, 2, 2];

/** A frame whose lengths and checksums are still to be filled in, and where its parts are. */
export function tcpFrame(parts: TcpFrameParts): {
  frame: Uint8Array;
  layout: Omit<SegmentLayout, "segmentBytes">;
} {
  const { isIpv6 = false, vlan, to = FROM, data, ipOptions = 0, tcpOptions = 0 } = parts;
  const { sequence = 1000, identification = 1, flags = 0x10 } = parts;
  const ipOffset = vlan === undefined ? 14 : 18;
  const tcpOffset = ipOffset + (isIpv6 ? 40 : 20 + ipOptions);
  const headerBytes = tcpOffset + 20 + tcpOptions;
  const frame = new Uint8Array(headerBytes + data.length);
  const view = new DataView(frame.buffer);
  frame.set([...to, ...FROM]);
  if (vlan !== undefined) {
    view.setUint16(12, 0x8100);
    view.setUint16(14, vlan);
  }
  view.setUint16(ipOffset - 2, isIpv6 ? 0x86dd : 0x0800);
  const addresses = Array.from({ length: isIpv6 ? 32 : 8 }, (_, index) => 0xa0 + index);
  if (isIpv6) {
    frame.set([0x60, 0, 0, 0, 0, 0, 6, 64, ...addresses], ipOffset);
  } else {
    frame.set([0x45 + ipOptions / 4, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0, ...addresses], ipOffset);
    view.setUint16(ipOffset + 4, identification);
    frame.fill(1, ipOffset + 20, tcpOffset);
  }
  frame.set([0x30, 0x39, 0, 80], tcpOffset);
  view.setUint32(tcpOffset + 4, sequence);
  frame[tcpOffset + 12] = ((20 + tcpOptions) / 4) << 4;
  frame[tcpOffset + 13] = flags;
  view.setUint16(tcpOffset + 14, 0x7210);
  frame.fill(1, tcpOffset + 20, headerBytes);
  frame.set(data, headerBytes);
  return { frame, layout: { isIpv6, ipOffset, tcpOffset, headerBytes } };
}
