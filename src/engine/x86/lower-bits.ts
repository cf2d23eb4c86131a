/** Meanings of BMI1, BMI2 and ADX: one op each (ir/ops-bits.ts). SDM 2. */
import { operandAt, sizeOf } from "./lower-integer.ts";
import type { Meaning } from "./row.ts";
import { T0, bySizeY, pick } from "./translator.ts";

/** op(reg, r/m, vvvv), in whatever order the manual lists them. */
export const threeOperands = (name: string): Meaning => {
  const ops = bySizeY(name);
  return (form) => {
    const size = sizeOf(operandAt(form, 0));
    return (t) => {
      const w = size(t);
      t.emitLong(pick(ops, w), t.reg(w), t.readRm(w, T0), t.vvvv(), 0, 0);
    };
  };
};

/** op(vvvv, r/m): BLSI, BLSMSK, BLSR. */
export const lowestBit = (name: string): Meaning => {
  const ops = bySizeY(name);
  return (form) => {
    const size = sizeOf(operandAt(form, 0));
    return (t) => {
      const w = size(t);
      t.emit(pick(ops, w), t.vvvv(), t.readRm(w, T0));
    };
  };
};

/** op(reg, r/m, immediate): RORX, whose count is masked here; ADCX and ADOX without one. */
export const twoOperands = (name: string): Meaning => {
  const ops = bySizeY(name);
  return (form) => {
    const size = sizeOf(operandAt(form, 0));
    const hasImmediate = form.operands.length === 3;
    return (t) => {
      const w = size(t);
      const count = hasImmediate ? t.decoder.immediate & ((8 << w) - 1) : 0;
      t.emit(pick(ops, w), t.reg(w), t.readRm(w, T0), count);
    };
  };
};
