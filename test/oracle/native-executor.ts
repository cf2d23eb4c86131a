/** The real CPU as an executor of instruction cases. */

import { type InstructionCase, resolveCase } from "./instruction-case.ts";
import { type NativeOracle, startNativeOracle } from "./native-oracle.ts";
import { type CpuExecutor, type CpuOutcome, outcomeOf } from "./outcome.ts";

export class NativeExecutor implements CpuExecutor, AsyncDisposable {
  readonly name = "real CPU";
  readonly #oracle: NativeOracle;

  constructor(oracle: NativeOracle = startNativeOracle()) {
    this.#oracle = oracle;
  }

  async execute(cases: readonly InstructionCase[]): Promise<CpuOutcome[]> {
    const resolved = cases.map(resolveCase);
    const answers = await this.#oracle.run(resolved.map((each) => each.state));
    return resolved.map((each, index) => {
      const answer = answers[index];
      if (answer === undefined) throw new Error(`the oracle gave no answer to ${each.source.name}`);
      return outcomeOf(each, answer);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#oracle.close();
  }
}
