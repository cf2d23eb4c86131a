/**
 * The two address spaces a guest reaches devices through, seen from both sides: handlers are what devices
 * implement, MachineBus is what an accelerator calls while a vCPU runs. All calls are synchronous.
 */

export type AccessSize = 1 | 2 | 4;

/** Serves a range of I/O ports. Offsets count from the start of the claim; an access never leaves the claim. */
export interface PortHandler {
  /** A u32 whose bits above `size` bytes are zero. */
  readPort(offset: number, size: AccessSize): number;
  writePort(offset: number, size: AccessSize, value: number): void;
}

/** Serves a range of guest-physical addresses. As with ports, an access never leaves the claim. */
export interface MmioHandler {
  readMmio(offset: number, size: AccessSize): number;
  writeMmio(offset: number, size: AccessSize, value: number): void;
}

/**
 * What an accelerator calls while a vCPU runs. Accesses of 8 bytes arrive split into two of 4, low half first.
 * Port accesses that wrap past 0xFFFF continue at port 0.
 */
export interface MachineBus {
  readPort(port: number, size: AccessSize): number;
  writePort(port: number, size: AccessSize, value: number): void;
  readMmio(gpa: number, size: AccessSize): number;
  writeMmio(gpa: number, size: AccessSize, value: number): void;
  /** The INTA cycle: the vector (0–255) of the interrupt being taken, which thereby becomes "in service". */
  acknowledgeInterrupt(): number;
  /** An MSR the engine does not own; undefined raises #GP. */
  readMsr(index: number): bigint | undefined;
  /** False raises #GP. */
  writeMsr(index: number, value: bigint): boolean;
  /** The guest has set the task priority class, 0–15, through CR8; Vcpu.setTaskPriority is the way back. */
  taskPriorityChanged(priorityClass: number): void;
  /** The TSC is guest time plus this signed number of nanoseconds from now on. */
  tscOffsetChanged(offsetNs: bigint): void;
}

/** The value of an access that is served byte by byte: each byte is read once, the low one first. */
export function readBytes(size: AccessSize, readByte: (index: number) => number): number {
  let value = 0;
  for (let index = 0; index < size; index++) value |= readByte(index) << (8 * index);
  return value >>> 0;
}
