/**
 * Debian control data (deb822(5)): stanzas of "Field: value" lines, in which a line that begins with a space or a
 * tab continues the field before it, separated by empty lines. Packages and Release files are such data.
 *
 * Missing on purpose: comments (only debian/control has them), signatures (verified by gpgv, never here).
 */

/** Field names in lower case, because deb822 compares them without case; continuation lines keep their newline. */
export type ControlStanza = ReadonlyMap<string, string>;

/**
 * The stanzas whose raw text `wanted` accepts. The raw text decides, before any field is parsed, because a Packages
 * file has tens of thousands of stanzas and a fetch wants a handful.
 */
export function selectStanzas(text: string, wanted: (rawStanza: string) => boolean): ControlStanza[] {
  const stanzas: ControlStanza[] = [];
  let start = 0;
  while (start < text.length) {
    const separator = text.indexOf("\n\n", start);
    const end = separator < 0 ? text.length : separator;
    const raw = text.slice(start, end);
    if (raw.trim() !== "" && wanted(raw)) stanzas.push(parseStanza(raw));
    start = end + 2;
  }
  return stanzas;
}

/** One stanza; lines that are neither a field nor a continuation are passed over. */
export function parseStanza(raw: string): ControlStanza {
  const fields = new Map<string, string>();
  let current: string | undefined;
  for (const line of raw.split("\n")) {
    if (/^[ \t]/.test(line)) {
      if (current !== undefined) fields.set(current, `${fields.get(current) ?? ""}\n${line.trim()}`);
      continue;
    }
    const colon = line.indexOf(":");
    if (colon <= 0) continue;
    current = line.slice(0, colon).toLowerCase();
    fields.set(current, line.slice(colon + 1).trim());
  }
  return fields;
}
