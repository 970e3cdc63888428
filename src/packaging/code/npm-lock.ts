import {
  isRecord,
  type LockedHash,
  type LockedPackage,
  type LockedPackages,
  packageUrl,
  textOf,
} from "./locked-package.ts";

type Entry = Readonly<Record<string, unknown>>;
const FOLDER = "node_modules/";
const ALGORITHMS: Readonly<Record<string, string>> = {
  sha1: "SHA-1",
  sha256: "SHA-256",
  sha384: "SHA-384",
  sha512: "SHA-512",
};

/** `package-lock.json` and `npm-shrinkwrap.json`, versions 1 to 3. */
export function readNpmLock(text: string): LockedPackages {
  const lock: unknown = JSON.parse(text);
  if (!isRecord(lock)) throw new Error("expected a map");
  const installed = isRecord(lock["packages"]) ? lock["packages"] : foldersOf(lock["dependencies"]);
  const entries = new Map(
    Object.entries(installed).flatMap(([path, entry]) => (isRecord(entry) ? [[path, entry]] : [])),
  );
  const packages: LockedPackage[] = [];
  for (const [path, entry] of entries) {
    // Without a folder of packages: the project itself and its workspaces; a link leads to one.
    if (!path.includes(FOLDER) || entry["link"] === true) continue;
    packages.push({
      ecosystem: "npm",
      name: nameOf(path, entry),
      version: textOf(entry["version"]),
      scope: scopeOf(entry),
      licence: textOf(entry["license"]),
      hashes: hashesOf(textOf(entry["integrity"])),
      files: filesOf(entry),
      needs: needsOf(path, entry, entries),
    });
  }
  const root = entries.get("");
  return { packages, roots: root === undefined ? undefined : needsOf("", root, entries), unread: [] };
}

function nameOf(path: string, entry: Entry): string {
  return textOf(entry["name"]) ?? path.slice(path.lastIndexOf(FOLDER) + FOLDER.length);
}

function scopeOf(entry: Entry): LockedPackage["scope"] {
  if (entry["dev"] === true || entry["devOptional"] === true) return "excluded";
  return entry["optional"] === true ? "optional" : "required";
}

function filesOf(entry: Entry): LockedPackage["files"] {
  const url = textOf(entry["resolved"]);
  return url === undefined || !/^https?:/.test(url) ? [] : [{ url, hashes: hashesOf(textOf(entry["integrity"])) }];
}

/** Subresource integrity: `sha512-BASE64 sha1-BASE64`. */
export function hashesOf(integrity: string | undefined): readonly LockedHash[] {
  return (integrity ?? "").split(/\s+/).flatMap((one) => {
    const [, name = "", value = ""] = /^(sha\d+)-([A-Za-z0-9+/=]+)/.exec(one) ?? [];
    const alg = ALGORITHMS[name];
    return alg === undefined ? [] : [{ alg, content: Buffer.from(value, "base64").toString("hex") }];
  });
}

/** Where Node would find each: in the folder of the package, then in those above it. */
function needsOf(path: string, entry: Entry, entries: ReadonlyMap<string, Entry>): readonly string[] {
  const kinds = [
    "dependencies",
    "optionalDependencies",
    "peerDependencies",
    ...(path === "" ? ["devDependencies"] : []),
  ];
  const names = kinds.flatMap((kind) => (isRecord(entry[kind]) ? Object.keys(entry[kind]) : []));
  const required = isRecord(entry["requires"]) ? Object.keys(entry["requires"]) : [];
  return [...new Set([...names, ...required])].flatMap((name) => {
    const found = resolve(path, name, entries);
    return found === undefined
      ? []
      : packageUrl("npm", nameOf(found.path, found.entry), textOf(found.entry["version"]));
  });
}

function resolve(
  path: string,
  name: string,
  entries: ReadonlyMap<string, Entry>,
): { readonly path: string; readonly entry: Entry } | undefined {
  for (let folder = path; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf(`/${FOLDER}`)))) {
    const place = folder === "" ? `${FOLDER}${name}` : `${folder}/${FOLDER}${name}`;
    const entry = entries.get(place);
    if (entry !== undefined && entry["link"] !== true) return { path: place, entry };
    if (folder === "") return undefined;
  }
}

/** Version 1 nests what version 2 names by its folder. */
function foldersOf(dependencies: unknown, above = ""): Readonly<Record<string, unknown>> {
  if (!isRecord(dependencies)) return {};
  return Object.fromEntries(
    Object.entries(dependencies).flatMap(([name, entry]): readonly (readonly [string, unknown])[] => {
      if (!isRecord(entry)) return [];
      const path = `${above}${FOLDER}${name}`;
      const { dependencies: nested, ...own } = entry;
      return [[path, own], ...Object.entries(foldersOf(nested, `${path}/`))];
    }),
  );
}
