/** Decodes /proc/PID/smaps (proc(5)): the mappings of a process, with what of each is resident. */

export interface Mapping {
  readonly start: bigint;
  readonly end: bigint;
  /** "rw-p" and so on. */
  readonly permissions: string;
  /** A file, a name in brackets such as [heap], or "". */
  readonly path: string;
  readonly residentBytes: number;
  /** Of the resident bytes, those that are no unchanged page of a file. */
  readonly anonymousBytes: number;
}

const HEADER = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \d+ *(.*)$/;
const FIELD = /^(\w+): +(\d+) kB$/;
const KIB = 1024;

export function parseSmaps(text: string): Mapping[] {
  const mappings: Mapping[] = [];
  let header: RegExpExecArray | null = null;
  let fields = new Map<string, number>();
  const finish = (): void => {
    if (header === null) return;
    const [, start = "", end = "", permissions = "", path = ""] = header;
    mappings.push({
      start: BigInt(`0x${start}`),
      end: BigInt(`0x${end}`),
      permissions,
      path,
      residentBytes: fields.get("Rss") ?? 0,
      anonymousBytes: fields.get("Anonymous") ?? 0,
    });
  };
  for (const line of text.split("\n")) {
    const opening = HEADER.exec(line);
    if (opening !== null) {
      finish();
      header = opening;
      fields = new Map();
    }
    const field = FIELD.exec(line);
    if (field !== null) fields.set(field[1] ?? "", Number(field[2]) * KIB);
  }
  finish();
  return mappings;
}

export function mappingSizeBytes(mapping: Mapping): number {
  return Number(mapping.end - mapping.start);
}
