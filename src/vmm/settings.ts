/**
 * A small kit for settings that people write: one declaration gives the type, the validation with its sentences, and
 * the text of the command line's help. Unknown keys are refused. Values may be of their own type (from a program) or
 * text (from a command line).
 */

import { GiB, KiB, MiB, ok } from "../base/index.ts";
import type { OperatorError, Result } from "../base/index.ts";

/** What is wrong with a setting: `option` and `problem` make a sentence in whatever words name settings there. */
export interface SettingError extends OperatorError<"bad-setting"> {
  readonly option: string;
  /** To follow the setting's name, without a full stop. */
  readonly problem: string;
}

export interface Setting<Out, In, Option extends string = string> {
  /** Its name on the command line (with two dashes) and as a key of the input. */
  readonly option: Option;
  /** What stands for the value in the help. */
  readonly placeholder: string;
  readonly help: string;
  /** Shown in the help; undefined where there is no default. */
  readonly defaultText: string | undefined;
  /** Given several times, the values form a list. */
  readonly isList: boolean;
  /** Not in help and completion: it accepts nothing here. */
  readonly isHidden?: boolean;
  /** `undefined` means that it was not given. */
  parse(value: unknown): Result<Out, SettingError>;
  /** Never there: carries the type of what people may write. */
  readonly input?: In;
}

interface Words<Option extends string> {
  readonly option: Option;
  readonly help: string;
}

export function wrong(option: string, problem: string): { readonly ok: false; readonly error: SettingError } {
  const message = `The setting ${option} ${problem}.`;
  return { ok: false, error: { code: "bad-setting", message, option, problem } };
}

const missing = (option: string): Result<never, SettingError> => wrong(option, "is missing");

/** A value as its sentence quotes it. */
function shown(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : typeof value;
}

/** Some text, with a test of its own; required unless a default is given. */
export function textSetting<const Option extends string>(
  words: Words<Option> & {
    readonly placeholder: string;
    readonly default?: string;
    /** What is wrong with the text, to follow the setting's name in a sentence. */
    readonly problem?: (text: string) => string | undefined;
  },
): Setting<string, string, Option> {
  const { option, help, placeholder, default: fallback, problem } = words;
  return {
    option,
    placeholder,
    help,
    defaultText: fallback === undefined || fallback === "" ? undefined : fallback,
    isList: false,
    parse(value: unknown) {
      const text = value ?? fallback;
      if (text === undefined) return missing(option);
      if (typeof text !== "string") return wrong(option, "must be text");
      const isWrong = problem?.(text);
      return isWrong === undefined ? ok(text) : wrong(option, isWrong);
    },
  };
}

/** Some text that may be left out. */
export function optionalTextSetting<const Option extends string>(
  words: Words<Option> & {
    readonly placeholder: string;
    readonly problem?: (text: string) => string | undefined;
  },
): Setting<string | undefined, string, Option> {
  const { option, help, placeholder, problem } = words;
  return {
    option,
    placeholder,
    help,
    defaultText: undefined,
    isList: false,
    parse(value: unknown) {
      if (value === undefined) return ok(undefined);
      if (typeof value !== "string") return wrong(option, "must be text");
      const isWrong = problem?.(value);
      return isWrong === undefined ? ok(value) : wrong(option, isWrong);
    },
  };
}

const UNIT_BYTES: Readonly<Record<string, number>> = { "": MiB, K: KiB, M: MiB, G: GiB };

/** "256M", "1G", "512K"; a bare number means MiB. A number from a program is bytes. */
export function sizeSetting<const Option extends string>(
  words: Words<Option> & {
    readonly defaultText: string;
    readonly minBytes: number;
    readonly maxBytes: number;
    readonly multipleOfBytes: number;
  },
): Setting<number, string | number, Option> {
  const { option, help, defaultText, minBytes, maxBytes, multipleOfBytes } = words;
  const bytesOf = (value: unknown): number | undefined => {
    if (typeof value === "number") return value;
    const match = typeof value === "string" ? /^(\d{1,9})([KMG]?)(?:i?B)?$/i.exec(value) : null;
    const unit = UNIT_BYTES[match?.[2]?.toUpperCase() ?? ""];
    return match === null || unit === undefined ? undefined : Number(match[1]) * unit;
  };
  return {
    option,
    placeholder: "SIZE",
    help,
    defaultText,
    isList: false,
    parse(value: unknown) {
      const bytes = bytesOf(value ?? defaultText);
      if (bytes === undefined || !Number.isSafeInteger(bytes)) {
        return wrong(option, `must be a size like 256M or 1G; "${shown(value)}" is none`);
      }
      if (bytes < minBytes || bytes > maxBytes) {
        const range = `between ${minBytes / MiB} and ${maxBytes / MiB} MiB`;
        return wrong(option, `must be ${range}; "${shown(value)}" is not`);
      }
      if (bytes % multipleOfBytes !== 0) {
        return wrong(option, `must be a multiple of ${multipleOfBytes / KiB} KiB`);
      }
      return ok(bytes);
    },
  };
}

/** A whole number of things, as text or as a number. */
export function countSetting<const Option extends string>(
  words: Words<Option> & { readonly default: number; readonly minCount: number; readonly maxCount: number },
): Setting<number, string | number, Option> {
  const { option, help, default: fallback, minCount, maxCount } = words;
  return {
    option,
    placeholder: "COUNT",
    help,
    defaultText: String(fallback),
    isList: false,
    parse(value: unknown = fallback) {
      const count = typeof value === "string" && /^\d{1,9}$/.test(value) ? Number(value) : value;
      const isCount = typeof count === "number" && Number.isInteger(count);
      if (isCount && count >= minCount && count <= maxCount) return ok(count);
      return wrong(option, `must be a number from ${minCount} to ${maxCount}; "${shown(value)}" is not`);
    },
  };
}

/** A positive number of seconds that may be left out. */
export function secondsSetting<const Option extends string>(
  words: Words<Option> & { readonly maxSeconds: number },
): Setting<number | undefined, string | number, Option> {
  const { option, help, maxSeconds } = words;
  return {
    option,
    placeholder: "SECONDS",
    help,
    defaultText: undefined,
    isList: false,
    parse(value: unknown) {
      if (value === undefined) return ok(undefined);
      const seconds = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
      if (typeof seconds === "number" && seconds > 0 && seconds <= maxSeconds) return ok(seconds);
      return wrong(
        option,
        `must be a number of seconds above 0 and at most ${maxSeconds}; "${shown(value)}" is not`,
      );
    },
  };
}

/** One of a few words. */
export function choiceSetting<const Option extends string, const Choice extends string>(
  words: Words<Option> & { readonly choices: readonly Choice[]; readonly default: Choice },
): Setting<Choice, Choice, Option> {
  const { option, help, choices, default: fallback } = words;
  return {
    option,
    placeholder: choices.join("|"),
    help,
    defaultText: fallback,
    isList: false,
    parse(value: unknown = fallback) {
      const chosen = choices.find((choice) => choice === value);
      if (chosen !== undefined) return ok(chosen);
      return wrong(option, `must be one of ${choices.join(", ")}; "${shown(value)}" is not`);
    },
  };
}

/** Any number of texts, at most `maxCount`; with `choices`, each at most once and one of them. */
export function listSetting<const Option extends string, Item extends string = string>(
  words: Words<Option> & {
    readonly placeholder: string;
    readonly maxCount: number;
    readonly choices?: readonly Item[];
  },
): Setting<readonly Item[], readonly Item[] | Item, Option> {
  const { option, help, placeholder, maxCount, choices } = words;
  const isItem = (item: unknown): item is Item =>
    typeof item === "string" && (choices === undefined || choices.some((choice) => choice === item));
  return {
    option,
    placeholder: choices?.join("|") ?? placeholder,
    help,
    defaultText: undefined,
    isList: true,
    parse(value: unknown = []) {
      const given: unknown[] = Array.isArray(value) ? value : [value];
      if (given.length > maxCount) {
        return wrong(option, `may be given at most ${maxCount} times`);
      }
      const items: Item[] = [];
      for (const item of given) {
        if (!isItem(item)) {
          const expected = choices === undefined ? "text" : `one of ${choices.join(", ")}`;
          return wrong(option, `must be ${expected}; "${shown(item)}" is not`);
        }
        if (choices === undefined || !items.includes(item)) items.push(item);
      }
      return ok(items);
    },
  };
}

/** What a person or a program writes: keys are the option names, and everything with a default may be left out. */
export type SettingsInput<S extends Readonly<Record<string, Setting<unknown, unknown>>>> = {
  readonly [Key in keyof S as S[Key]["option"]]?: S[Key] extends Setting<unknown, infer In>
    ? In | undefined
    : never;
};

/** Reads one setting of an input. */
export type SettingReader = <Out>(setting: Setting<Out, unknown>) => Out;

/** Runs `read` over an input that must be an object without other keys than those of `settings`. */
export function readSettings<T>(
  settings: Readonly<Record<string, Setting<unknown, unknown>>>,
  input: unknown,
  read: (reader: SettingReader) => T,
): Result<T, SettingError> {
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    return wrong("settings", "must be an object");
  }
  const values = new Map<string, unknown>(Object.entries(input));
  const known = Object.values(settings).flatMap(({ option, isHidden = false }) => (isHidden ? [] : [option]));
  const unknown = [...values.keys()].find((key) => !known.includes(key));
  if (unknown !== undefined) {
    return wrong(unknown, `is not known; there are ${known.join(", ")}`);
  }
  try {
    return ok(
      read((setting) => {
        const parsed = setting.parse(values.get(setting.option));
        if (!parsed.ok) throw new SettingFault(parsed.error);
        return parsed.value;
      }),
    );
  } catch (thrown) {
    if (thrown instanceof SettingFault) return { ok: false, error: thrown.error };
    throw thrown;
  }
}

/** A SettingError on its way out of a reader. */
class SettingFault extends Error {
  override readonly name = "SettingFault";
  readonly error: SettingError;

  constructor(error: SettingError) {
    super(error.message);
    this.error = error;
  }
}
