/** The PC's DMA controllers. */

export { DmaPair } from "./dma-pair.ts";
