/**
 * What an ISA device has of the PC's DMA controllers: a request line, and the bytes that go when it is served. Where in
 * memory they go, how many and in which direction is what the guest has programmed into the channel.
 */

export interface IsaDmaTransfer {
  /** Bytes that went, at most as many as were offered; 0 while the channel does not serve the device. */
  readonly countBytes: number;
  /** Terminal count: the last byte that the guest has programmed the channel for was among them. */
  readonly isTerminal: boolean;
}

export interface IsaDmaChannel {
  /** DREQ. The guest sees it in the status register. */
  setRequest(isRequested: boolean): void;
  /** `granted` is called when the guest has made the channel serve a request that is up; one device listens. */
  onGrant(granted: () => void): void;
  /** The device's bytes, from the start of `source`, to memory. Nothing goes when the guest programmed the other way. */
  toMemory(source: Uint8Array): IsaDmaTransfer;
  /** Bytes of memory to the start of `target`. */
  fromMemory(target: Uint8Array): IsaDmaTransfer;
}
