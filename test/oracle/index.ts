/** The oracle: what the rest of the tests may use of it. */

export { compareOutcomes, describeDifferences, type Difference, exitText, flagsText } from "./compare.ts";
export { disassemble } from "./disassemble.ts";
export {
  DEFAULT_FCW,
  DEFAULT_FP,
  DEFAULT_MXCSR,
  FpImage,
  FXSAVE_BYTES,
  XSAVE_AVX_BYTES,
} from "./fp-image.ts";
export {
  type Code,
  type InitialState,
  type InstructionCase,
  parseCode,
  type ResolvedCase,
  resolveCase,
  type Undefined,
} from "./instruction-case.ts";
export * from "./layout.ts";
export { decodeResult, GPR_SLOT, RESULT, SIGNAL, SLOT } from "./protocol.ts";
export { recordsAgree, type ResultRecord, ripOf, SIGNAL_LOST, vectorOf } from "./result-record.ts";
export { NativeExecutor } from "./native-executor.ts";
export {
  type NativeAnswer,
  type NativeCase,
  type NativeRecord,
  type NativeOracle,
  oracleSupport,
  type OracleSupport,
  startNativeOracle,
} from "./native-oracle.ts";
export {
  type CaseExit,
  type CpuExecutor,
  type CpuOutcome,
  exceptionExit,
  initialContents,
  memoryChangesOf,
  outcomeOf,
  VECTOR,
} from "./outcome.ts";
export * from "./state.ts";
export * from "./values.ts";
export { isWithinUnit, isWithinUnitAtUnderflow, isWithinUnits, rank } from "./x87-nearness.ts";
export { RecordedExecutor, recordVectors } from "./recorded-vectors.ts";
