/** Writes SVG 1.1 as text: elements with attributes and children, escaped. No layout; text is not measured. */

export type Attributes = Readonly<Record<string, string | number>>;

/** An element as text; children are elements, and text only through {@link text}. */
export function element(name: string, attributes: Attributes, ...children: readonly string[]): string {
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${escaped(shown(value))}"`);
  const open = `<${name}${written.join("")}`;
  return children.length === 0 ? `${open}/>` : `${open}>${children.join("")}</${name}>`;
}

/** Character data. */
export function text(content: string): string {
  return escaped(content);
}

/** Numbers to a hundredth, so that the file does not change with the last bit of a sum. */
function shown(value: string | number): string {
  return typeof value === "string" ? value : String(Math.round(value * 100) / 100);
}

function escaped(content: string): string {
  return content
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
