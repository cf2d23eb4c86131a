/**
 * Operator and host errors, the third kind: something outside our code was wrong (a file, an option, a host
 * limit). Each is a code from a closed set and one sentence a user can act on; apps map the code once to an
 * exit status or HTTP status. A failure that is expected is returned as a Result; where a signature has no room
 * for one (constructors, restore) it is thrown as an OperatorFault.
 */

/** What went wrong, in a form that a program (code) and a person (message) can act on. */
export interface OperatorError<Code extends string = string> {
  readonly code: Code;
  /** One sentence, naming the file, option or limit, without a stack trace. */
  readonly message: string;
}

export type Result<T, E extends OperatorError = OperatorError> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: E };

export function ok<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

export function err<Code extends string>(
  code: Code,
  message: string,
): { readonly ok: false; readonly error: OperatorError<Code> } {
  return { ok: false, error: { code, message } };
}

/** An OperatorError travelling as an exception. */
export class OperatorFault extends Error {
  override readonly name = "OperatorFault";
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** The value, or the error thrown as an {@link OperatorFault}. */
export function unwrap<T>(result: Result<T>): T {
  if (!result.ok) throw new OperatorFault(result.error.code, result.error.message);
  return result.value;
}
