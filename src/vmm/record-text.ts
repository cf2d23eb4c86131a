/**
 * Values with named parts as a command line has them: `FILE,key=value,flag`. The first part has no name of its own there; a
 * comma in a part is written twice.
 */

/** Texts by name, `true` for a word without a value; the first part is under `firstName`. Later parts win. */
export function parseRecordText(text: string, firstName: string): Readonly<Record<string, string | true>> {
  const [first = "", ...others] = splitAtCommas(text);
  const record: Record<string, string | true> = { [firstName]: first };
  for (const part of others) {
    const at = part.indexOf("=");
    if (at < 0) record[part] = true;
    else record[part.slice(0, at)] = part.slice(at + 1);
  }
  return record;
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
