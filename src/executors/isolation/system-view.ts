import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, delimiter, dirname, join } from "node:path";
import { digestOfJson, newId } from "#base";

/** Programs and libraries. Where one is a link, as `/bin` is to `usr/bin`, it is one inside too. */
const SYSTEM = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store"] as const;

/**
 * What programs look up in /etc: names, certificates, time, fonts, how the network is used. Not who else has an account
 * here, and nothing that is closed to others.
 */
const CONFIGURATION = new RegExp(
  `^(${[
    "alternatives|ca-certificates(\\.conf)?|crypto-policies|pki|ssl|static",
    "gai\\.conf|host\\.conf|hosts|localtime|networks|nsswitch\\.conf|protocols|services|rpc|ethertypes|netconfig",
    "ld\\.so\\.(cache|conf|conf\\.d)|debian_version|os-release|lsb-release|.*-release|login\\.defs",
    "locale\\.(alias|conf)|timezone|terminfo|inputrc|profile|bash\\.bashrc|environment",
    "fonts|mime\\.types|magic(\\.mime)?|papersize|ImageMagick.*|matplotlibrc|OpenCL|vulkan|glvnd|odbcinst\\.ini",
    "java.*|maven|perl|python.*|R|gitconfig|npmrc|pip\\.conf|wgetrc|curlrc|xml|sgml",
  ].join("|")})$`,
);

/** Processors and limits, by which libraries choose how many threads and how much memory they take. */
const MACHINE = ["/sys/devices/system/cpu", "/sys/fs/cgroup"] as const;

/** What an installed program's folder holds, and a project's or a home does not hold alone. */
const INSTALLED =
  /^(bin|sbin|lib|lib64|libexec|include|share|etc|ssl|man|conda-meta|x86_64.*|(README|LICENSE|CHANGELOG)(\.\w+)?|package\.json)$/;
/** Of other folders beside `bin`: what programs there need. */
const BESIDE_PROGRAMS = ["bin", "lib", "lib64", "libexec"];

/** Variables that name certificates: what they name is shown, where it lies outside the system. */
export const CERTIFICATE_VARIABLES: readonly string[] = [
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "NODE_EXTRA_CA_CERTS",
  "REQUESTS_CA_BUNDLE",
  "CURL_CA_BUNDLE",
  "GIT_SSL_CAINFO",
  "PIP_CERT",
  "AWS_CA_BUNDLE",
];

/** Those of the variables that say where certificates are: every process may have them. */
export function certificateVariables(all: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(all).filter(([name]) => CERTIFICATE_VARIABLES.includes(name)));
}

/** Arguments of bubblewrap that show the system's programs and nothing of its users. */
export function systemView(): readonly string[] {
  const shown: string[] = [];
  for (const path of SYSTEM) {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found?.isSymbolicLink() === true) shown.push("--symlink", readlinkSync(path), path);
    else if (found?.isDirectory() === true) shown.push("--ro-bind", path, path);
  }
  for (const path of MACHINE) if (existsSync(path)) shown.push("--ro-bind", path, path);
  return shown;
}

/** Arguments that show graphics processors, where there are any. */
export function deviceView(): readonly string[] {
  const devices = readdirSync("/dev").filter((name) => /^(nvidia.*|dri|kfd)$/.test(name));
  const shown = devices.flatMap((name) => ["--dev-bind", join("/dev", name), join("/dev", name)]);
  return devices.length === 0 ? [] : [...shown, "--ro-bind", "/sys", "/sys"];
}

/**
 * A folder for /etc of a sandbox: a copy of what {@link CONFIGURATION} names and anybody may read, and who the process
 * is. A copy, because each thing that is shown costs every start most of a millisecond. Made once for the same content.
 *
 * @param below absolute folder; the copy lies in it, named after what it was made of
 */
export function copyConfiguration(below: string, user: { readonly id: number; readonly group: number }): string {
  const names = readdirSync("/etc").filter((name) => CONFIGURATION.test(name));
  const facts = names.map((name) => [name, statSync(join("/etc", name), { throwIfNoEntry: false })?.mtimeMs]);
  const digest = digestOfJson([...facts.map(([name, at]) => [String(name), String(at)]), [user.id, user.group]]);
  const folder = join(below, digest.slice("sha256:".length, "sha256:".length + 16));
  if (existsSync(folder)) return folder;
  const partial = `${folder}.${process.pid}.${newId()}`;
  mkdirSync(partial, { recursive: true, mode: 0o700 });
  for (const name of names) {
    const source = join("/etc", name);
    if (isOpen(source))
      cpSync(realpathSync(source), join(partial, name), { recursive: true, filter: isOpen, verbatimSymlinks: true });
  }
  writeFileSync(join(partial, "passwd"), `esteira:x:${user.id}:${user.group}::/tmp:/bin/sh\n`);
  writeFileSync(join(partial, "group"), `esteira:x:${user.group}:\n`);
  writeFileSync(join(partial, RESOLVER), "");
  try {
    renameSync(partial, folder);
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    // Another process was faster.
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

/** How names are resolved changes with the network: the file itself is shown, wherever the name leads. */
export function resolverView(): readonly string[] {
  const path = join("/etc", RESOLVER);
  return existsSync(path) ? ["--ro-bind", realpathSync(path), path] : [];
}

const RESOLVER = "resolv.conf";

function isOpen(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found !== undefined && (found.isSymbolicLink() || (found.mode & 0o004) !== 0);
}

/**
 * Folders of programs outside the system, as version managers put them into a home, with what they need: never the
 * whole home, which holds keys.
 *
 * @param path as in `PATH`
 */
export function programFolders(path: string): readonly string[] {
  const known = viewed.get(path);
  if (known !== undefined) return known;
  const shown = new Set<string>();
  for (const folder of path.split(delimiter)) {
    if (!folder.startsWith("/") || isSystem(folder) || !existsSync(folder)) continue;
    const parent = dirname(folder);
    // Shims of a version manager start what lies anywhere in its folder.
    if (basename(folder) === "shims" || (basename(folder) === "bin" && isInstalled(parent))) shown.add(parent);
    else if (basename(folder) !== "bin") shown.add(folder);
    else for (const name of BESIDE_PROGRAMS) if (existsSync(join(parent, name))) shown.add(join(parent, name));
  }
  viewed.set(path, [...shown]);
  return [...shown];
}

/** A process looks once: what is installed later is seen by the next. */
const viewed = new Map<string, readonly string[]>();

function isInstalled(folder: string): boolean {
  return folder !== "/" && readdirSync(folder).every((name) => INSTALLED.test(name));
}

/** True of what every sandbox shows anyway. */
export function isSystem(path: string): boolean {
  return [...SYSTEM, "/etc/ssl", "/etc/pki"].some((folder) => path === folder || path.startsWith(`${folder}/`));
}
