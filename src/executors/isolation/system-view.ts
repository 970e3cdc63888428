import { existsSync, lstatSync, readdirSync, readlinkSync, realpathSync, statSync } from "node:fs";
import { basename, delimiter, dirname, join } from "node:path";

/** Programs and libraries. Where one is a link, as `/bin` is to `usr/bin`, it is one inside too. */
const SYSTEM = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store"] as const;

/**
 * What programs look up in /etc: names, certificates, time, fonts, how the network is used. Not who else has an account
 * here, and nothing that is closed to others.
 */
const CONFIGURATION = new RegExp(
  `^(${[
    "alternatives|ca-certificates(\\.conf)?|crypto-policies|pki|ssl|static",
    "gai\\.conf|host\\.conf|hosts|networks|nsswitch\\.conf|protocols|services|rpc|ethertypes|netconfig",
    "ld\\.so\\.(cache|conf|conf\\.d)|debian_version|os-release|lsb-release|.*-release|login\\.defs",
    "locale\\.(alias|conf)|timezone|terminfo|inputrc|profile|bash\\.bashrc|environment",
    "fonts|mime\\.types|magic(\\.mime)?|papersize|ImageMagick.*|matplotlibrc|OpenCL|vulkan|glvnd|odbcinst\\.ini",
    "java.*|maven|perl|python.*|R|gitconfig|npmrc|pip\\.conf|wgetrc|curlrc|xml|sgml",
  ].join("|")})$`,
);

/** Of these the file behind the link is shown: it may lie in a folder that is not. */
const RESOLVED = ["resolv.conf", "localtime", "hosts"] as const;

/** Processors and limits, by which libraries choose how many threads and how much memory they take. */
const MACHINE = ["/sys/devices/system/cpu", "/sys/devices/system/node", "/sys/fs/cgroup"] as const;

/** Beside a folder `bin`, where programs keep what they need. */
const BESIDE_PROGRAMS = [
  "lib",
  "lib64",
  "libexec",
  "include",
  "share",
  "ssl",
  "versions",
  "plugins",
  "version",
  "tools",
];

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
  for (const name of readdirSync("/etc").filter((entry) => CONFIGURATION.test(entry))) {
    const path = join("/etc", name);
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined || (found.mode & 0o004) === 0) continue;
    if (RESOLVED.every((resolved) => resolved !== name)) shown.push("--ro-bind", path, path);
  }
  for (const name of RESOLVED) {
    const path = join("/etc", name);
    if (existsSync(path)) shown.push("--ro-bind", realpathSync(path), path);
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
 * Folders of programs outside the system, as version managers put them into a home, with what lies beside them: never
 * the whole home, which holds keys.
 *
 * @param path as in `PATH`
 */
export function programFolders(path: string): readonly string[] {
  const shown = new Set<string>();
  for (const folder of path.split(delimiter)) {
    if (!folder.startsWith("/") || isSystem(folder) || !existsSync(folder)) continue;
    shown.add(folder);
    if (!["bin", "sbin", "shims"].includes(basename(folder))) continue;
    const parent = dirname(folder);
    const beside = BESIDE_PROGRAMS.filter((name) => name !== "share" || basename(parent) !== ".local");
    for (const name of [...beside, "bin"]) {
      const other = join(parent, name);
      if (parent !== "/" && existsSync(other)) shown.add(other);
    }
  }
  return [...shown];
}

/** True of what every sandbox shows anyway. */
export function isSystem(path: string): boolean {
  return SYSTEM.some((folder) => path === folder || path.startsWith(`${folder}/`));
}
