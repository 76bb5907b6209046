// What is in a text: JSON, unfolded, and tokens, decoded. Nothing is changed in either.

// Characters to which a short text with deep brackets may grow.
const LONGEST = 20000;
const PARTS = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/**
 * JSON with a line for each value; null if it is none.
 * Digits and escapes stay as they came, which to parse and to write it again would not keep.
 */
export function unfold(text) {
  if (!/^\s*[{[]/.test(text)) return null;
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  const parts = text.match(PARTS);
  let made = "";
  let depth = 0;
  const line = () => (made += `\n${"  ".repeat(depth)}`);
  for (const [n, part] of parts.entries()) {
    const closes = part === "}" || part === "]";
    const opens = part === "{" || part === "[";
    if (closes) depth -= 1;
    if (closes && !["{", "["].includes(parts[n - 1])) line();
    made += part === ":" ? ": " : part;
    if (opens) depth += 1;
    if (part === "," || (opens && !["}", "]"].includes(parts[n + 1]))) line();
    if (made.length > LONGEST) return null;
  }
  return made;
}

/** The header and the payload of the first JSON Web Token in a text; empty without one. */
export function decoded(text) {
  const [, ...parts] = /\b(eyJ[\w-]+)\.(eyJ[\w-]+)\.[\w-]*/.exec(text ?? "") ?? [];
  if (!parts.length) return "";
  try {
    const [header, payload] = parts.map((part) => {
      const bytes = atob(part.replaceAll("-", "+").replaceAll("_", "/"));
      return new TextDecoder().decode(Uint8Array.from(bytes, (c) => c.charCodeAt(0)));
    });
    const ends = Number(JSON.parse(payload).exp);
    const until = ends ? `\n${ends * 1000 < Date.now() ? "it has ended" : "valid until"} ${new Date(ends * 1000).toLocaleString()}` : "";
    return `the token’s header   ${header}\nthe token’s payload  ${payload}${until}`;
  } catch {
    return "";
  }
}
