/** The flags of Tlopen and Tlcreate: those of Linux's open(2) as most architectures number them, whatever the guest's. */

import { ERRNO } from "../../../share/index.ts";
import type { FileAccess } from "../../../share/index.ts";
import { RequestFault } from "./messages.ts";

const OPEN = {
  accessMask: 0o3,
  readOnly: 0,
  writeOnly: 0o1,
  readWrite: 0o2,
  exclusive: 0o200,
  truncate: 0o1000,
  append: 0o2000,
  dataSynchronous: 0o10000,
} as const;

export function accessOf(flags: number): FileAccess {
  const access = flags & OPEN.accessMask;
  if (access === OPEN.accessMask) throw new RequestFault(ERRNO.EINVAL);
  return {
    reads: access !== OPEN.writeOnly,
    writes: access !== OPEN.readOnly,
    appends: (flags & OPEN.append) !== 0,
    truncates: (flags & OPEN.truncate) !== 0,
    // O_SYNC has this bit too.
    isSynchronous: (flags & OPEN.dataSynchronous) !== 0,
  };
}

export const mustBeNew = (flags: number): boolean => (flags & OPEN.exclusive) !== 0;
