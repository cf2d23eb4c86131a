/**
 * Values with named parts as a command line has them: `FILE,key=value,flag`. The first part has no name of its own there; a
 * comma in a part is written twice.
 */

/** Texts by name, `true` for a word without a value; the first part is under `firstName`. Later parts win. */
export function parseRecordText(text: string, firstName: string): Readonly<Record<string, string | true>> {
  return Object.fromEntries(parseRecordParts(text, firstName));
}

/** The same as pairs, in order, for records whose parts may be repeated. */
export function parseRecordParts(
  text: string,
  firstName: string,
): readonly (readonly [name: string, value: string | true])[] {
  const [first = "", ...others] = splitAtCommas(text);
  const parts = others.map((part): [string, string | true] => {
    const at = part.indexOf("=");
    return at < 0 ? [part, true] : [part.slice(0, at), part.slice(at + 1)];
  });
  return [[firstName, first], ...parts];
}

function splitAtCommas(text: string): string[] {
  const parts = [""];
  for (let at = 0; at < text.length; at++) {
    const isComma = text[at] === ",";
    if (isComma && text[at + 1] !== ",") {
      parts.push("");
      continue;
    }
    if (isComma) at++;
    parts[parts.length - 1] += text[at] ?? "";
  }
  return parts;
}
