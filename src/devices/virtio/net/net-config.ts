/** Features, configuration, queues and headers of the network device (Virtual I/O Device 1.2, sections 5.1.2 to 5.1.6). */

import { defineRegisters } from "../../../hw/index.ts";
import { ETHERNET_MTU_BYTES } from "../../../net/index.ts";

export const NET_FEATURE = {
  csum: 0,
  guestCsum: 1,
  mtu: 3,
  mac: 5,
  guestTso4: 7,
  hostTso4: 11,
  hostTso6: 12,
  hostEcn: 13,
  mergeableBuffers: 15,
  status: 16,
  controlQueue: 17,
  controlReceive: 18,
  controlVlan: 19,
  controlReceiveExtra: 20,
  guestAnnounce: 21,
  controlMacAddress: 23,
} as const;

export const NET_QUEUE = { receive: 0, transmit: 1, control: 2 } as const;
/** More is more than iPXE's driver can take. */
export const NET_QUEUE_SIZE = 256;
export const CONTROL_QUEUE_SIZE = 64;

export const NET_STATUS = { linkUp: 1, announce: 2 } as const;
export const NET_CONFIG_BYTES = 12;

export const netRegisters = (macAddress: Uint8Array) => {
  const byte = (index: number) =>
    ({ at: index, reset: macAddress[index] ?? 0, write: "macWritten" }) as const;
  return defineRegisters({
    mac0: byte(0),
    mac1: byte(1),
    mac2: byte(2),
    mac3: byte(3),
    mac4: byte(4),
    mac5: byte(5),
    status: { at: 6, size: 2, reset: 0, writable: 0 },
    maxVirtqueuePairs: { at: 8, size: 2, reset: 1, writable: 0 },
    mtu: { at: 10, size: 2, reset: ETHERNET_MTU_BYTES, writable: 0 },
  });
};
export type NetRegisters = ReturnType<typeof netRegisters>;
export const MAC_REGISTERS = ["mac0", "mac1", "mac2", "mac3", "mac4", "mac5"] as const;

/** Offsets in the header that is before each frame; the count of buffers is there in version 1 or if they are merged. */
export const NET_HEADER = {
  flags: 0,
  gsoType: 1,
  headerLength: 2,
  gsoSize: 4,
  checksumStart: 6,
  checksumOffset: 8,
  bufferCount: 10,
} as const;
export const NET_HEADER_BYTES = 12;
export const LEGACY_NET_HEADER_BYTES = 10;

export const HEADER_FLAG = { needsChecksum: 1, dataValid: 2 } as const;
export const GSO = { none: 0, tcp4: 1, tcp6: 4, ecn: 0x80 } as const;
