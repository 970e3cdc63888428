import { basename } from "node:path";
import { messageOf, parseYaml } from "#base";
import { lockFileUnreadable } from "../errors.ts";
import { isRecord, type LockedPackage, type LockedPackages, textOf } from "./locked-package.ts";
import { hashesOf, readNpmLock } from "./npm-lock.ts";

type Reader = (text: string) => LockedPackages | Promise<LockedPackages>;
/** Loaded when there is one to read. */
const python = (): Promise<typeof import("./python-lock.ts")> => import("./python-lock.ts");

const LARGEST_BYTES = 64 * 2 ** 20;

/** By the name of the file, as the tools that write them name them. */
const READERS: readonly { readonly name: RegExp; readonly read: Reader }[] = [
  { name: /^(package-lock|npm-shrinkwrap)\.json$/, read: readNpmLock },
  { name: /^pnpm-lock\.yaml$/, read: readPnpmLock },
  { name: /^uv\.lock$/, read: async (text) => (await python()).readUvLock(text) },
  { name: /^poetry\.lock$/, read: async (text) => (await python()).readPoetryLock(text) },
  { name: /^pylock(\.[\w-]+)?\.toml$/, read: async (text) => (await python()).readPylock(text) },
  { name: /^requirements[\w.-]*\.(txt|lock)$/, read: async (text) => (await python()).readRequirements(text) },
];

/** Lock files that a step without `locks` looks for at the root of its project. */
export const USUAL_LOCK_FILES: readonly string[] = [
  "package-lock.json",
  "npm-shrinkwrap.json",
  "pnpm-lock.yaml",
  "uv.lock",
  "poetry.lock",
  "pylock.toml",
  "requirements.lock",
  "requirements.txt",
];

export function isLockFile(path: string): boolean {
  return READERS.some(({ name }) => name.test(basename(path)));
}

/** What a lock file says. @throws MODELS_PACKAGE_LOCK_UNREADABLE */
export async function readLockFile(path: string, text: string): Promise<LockedPackages> {
  const reader = READERS.find(({ name }) => name.test(basename(path)));
  if (reader === undefined) throw lockFileUnreadable({ path, problem: "no lock file has this name" });
  try {
    return await reader.read(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    throw lockFileUnreadable({ path, problem: messageOf(error) }, error);
  }
}

/** `pnpm-lock.yaml`, versions 5 to 9: keys are `name@version`, `/name@version(peers)` or `/name/version`. */
function readPnpmLock(text: string): LockedPackages {
  const { document, problems } = parseYaml(text, "pnpm-lock.yaml", LARGEST_BYTES);
  if (problems[0] !== undefined) throw new Error(`line ${problems[0].line}: ${problems[0].message}`);
  const lock = document.value;
  if (!isRecord(lock)) throw new Error("expected a map");
  const entries = isRecord(lock["packages"]) ? Object.entries(lock["packages"]) : [];
  const packages = entries.flatMap(([key, entry]): readonly LockedPackage[] => {
    const [, name, version] = /^\/?((?:@[^/@]+\/)?[^/@]+)[@/]([^(_]+)/.exec(key) ?? [];
    if (name === undefined || version === undefined || !isRecord(entry)) return [];
    const integrity = isRecord(entry["resolution"]) ? textOf(entry["resolution"]["integrity"]) : undefined;
    const scope = entry["dev"] === true ? "excluded" : entry["optional"] === true ? "optional" : "required";
    return [{ ecosystem: "npm", name, version, scope, hashes: hashesOf(integrity), files: [], needs: [] }];
  });
  return { packages, roots: undefined, unread: [] };
}
