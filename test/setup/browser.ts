import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { type Browser, chromium } from "playwright-core";
import { testCache } from "./cache-folder.ts";

const PLACES = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/snap/bin/chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** A headless Chromium that comes as an npm package: no root, no download outside the registry. Linux on x64 only. */
const NPM_BROWSER = { name: "@sparticuz/chromium", version: "153.0.0" };

/**
 * Path of a Chromium on this machine, or undefined. `ESTEIRA_TEST_BROWSER` wins, then the system's, then the one that
 * npm brought.
 */
export function findBrowser(): string | undefined {
  return [process.env["ESTEIRA_TEST_BROWSER"], ...PLACES, npmBrowserProgram()].find(
    (path) => path !== undefined && path !== "" && existsSync(path),
  );
}

/** For the options of a suite that needs a browser: it is skipped, with the reason, where none can be had. */
export const needsBrowser: { readonly skip: string | false } = {
  skip:
    findBrowser() === undefined ? "no Chromium here, and none came with npm; ESTEIRA_TEST_BROWSER names one" : false,
};

/** Starts the browser that `findBrowser` finds. */
export function launchBrowser(): Promise<Browser> {
  const executablePath = findBrowser();
  if (executablePath === undefined) throw new Error(String(needsBrowser.skip));
  return chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--headless", "--disable-gpu", "--disable-background-networking"],
  });
}

/**
 * Brings a Chromium from npm into the user's cache, once, and tries it.
 *
 * @returns why there is none, or undefined when `findBrowser` finds it now
 */
export function installNpmBrowser(): string | undefined {
  if (process.platform !== "linux" || process.arch !== "x64") return `${NPM_BROWSER.name} is for Linux on x64`;
  const program = npmBrowserProgram();
  if (existsSync(program)) return undefined;
  const folder = dirname(program);
  const making = `${folder}.${process.pid}`;
  try {
    mkdirSync(making, { recursive: true });
    writeFileSync(join(making, "package.json"), "{}\n");
    execFileSync(
      "npm",
      [
        "install",
        "--prefix",
        making,
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-save",
        "--loglevel=error",
        `${NPM_BROWSER.name}@${NPM_BROWSER.version}`,
      ],
      { cwd: making, stdio: ["ignore", "ignore", "pipe"] },
    );
    unpack(making);
    const tried = spawnSync(join(making, "chromium-browser"), ["--version"], { encoding: "utf8" });
    if (tried.status !== 0)
      return `it does not start: ${(tried.stderr || tried.error?.message || "").trim().split("\n").at(-1) ?? ""}`;
    if (!existsSync(folder)) renameSync(making, folder);
    return undefined;
  } catch (error) {
    return (error instanceof Error ? error.message : String(error)).trim().split("\n").slice(0, 2).join(" ");
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
}

function npmBrowserProgram(): string {
  return join(testCache(), `browser-${NPM_BROWSER.version}`, "chromium-browser");
}

/**
 * The package unpacks into the system's temporary folder, where another user's copy may lie, and brings the libraries
 * that a bare system lacks only where it believes to be in a function service: it is given a folder of its own and that
 * belief.
 */
function unpack(folder: string): void {
  const unpacked = join(folder, "unpacked");
  mkdirSync(unpacked, { recursive: true });
  const main = createRequire(join(folder, "package.json")).resolve(NPM_BROWSER.name);
  const script = `import { pathToFileURL } from "node:url"; const { default: chromium } = await import(pathToFileURL(process.argv[1]).href); await (chromium.default ?? chromium).executablePath();`;
  execFileSync(process.execPath, ["--input-type=module", "-e", script, main], {
    cwd: folder,
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, TMPDIR: unpacked, AWS_LAMBDA_JS_RUNTIME: "nodejs24.x" },
  });
  writeFileSync(
    join(unpacked, "fonts/fonts.conf"),
    '<?xml version="1.0"?>\n<fontconfig><dir prefix="relative">.</dir><cachedir prefix="relative">cache</cachedir></fontconfig>\n',
  );
  rmSync(join(folder, "node_modules"), { recursive: true, force: true });
  const program = `#!/bin/sh
here=$(dirname "$(readlink -f "$0")")/unpacked
# The package's libraries and fonts are for a system that has none.
if ldd "$here/chromium" 2>/dev/null | grep -q 'not found'; then export LD_LIBRARY_PATH="$here/al2023/lib"; fi
[ -d /usr/share/fonts ] || export FONTCONFIG_PATH="$here/fonts"
exec "$here/chromium" "$@"
`;
  writeFileSync(join(folder, "chromium-browser"), program, { mode: 0o755 });
}
