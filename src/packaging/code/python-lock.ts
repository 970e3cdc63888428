import { parse } from "smol-toml";
import {
  isRecord,
  type LockedHash,
  type LockedPackage,
  type LockedPackages,
  normalizePythonName,
  packageUrl,
  recordsOf,
  textOf,
} from "./locked-package.ts";

type Entry = Readonly<Record<string, unknown>>;

/** `uv.lock`: of the project itself only what it asks for. */
export function readUvLock(text: string): LockedPackages {
  const entries = recordsOf(parse(text)["package"]);
  const isOwn = ({ source }: Entry): boolean =>
    isRecord(source) && ["virtual", "editable", "directory"].some((key) => key in source);
  const find = finder(entries);
  const development = new Set(
    entries
      .filter(isOwn)
      .flatMap((entry) =>
        (isRecord(entry["dev-dependencies"]) ? Object.values(entry["dev-dependencies"]) : []).flatMap((group) =>
          recordsOf(group).flatMap(find),
        ),
      ),
  );
  const roots = entries.filter(isOwn).flatMap((entry) => recordsOf(entry["dependencies"]).flatMap(find));
  const packages = entries
    .filter((entry) => !isOwn(entry))
    .map((entry) =>
      toPackage(entry, {
        files: [...recordsOf(entry["wheels"]), ...recordsOf([entry["sdist"]])],
        needs: recordsOf(entry["dependencies"]).flatMap(find),
      }),
    );
  return { packages: withoutDevelopment(packages, roots, development), roots, unread: [] };
}

/** What is reached from the groups for development alone is excluded. */
function withoutDevelopment(
  packages: readonly LockedPackage[],
  roots: readonly string[],
  development: ReadonlySet<string>,
): readonly LockedPackage[] {
  if (development.size === 0) return packages;
  const byUrl = new Map(packages.map((one) => [packageUrl("pypi", one.name, one.version), one]));
  const reached = new Set<string>();
  const waiting = [...roots];
  for (let url = waiting.pop(); url !== undefined; url = waiting.pop()) {
    if (reached.has(url)) continue;
    reached.add(url);
    waiting.push(...(byUrl.get(url)?.needs ?? []));
  }
  return packages.map((one) =>
    reached.has(packageUrl("pypi", one.name, one.version)) ? one : { ...one, scope: "excluded" as const },
  );
}

/** `poetry.lock`, versions 1 and 2. */
export function readPoetryLock(text: string): LockedPackages {
  const lock = parse(text);
  const entries = recordsOf(lock["package"]);
  const find = finder(entries);
  const oldFiles = isRecord(lock["metadata"]) && isRecord(lock["metadata"]["files"]) ? lock["metadata"]["files"] : {};
  const packages = entries.map((entry) => {
    const { dependencies, groups, category } = entry;
    const isForDevelopment = Array.isArray(groups) ? !groups.includes("main") : category === "dev";
    const known = recordsOf(entry["files"]);
    const made = toPackage(entry, {
      files: known.length > 0 ? known : recordsOf(oldFiles[textOf(entry["name"]) ?? ""]),
      needs: isRecord(dependencies) ? Object.keys(dependencies).flatMap((name) => find({ name })) : [],
    });
    return isForDevelopment ? { ...made, scope: "excluded" as const } : made;
  });
  return { packages, roots: undefined, unread: [] };
}

/** `pylock.toml` (PEP 751). */
export function readPylock(text: string): LockedPackages {
  const entries = recordsOf(parse(text)["packages"]);
  const find = finder(entries);
  const packages = entries.map((entry) =>
    toPackage(entry, {
      files: [...recordsOf(entry["wheels"]), ...recordsOf([entry["sdist"], entry["archive"]])],
      needs: recordsOf(entry["dependencies"]).flatMap(find),
    }),
  );
  return { packages, roots: undefined, unread: [] };
}

/** Who names a package without its version means the only one there is, or all. */
function finder(entries: readonly Entry[]): (wanted: Entry) => readonly string[] {
  const byName = new Map<string, Entry[]>();
  for (const entry of entries) {
    const name = normalizePythonName(textOf(entry["name"]) ?? "");
    byName.set(name, [...(byName.get(name) ?? []), entry]);
  }
  return (wanted) => {
    const name = normalizePythonName(textOf(wanted["name"]) ?? "");
    return (byName.get(name) ?? [])
      .filter(({ version }) => wanted["version"] === undefined || wanted["version"] === version)
      .map(({ version }) => packageUrl("pypi", name, textOf(version)));
  };
}

function toPackage(
  entry: Entry,
  found: { readonly files: readonly Entry[]; readonly needs: readonly string[] },
): LockedPackage {
  return {
    ecosystem: "pypi",
    name: normalizePythonName(textOf(entry["name"]) ?? ""),
    version: textOf(entry["version"]),
    scope: entry["optional"] === true ? "optional" : "required",
    hashes: [],
    files: found.files.flatMap(toFile),
    needs: [...new Set(found.needs)],
  };
}

function toFile(entry: Entry): LockedPackage["files"] {
  const url = textOf(entry["url"]) ?? textOf(entry["file"]) ?? textOf(entry["name"]) ?? textOf(entry["path"]);
  const { hash, hashes } = entry;
  const texts = isRecord(hashes)
    ? Object.entries(hashes).map(([name, value]) => `${name}:${String(value)}`)
    : [textOf(hash) ?? ""];
  return url === undefined ? [] : [{ url, hashes: texts.flatMap(toHash) }];
}

/** `sha256:HEX` */
function toHash(text: string): readonly LockedHash[] {
  const [, bits = "", content = ""] = /^sha(\d+):([0-9a-f]+)$/i.exec(text.trim()) ?? [];
  return ["256", "384", "512"].includes(bits) ? [{ alg: `SHA-${bits}`, content: content.toLowerCase() }] : [];
}

const PINNED = /^([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*(?:===?\s*([^\s;,*#]+))?/;

/** `requirements.txt` as pip reads it; what is not pinned has no version, and is told. */
export function readRequirements(text: string): LockedPackages {
  const packages: LockedPackage[] = [];
  const unread: string[] = [];
  for (const line of text.replaceAll(/\\\r?\n/g, " ").split(/\r?\n/)) {
    const [asked = ""] = line.split(/(?:^|\s)#/, 1);
    const requirement = asked.trim();
    if (
      requirement === "" ||
      /^--?(hash|index-url|i|extra-index-url|find-links|f|no-index|pre|require-hashes|trusted-host|only-binary|no-binary|prefer-binary)\b/.test(
        requirement,
      )
    )
      continue;
    const [, name, version] = PINNED.exec(requirement) ?? [];
    if (name === undefined || /^[A-Za-z]+:\/\//.test(requirement)) {
      unread.push(requirement);
      continue;
    }
    const bounds = requirement.replace(/;.*|--hash.*/s, "").replace(/\[[^\]]*\]/, "");
    const exact = / @ |[<>~!*]|,/.test(bounds) ? undefined : version;
    if (exact === undefined) unread.push(`${requirement.slice(0, 80)} (no exact version)`);
    const hashes = [...requirement.matchAll(/--hash[= ](\S+)/g)].flatMap(([, hash = ""]) => toHash(hash));
    const normalized = normalizePythonName(name);
    packages.push({
      ecosystem: "pypi",
      name: normalized,
      version: exact,
      scope: "required",
      hashes: [],
      files: hashes.map((hash) => ({ url: `https://pypi.org/simple/${normalized}/`, hashes: [hash] })),
      needs: [],
    });
  }
  return { packages, roots: packages.map(({ name, version }) => packageUrl("pypi", name, version)), unread };
}
