/**
 * Direct memory access: the only way of a device to guest memory. Addresses are what the guest has put into descriptors
 * and registers, so each call says whether all of the bytes are the VM's own RAM; where they are not, nothing has
 * happened, as on a bus where nobody answers, and the device reports what its specification says for that.
 */

export interface Dma {
  /** Copies guest memory at `gpa` to `target`; false when not all of it is RAM. */
  read(gpa: number, target: Uint8Array): boolean;
  /** Copies `source` to guest memory at `gpa`; false when not all of it is RAM. */
  write(gpa: number, source: Uint8Array): boolean;
  /**
   * The bytes of guest memory themselves, to be read before control returns to the guest; undefined when not all of them
   * are RAM.
   */
  readable(gpa: number, lengthBytes: number): Uint8Array | undefined;
  /** The same, to be written before control returns to the guest. */
  writable(gpa: number, lengthBytes: number): Uint8Array | undefined;
  /**
   * Gives up what the whole pages of 4 KiB in [gpa, gpa + lengthBytes) hold: the guest has no use for it. They read as
   * zero afterwards, or, where the host cannot free them, as before. False when not all of it is RAM.
   */
  discard(gpa: number, lengthBytes: number): boolean;
}
