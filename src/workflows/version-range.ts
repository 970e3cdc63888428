/** Numbers of a version: `v22.1.0` is 22, 1, 0. Undefined for what is none. */
export function parseVersion(text: string): readonly [number, number, number] | undefined {
  const found = /(\d+)(?:\.(\d+))?(?:\.(\d+))?/.exec(text);
  if (found === null) return undefined;
  return [Number(found[1]), Number(found[2] ?? 0), Number(found[3] ?? 0)];
}

export function compareVersions(left: string, right: string): number {
  const [one, other] = [parseVersion(left) ?? [0, 0, 0], parseVersion(right) ?? [0, 0, 0]];
  for (const index of [0, 1, 2] as const) if (one[index] !== other[index]) return one[index] - other[index];
  return 0;
}

/**
 * Whether a version is one that a range asks for: `22`, `22.x`, `~3.11`, `^20.1`, `>=18 <23`, `20 || 22`, `lts/*`,
 * `latest`, or nothing. Names of releases are any version.
 */
export function satisfies(version: string, range: string): boolean {
  return range.split("||").some((part) =>
    part
      .trim()
      .split(/\s+(?!\d)|\s+(?=[<>=~^])/)
      .every((one) => satisfiesOne(version, one)),
  );
}

// oxlint-disable-next-line complexity -- one case for each operator
function satisfiesOne(version: string, stated: string): boolean {
  const text = stated.trim().replace(/^v/, "");
  if (text === "" || /^(latest|current|node|lts(\/.*)?|lts\/?-?\d*|\*|x|stable|3\.x)$/i.test(text)) return true;
  const found = /^(>=|<=|>|<|=|~=|~|\^)?\s*v?(\d+)(?:\.(\d+|x|\*))?(?:\.(\d+|x|\*))?/i.exec(text);
  if (found === null) return false;
  const [, operator = "", major = "", minor, patch] = found;
  const isFree = (part: string | undefined): boolean => part === undefined || /[x*]/i.test(part);
  const base = `${major}.${isFree(minor) ? 0 : minor}.${isFree(patch) ? 0 : patch}`;
  const order = compareVersions(version, base);
  const parts = parseVersion(version) ?? [0, 0, 0];
  const sameMajor = parts[0] === Number(major);
  const sameMinor = isFree(minor) || parts[1] === Number(minor);
  switch (operator) {
    case ">=":
      return order >= 0;
    case ">":
      return isFree(minor) ? parts[0] > Number(major) : order > 0;
    case "<":
      return order < 0;
    case "<=":
      return order <= 0 || (isFree(minor) && sameMajor);
    case "^":
      return sameMajor && order >= 0;
    case "~":
    case "~=":
      return sameMajor && sameMinor && order >= 0;
    default:
      return sameMajor && sameMinor && (isFree(patch) || parts[2] === Number(patch));
  }
}
