/** A digest as a lock file has it. */
export interface LockedHash {
  /** As CycloneDX names it: `SHA-256`, `SHA-512`, … */
  readonly alg: string;
  /** Hexadecimal. */
  readonly content: string;
}

/** One package of a lock file. */
export interface LockedPackage {
  readonly ecosystem: "npm" | "pypi";
  /** `@scope/name`; of Python's normalized (PEP 503). */
  readonly name: string;
  /** Undefined where the file names no exact one. */
  readonly version: string | undefined;
  /** `excluded`: for development only. */
  readonly scope: "required" | "optional" | "excluded";
  readonly licence?: string | undefined;
  readonly hashes: readonly LockedHash[];
  /** Files that it may be installed from. */
  readonly files: readonly { readonly url: string; readonly hashes: readonly LockedHash[] }[];
  /** Package URLs of what it needs, as far as the file holds them. */
  readonly needs: readonly string[];
}

/** What one lock file says. */
export interface LockedPackages {
  readonly packages: readonly LockedPackage[];
  /** Package URLs of what the project itself asks for; undefined where the file does not tell. */
  readonly roots: readonly string[] | undefined;
  /** Lines and entries that were not understood, for people. */
  readonly unread: readonly string[];
}

/** Package URL. Source: purl-spec, types npm and pypi. */
export function packageUrl(ecosystem: LockedPackage["ecosystem"], name: string, version: string | undefined): string {
  const path = name.split("/").map(encodeURIComponent).join("/");
  return `pkg:${ecosystem}/${path}${version === undefined ? "" : `@${encodeURIComponent(version)}`}`;
}

/** PEP 503. */
export function normalizePythonName(name: string): string {
  return name.toLowerCase().replaceAll(/[-_.]+/g, "-");
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** The entries of a list that are maps; none of anything else. */
export function recordsOf(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}
