// Runs a script of this repository on the pinned Node, installing first what is missing.
// Plain JavaScript: this file runs on whatever Node the machine has (20 or newer).
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const [script, ...args] = process.argv.slice(2);

if (needsInstall()) install();
const child = spawn(pinnedNode(), [resolve(root, script), ...args], {
  stdio: "inherit",
  env: {
    ...process.env,
    PATH: `${dirname(pinnedNode())}:${process.env.PATH ?? ""}`,
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(root, "node_modules/.cache/node"),
  },
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => {
  if (signal !== null) process.kill(process.pid, signal);
  process.exitCode = code ?? 1;
});

function pinnedNode() {
  const folder = `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
  return join(root, "node_modules", folder, "bin", process.platform === "win32" ? "node.exe" : "node");
}

function needsInstall() {
  const record = join(root, "node_modules/.package-lock.json");
  if (!existsSync(pinnedNode()) || !existsSync(record)) return true;
  return lacksPackages(record);
}

/** True when a package that the lock names is not there in that version: after an update of the repository. */
function lacksPackages(record) {
  const read = (file) => JSON.parse(readFileSync(file, "utf8")).packages;
  const installed = read(record);
  return Object.entries(read(join(root, "package-lock.json"))).some(
    ([path, { version, optional, devOptional, link }]) =>
      path !== "" && !optional && !devOptional && !link && installed[path]?.version !== version,
  );
}

function install() {
  process.stderr.write("Installing what package-lock.json names (once, about a minute) …\n");
  const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
  });
  if (status === 0 && existsSync(pinnedNode())) return;
  const reason =
    status === 0
      ? `npm ci brought no Node 24 for ${process.platform} ${process.arch}: is \`optional\` omitted in the npm settings?`
      : "npm ci failed; the lines above say why.";
  process.stderr.write(
    `${reason}\nOnce that is mended (the npm registry must be reachable), run the same command again.\n`,
  );
  process.exit(1);
}
