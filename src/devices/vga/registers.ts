/**
 * The registers of the VGA (IBM Personal System/2 Hardware Interface Technical Reference, "Video Subsystem"), with
 * the values of text mode 3 (80 × 25 characters of 9 × 16) that firmware's self-test leaves.
 */

import { defineRegisters } from "../../hw/index.ts";

/** Offsets from port 3B0h. The CRT controller answers at 3Bxh or 3Dxh, as the miscellaneous register says. */
export const PORT_REGISTERS = defineRegisters({
  crtcIndexMono: { at: 0x04, read: "readCrtcIndexMono", write: "writeCrtcIndexMono" },
  crtcDataMono: { at: 0x05, read: "readCrtcDataMono", write: "writeCrtcDataMono" },
  inputStatus1Mono: { at: 0x0a, access: "ro", read: "readInputStatus1Mono" },
  featureControlMono: { at: 0x0a, access: "wo", write: "writeFeatureControl" },
  attributeAddress: { at: 0x10, read: "readAttributeAddress", write: "writeAttribute" },
  attributeData: { at: 0x11, access: "ro", read: "readAttributeData" },
  inputStatus0: { at: 0x12, access: "ro", read: "readInputStatus0" },
  miscellaneousWrite: { at: 0x12, access: "wo", write: "writeMiscellaneous" },
  subsystemEnable: { at: 0x13, reset: 0x01, writable: 0x01 },
  sequencerIndex: { at: 0x14, reset: 0, writable: 0x07 },
  sequencerData: { at: 0x15, read: "readSequencer", write: "writeSequencer" },
  pixelMask: { at: 0x16, reset: 0xff },
  dacState: { at: 0x17, access: "ro", read: "readDacState" },
  dacReadIndex: { at: 0x17, access: "wo", write: "startDacRead" },
  dacWriteIndex: { at: 0x18, reset: 0, write: "startDacWrite" },
  dacData: { at: 0x19, read: "readDac", write: "writeDac" },
  featureControl: { at: 0x1a, access: "ro", reset: 0 },
  miscellaneous: { at: 0x1c, access: "ro", reset: 0x67 },
  graphicsIndex: { at: 0x1e, reset: 0, writable: 0x0f },
  graphicsData: { at: 0x1f, read: "readGraphics", write: "writeGraphics" },
  crtcIndex: { at: 0x24, read: "readCrtcIndex", write: "writeCrtcIndex" },
  crtcData: { at: 0x25, read: "readCrtcData", write: "writeCrtcData" },
  inputStatus1: { at: 0x2a, access: "ro", read: "readInputStatus1" },
  featureControlWrite: { at: 0x2a, access: "wo", write: "writeFeatureControl" },
});

export const SEQUENCER_REGISTERS = defineRegisters({
  reset: { at: 0, reset: 0x03 },
  clockingMode: { at: 1, reset: 0x00 },
  mapMask: { at: 2, reset: 0x03 },
  characterMapSelect: { at: 3, reset: 0x00 },
  memoryMode: { at: 4, reset: 0x02 },
});

export const CRTC_REGISTERS = defineRegisters({
  horizontalTotal: { at: 0x00, reset: 0x5f },
  horizontalDisplayEnd: { at: 0x01, reset: 0x4f },
  startHorizontalBlanking: { at: 0x02, reset: 0x50 },
  endHorizontalBlanking: { at: 0x03, reset: 0x82 },
  startHorizontalRetrace: { at: 0x04, reset: 0x55 },
  endHorizontalRetrace: { at: 0x05, reset: 0x81 },
  verticalTotal: { at: 0x06, reset: 0xbf },
  overflow: { at: 0x07, reset: 0x1f },
  presetRowScan: { at: 0x08, reset: 0x00 },
  maximumScanLine: { at: 0x09, reset: 0x4f },
  cursorStart: { at: 0x0a, reset: 0x0d },
  cursorEnd: { at: 0x0b, reset: 0x0e },
  startAddressHigh: { at: 0x0c, reset: 0x00 },
  startAddressLow: { at: 0x0d, reset: 0x00 },
  cursorLocationHigh: { at: 0x0e, reset: 0x00 },
  cursorLocationLow: { at: 0x0f, reset: 0x00 },
  verticalRetraceStart: { at: 0x10, reset: 0x9c },
  verticalRetraceEnd: { at: 0x11, reset: 0x8e },
  verticalDisplayEnd: { at: 0x12, reset: 0x8f },
  offset: { at: 0x13, reset: 0x28 },
  underlineLocation: { at: 0x14, reset: 0x1f },
  startVerticalBlanking: { at: 0x15, reset: 0x96 },
  endVerticalBlanking: { at: 0x16, reset: 0xb9 },
  modeControl: { at: 0x17, reset: 0xa3 },
  lineCompare: { at: 0x18, reset: 0xff },
});

export const GRAPHICS_REGISTERS = defineRegisters({
  setReset: { at: 0, reset: 0x00 },
  enableSetReset: { at: 1, reset: 0x00 },
  colorCompare: { at: 2, reset: 0x00 },
  dataRotate: { at: 3, reset: 0x00 },
  readMapSelect: { at: 4, reset: 0x00 },
  mode: { at: 5, reset: 0x10 },
  miscellaneous: { at: 6, reset: 0x0e },
  colorDoNotCare: { at: 7, reset: 0x00 },
  bitMask: { at: 8, reset: 0xff },
});

export const ATTRIBUTE_REGISTERS = defineRegisters({
  palette0: { at: 0x00, reset: 0x00 },
  palette1: { at: 0x01, reset: 0x01 },
  palette2: { at: 0x02, reset: 0x02 },
  palette3: { at: 0x03, reset: 0x03 },
  palette4: { at: 0x04, reset: 0x04 },
  palette5: { at: 0x05, reset: 0x05 },
  palette6: { at: 0x06, reset: 0x14 },
  palette7: { at: 0x07, reset: 0x07 },
  palette8: { at: 0x08, reset: 0x38 },
  palette9: { at: 0x09, reset: 0x39 },
  palette10: { at: 0x0a, reset: 0x3a },
  palette11: { at: 0x0b, reset: 0x3b },
  palette12: { at: 0x0c, reset: 0x3c },
  palette13: { at: 0x0d, reset: 0x3d },
  palette14: { at: 0x0e, reset: 0x3e },
  palette15: { at: 0x0f, reset: 0x3f },
  modeControl: { at: 0x10, reset: 0x0c },
  overscanColor: { at: 0x11, reset: 0x00 },
  colorPlaneEnable: { at: 0x12, reset: 0x0f },
  horizontalPanning: { at: 0x13, reset: 0x08 },
  colorSelect: { at: 0x14, reset: 0x00 },
});
