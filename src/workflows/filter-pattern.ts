/**
 * Whether a branch, tag or path passes the patterns of a filter, as GitHub reads them: the last pattern that matches
 * decides, and one with `!` takes back.
 */
export function passesFilter(name: string, patterns: readonly string[]): boolean {
  let passes = false;
  for (const pattern of patterns) {
    const isNegative = pattern.startsWith("!");
    if (toExpression(isNegative ? pattern.slice(1) : pattern).test(name)) passes = !isNegative;
  }
  return passes;
}

/** True when the name matches one of the patterns: for `…-ignore`. */
export function matchesAny(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => toExpression(pattern).test(name));
}

const known = new Map<string, RegExp>();
const LARGEST_CACHE = 1000;

function toExpression(pattern: string): RegExp {
  const cached = known.get(pattern);
  if (cached !== undefined) return cached;
  if (known.size > LARGEST_CACHE) known.clear();
  const made = compile(pattern);
  known.set(pattern, made);
  return made;
}

const NOTHING = /(?!)/;

/** A pattern that is none, such as one with the range `[z-a]`, matches nothing. */
function compile(pattern: string): RegExp {
  try {
    return new RegExp(`^${translate(pattern)}$`, "u");
  } catch {
    return NOTHING;
  }
}

/** `*` no slash, `**` anything, `?` and `+` of what stands before, `[]` one of these. */
// oxlint-disable-next-line complexity -- one case for each sign
function translate(pattern: string): string {
  let out = "";
  for (let at = 0; at < pattern.length; at++) {
    const sign = pattern[at] ?? "";
    if (pattern.startsWith("**/", at)) {
      out += "(?:.*/)?";
      at += 2;
    } else if (pattern.startsWith("**", at)) {
      out += ".*";
      at++;
    } else if (sign === "*") out += "[^/]*";
    else if (sign === "?" || sign === "+") out += out === "" || /[*?+]$/.test(out) ? `\\${sign}` : sign;
    else if (sign === "\\" && at + 1 < pattern.length) out += escape(pattern[++at] ?? "");
    else if (sign === "[") {
      const end = pattern.indexOf("]", at);
      const inside = end === -1 ? "" : pattern.slice(at + 1, end);
      if (/^[A-Za-z0-9_-]+$/.test(inside) && !/[a-zA-Z0-9]-(?![a-zA-Z0-9])/.test(inside)) {
        out += `[${inside.replace(/^-|-$/g, "\\-")}]`;
        at = end;
      } else out += "\\[";
    } else out += escape(sign);
  }
  return out;
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`);
}
