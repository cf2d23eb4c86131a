/**
 * Ops that follow each other often enough to share one case of the interpreter: what `runtime/fuse.ts` makes of the
 * first op of such a sequence. The others stay where they are, so that the op at which a fault happens is always
 * known; only the way from one op to the next is spared. No translation appends such an op.
 *
 * The list is what pays most in a boot of Debian's Linux amd64 to its shell, `find /sys /proc` and a hundred processes,
 * chosen one by one (docs/engine.md).
 */
export const sequences: readonly (readonly string[])[] = [
  ["pop64", "ret"],
  ["pop64", "pop64"],
  ["pop64", "pop64", "ret"],
  ["pop64", "pop64", "pop64", "pop64"],
  ["push64", "push64"],
  ["push64", "push64", "push64", "push64"],
  ["push64", "mov64"],
  ["push64", "mov64", "push64", "mov64"],
  ["push64", "mov64", "push64"],
  ["push64", "push64", "mov64"],
  ["push64", "mov32"],
  ["pushi64", "call"],
  ["mov64", "pushi64", "call"],
  ["mov64", "mov64", "pushi64", "call"],
  ["ld64_m64", "pushi64", "call"],
  ["st64_m64", "pushi64", "call"],
  ["lea_m64", "pushi64", "call"],
  ["movi32", "pushi64", "call"],
  ["mov64", "mov64"],
  ["mov64", "mov32"],
  ["mov32", "mov32"],
  ["mov64", "ld64_m64"],
  ["mov64", "jtest64_4"],
  ["xorn32", "mov32"],
  ["addn32", "mov32"],
  ["ld64_m64", "ld64_m64"],
  ["ld64_m64", "ld32_m64"],
  ["ld64_m64", "st64_m64"],
  ["ld64_m64", "mov64"],
  ["ld64_m64", "lea_m64"],
  ["ld64_m64", "add64"],
  ["ld64_m64", "jtest64_4"],
  ["ld64_m64", "jcmpi64_4"],
  ["ld64_m64", "jcmp64_4"],
  ["ld32_m64", "ld32_m64"],
  ["ld32_m64", "jtest32_4"],
  ["ld32_m64", "jtest32_5"],
  ["ldzx8_m64", "jtesti8_4"],
  ["ldzx8_m64", "jtesti8_5"],
  ["ldzx8_m64", "jcmpi8_4"],
  ["ldzx8_m64", "jcmpi8_5"],
  ["st64_m64", "st64_m64"],
  ["movi64", "st64_m64"],
  ["movi64", "st64_m64", "movi64", "st64_m64"],
  ["movi64", "st32_m64"],
  ["movi64", "st8_m64"],
  ["ldw32_m64", "inc32", "st32_m64"],
  ["ldw32_m64", "dec32", "st32_m64"],
];

/** Name of the op that runs a sequence. */
export const sequenceName = (parts: readonly string[]): string => parts.join("+");
