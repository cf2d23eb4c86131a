// The floating-point and SIMD part of the core: every helper that helpers-x87.ts and helpers-sse.ts declare.
export * from "./sse-float";
