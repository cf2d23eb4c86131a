/**
 * Completion scripts for bash, zsh and fish, made from the commands and options that the program has, so that they
 * cannot disagree. Completing a word starts no process: names of running VMs are those of sockets in the folder of
 * running-vms/vm-sockets.ts.
 */

import type { Command, Option } from "commander";
import { RUNNING_VM } from "./add-vm-commands.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** One command as completion sees it. */
interface CompletedCommand {
  /** Names from the program's first command on: ["guests", "fetch"]; none for the program itself. */
  readonly path: readonly string[];
  readonly summary: string;
  readonly options: readonly CompletedOption[];
  /** What may follow the command: names of its commands, or of what it works on. */
  readonly words: readonly string[];
  /** Names of running VMs may follow, too. */
  readonly takesVm: boolean;
}

interface CompletedOption {
  readonly flag: string;
  readonly help: string;
  /** What kind of value it takes; "flag" takes none. */
  readonly value: "flag" | "file" | "any" | readonly string[];
}

/** The script for `shell`; `argumentWords` are the values of arguments by their names in the usage, of
 * options by their flags. */
export function completionScript(
  program: Command,
  shell: Shell,
  argumentWords: Readonly<Record<string, readonly string[]>>,
): string {
  const commands = completedCommands(program, [], argumentWords);
  const name = program.name();
  switch (shell) {
    case "bash":
      return bashScript(name, commands);
    case "zsh":
      return `#compdef ${name}\nautoload -U +X bashcompinit && bashcompinit\n${bashScript(name, commands)}`;
    case "fish":
      return fishScript(name, commands);
  }
}

function completedCommands(
  command: Command,
  path: readonly string[],
  argumentWords: Readonly<Record<string, readonly string[]>>,
): CompletedCommand[] {
  const options = command
    .createHelp()
    .visibleOptions(command)
    .map((option) => completedOption(option, argumentWords));
  const names = command.commands.map((sub) => sub.name());
  const values = command.registeredArguments.flatMap(
    (argument) => argument.argChoices ?? argumentWords[argument.name()] ?? [],
  );
  const own = {
    path,
    summary: command.summary() || command.description(),
    options,
    words: [...names, ...values],
    takesVm: command.registeredArguments.some((argument) => argument.name() === RUNNING_VM),
  };
  return [
    own,
    ...command.commands.flatMap((sub) => completedCommands(sub, [...path, sub.name()], argumentWords)),
  ];
}

function completedOption(
  option: Option,
  argumentWords: Readonly<Record<string, readonly string[]>>,
): CompletedOption {
  const flag = option.long ?? option.short ?? "";
  const help = option.description.replaceAll("\n", " ");
  if (!option.required && !option.optional) return { flag, help, value: "flag" };
  // A placeholder such as auto|interpreter lists the values; <FILE> is a path.
  const placeholder = /<([^>]*)>/.exec(option.flags)?.[1] ?? "";
  const choices =
    option.argChoices ?? (/^[a-z0-9|-]+$/.test(placeholder) ? placeholder.split("|") : undefined);
  const words = choices ?? argumentWords[flag];
  return { flag, help, value: words ?? (placeholder === "FILE" ? "file" : "any") };
}

function bashScript(name: string, commands: readonly CompletedCommand[]): string {
  const cases = commands.map(
    ({ path, options, words, takesVm }) =>
      `    ${bashWord(path.join(" "))}) words=${bashWord([...words, ...options.map(({ flag }) => flag)].join(" "))}` +
      `${takesVm ? `"$(_${name}_vms)"` : ""} ;;`,
  );
  const values = commands.flatMap(({ path, options }) =>
    options
      .filter(({ value }) => value !== "flag")
      .map(({ flag, value }) => {
        const pattern = bashWord(`${path.join(" ")} ${flag}`);
        if (value === "file") return `    ${pattern}) COMPREPLY=($(compgen -f -- "$current")); return ;;`;
        const list = typeof value === "string" ? "" : value.join(" ");
        return `    ${pattern}) COMPREPLY=($(compgen -W ${bashWord(list)} -- "$current")); return ;;`;
      }),
  );
  const known = commands.filter(({ path }) => path.length > 0).map(({ path }) => bashWord(path.join(" ")));
  return [
    `_${name}_vms() {`,
    `  local socket`,
    `  for socket in "${SOCKET_FOLDER}"/*.sock; do`,
    `    if [ -S "$socket" ]; then socket="\${socket##*/}"; printf ' %s' "\${socket%.sock}"; fi`,
    `  done`,
    `}`,
    `_${name}() {`,
    `  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command="" words="" word`,
    `  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do`,
    `    case "\${command:+$command }$word" in`,
    `      ${known.join(" | ")}) command="\${command:+$command }$word" ;;`,
    `    esac`,
    `  done`,
    `  case "$command $previous" in`,
    ...values,
    `  esac`,
    `  case "$command" in`,
    ...cases,
    `  esac`,
    `  COMPREPLY=($(compgen -W "$words" -- "$current"))`,
    `}`,
    `complete -F _${name} ${name}`,
    ``,
  ].join("\n");
}

/** As vmSocketFolder() has it, for a POSIX shell. */
const SOCKET_FOLDER = "${XDG_RUNTIME_DIR:-${XDG_STATE_HOME:-$HOME/.local/state}}/typevisor/vms";

function fishScript(name: string, commands: readonly CompletedCommand[]): string {
  const lines = [
    `function __${name}_vms`,
    `    set -l base $HOME/.local/state`,
    `    set -q XDG_STATE_HOME; and set base $XDG_STATE_HOME`,
    `    set -q XDG_RUNTIME_DIR; and set base $XDG_RUNTIME_DIR`,
    `    for socket in $base/typevisor/vms/*.sock`,
    `        string replace -r '.*/(.*)\\.sock$' '$1' $socket`,
    `    end`,
    `end`,
    `complete -c ${name} -f`,
  ];
  for (const { path, options, takesVm } of commands) {
    const children = commands.filter(
      (other) => other.path.length === path.length + 1 && isUnder(other.path, path),
    );
    const here = fishCondition(
      path,
      children.map((child) => child.path.at(-1) ?? ""),
    );
    for (const child of children) {
      lines.push(
        `complete -c ${name} -n ${fishWord(here)} -a ${child.path.at(-1)} -d ${fishWord(child.summary)}`,
      );
    }
    const words = commands.find((other) => other.path === path)?.words ?? [];
    const values = words.filter((word) => !children.some((child) => child.path.at(-1) === word));
    if (values.length > 0)
      lines.push(`complete -c ${name} -n ${fishWord(here)} -a ${fishWord(values.join(" "))}`);
    if (takesVm) lines.push(`complete -c ${name} -n ${fishWord(here)} -a '(__${name}_vms)'`);
    for (const { flag, help, value } of options) {
      const takes = value === "flag" ? "" : value === "file" ? " -r -F" : " -x";
      const list = typeof value === "string" ? "" : ` -a ${fishWord(value.join(" "))}`;
      const long = flag.replace(/^--/, "");
      lines.push(`complete -c ${name} -n ${fishWord(here)} -l ${long}${takes}${list} -d ${fishWord(help)}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

const isUnder = (path: readonly string[], parent: readonly string[]): boolean =>
  parent.every((name, index) => path[index] === name);

/** True when the line so far names this command, and none of those below it. */
function fishCondition(path: readonly string[], children: readonly string[]): string {
  const seen = path.map((name) => `__fish_seen_subcommand_from ${name}`);
  const notSeen = children.length === 0 ? [] : [`not __fish_seen_subcommand_from ${children.join(" ")}`];
  return [...seen, ...notSeen].join("; and ") || "true";
}

/** In single quotes for a POSIX shell. */
function bashWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** In single quotes for fish, which escapes within them. */
function fishWord(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
