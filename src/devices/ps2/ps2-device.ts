/** What the keyboard controller knows of a device on one of its two PS/2 connectors. */

export interface Ps2Device {
  /** A byte from the host arrives; the device answers by queueing bytes. */
  receive(byte: number): void;
  /** Whether the device has a byte to send. */
  readonly hasByte: boolean;
  /** The next byte to send, which leaves the device. */
  takeByte(): number;
  /** Called by the device when it comes to have bytes; set by the controller. */
  onByte: () => void;
}

/** Replies that every PS/2 device gives. */
export const PS2_REPLY = { acknowledge: 0xfa, selfTestPassed: 0xaa, resend: 0xfe } as const;
