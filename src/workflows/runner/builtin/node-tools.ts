import { mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { asText, membersOf } from "../../json.ts";
import { findCommand, runProcess } from "../processes.ts";
import { environmentOf, pathOf } from "../step-process.ts";
import type { BuiltinStep } from "./builtins.ts";
import { type ToolCache, useToolCache } from "./tool-cache.ts";
import { parseVersion, satisfies } from "../../version-range.ts";

/** The Node that is asked for: one of this machine, or one from the package registry. */
export async function setupNode(step: BuiltinStep): Promise<Readonly<Record<string, string>>> {
  const { job, inputs } = step;
  const range = withoutName(inputs["node-version"] || (await versionInFile(step)) || "");
  const known = new Map<string, string>();
  for (const program of [findCommand("node", pathOf(job)), process.execPath]) {
    const version = program === undefined ? undefined : await versionOf(step, program);
    if (program !== undefined && version !== undefined) known.set(version, program);
  }
  const found = [...known].find(([version]) => satisfies(version, range));
  const folder = found === undefined ? await installNode(step, range, [...known.keys()]) : await shown(step, found[1]);
  job.path.push(folder);
  const version = (await versionOf(step, join(folder, "node"))) ?? "";
  await writeRegistry(step);
  job.output.say(`Node ${version}`);
  const manager = inputs["cache"] ?? "";
  const hit = manager === "" ? "" : await useToolCache(step, packageCache(step, manager));
  return { "node-version": `v${version}`, ...(hit === "" ? {} : { "cache-hit": hit }) };
}

const PACKAGE_CACHES: Readonly<Record<string, Omit<ToolCache, "name">>> = {
  npm: { paths: ["~/.npm"], lockFiles: ["**/package-lock.json", "**/npm-shrinkwrap.json", "**/yarn.lock"] },
  yarn: { paths: ["~/.cache/yarn", "~/.yarn/berry/cache"], lockFiles: ["**/yarn.lock"] },
  pnpm: { paths: ["~/.local/share/pnpm/store"], lockFiles: ["**/pnpm-lock.yaml"] },
};

/** @throws for a package manager that setup-node does not know */
function packageCache({ job }: BuiltinStep, manager: string): ToolCache {
  const known = Object.hasOwn(PACKAGE_CACHES, manager) ? PACKAGE_CACHES[manager] : undefined;
  if (known === undefined)
    throw new Error(`cache: "${manager}" is unknown; expected ${Object.keys(PACKAGE_CACHES).join(", ")}`);
  // The machine's own settings move what the programs keep: there it is not the job's.
  const moved = job.base["npm_config_cache"];
  return {
    ...known,
    name: `node-cache-${manager}`,
    paths: manager === "npm" && moved !== undefined ? [moved] : known.paths,
  };
}

/** What setup-node writes for a registry: its address, and where npm finds the token. */
async function writeRegistry({ job, inputs }: BuiltinStep): Promise<void> {
  const stated = inputs["registry-url"] ?? "";
  if (stated === "") return;
  const url = new URL(stated.endsWith("/") ? stated : `${stated}/`);
  const scope = inputs["scope"] ?? "";
  const owner = scope === "" ? "" : `${scope.startsWith("@") ? "" : "@"}${scope}:`.toLowerCase();
  const file = join(job.plan.folders.temporary, ".npmrc");
  await writeFile(
    file,
    [
      `//${url.host}${url.pathname}:_authToken=\${NODE_AUTH_TOKEN}`,
      `${owner}registry=${url.href}`,
      ...(inputs["always-auth"] === undefined ? [] : [`always-auth=${inputs["always-auth"]}`]),
      "",
    ].join("\n"),
  );
  job.env["NPM_CONFIG_USERCONFIG"] = file;
  // npm fails for a variable in the file that is not there.
  job.env["NODE_AUTH_TOKEN"] ??= "XXXXX-XXXXX-XXXXX-XXXXX";
}

/** A folder that holds this Node, and the npm beside it, and nothing else. */
async function shown(step: BuiltinStep, program: string): Promise<string> {
  const folder = join(step.job.plan.folders.tools, `node-${++step.job.counter}`, "bin");
  await mkdir(folder, { recursive: true });
  await symlink(program, join(folder, "node"));
  for (const name of ["npm", "npx", "corepack"]) {
    const beside = join(dirname(program), name);
    if ((await stat(beside).catch(() => undefined)) !== undefined) await symlink(beside, join(folder, name));
  }
  return folder;
}

async function installNode(step: BuiltinStep, range: string, known: readonly string[]): Promise<string> {
  const architecture = process.arch === "arm64" ? "arm64" : "x64";
  const folder = join(step.job.plan.folders.tools, `node-${++step.job.counter}`);
  const name = `node-linux-${architecture}@${range.replace(/^v/, "")}`;
  const missing = (reason: string): Error =>
    new Error(
      `Node ${range} is not on this machine (there is ${known.join(", ") || "none"}), and could not be installed as ${name}: ${reason}`,
    );
  await installPackage(step, name, folder).catch((error: unknown) => {
    throw missing(error instanceof Error ? error.message : String(error));
  });
  const bin = join(folder, "node_modules", `node-linux-${architecture}`, "bin");
  const version = (await versionOf(step, join(bin, "node"))) ?? "";
  // A folder of its own: installing into one takes away what is there.
  await installPackage(step, `npm@${npmOf(version)}`, join(folder, "npm")).catch((error: unknown) => {
    throw missing(error instanceof Error ? error.message : String(error));
  });
  for (const name of ["npm", "npx"]) {
    const program = join(folder, "npm", "node_modules", "npm", "bin", `${name}-cli.js`);
    if ((await stat(program).catch(() => undefined)) !== undefined) await symlink(program, join(bin, name));
  }
  return bin;
}

/** Major version of Node → range of the npm that came with it. The npm of another Node often cannot run on it. */
const NPM_OF_NODE: readonly (readonly [number, string])[] = [
  [24, "11"],
  [20, "10"],
  [18, "9"],
  [16, "8"],
  [10, "6"],
  [8, "5"],
  [6, "3"],
  [0, "2"],
];

function npmOf(version: string): string {
  const major = parseVersion(version)?.[0] ?? 0;
  return NPM_OF_NODE.find(([least]) => major >= least)?.[1] ?? "2";
}

/** Names that Node gives its lines of long support. */
const LINES: Readonly<Record<string, string>> = {
  argon: "4",
  boron: "6",
  carbon: "8",
  dubnium: "10",
  erbium: "12",
  fermium: "14",
  gallium: "16",
  hydrogen: "18",
  iron: "20",
  jod: "22",
  krypton: "24",
};

function withoutName(range: string): string {
  const name = /^lts\/([a-z]+)$/i.exec(range.trim())?.[1]?.toLowerCase() ?? "";
  return Object.hasOwn(LINES, name) ? (LINES[name] ?? range) : range;
}

/** Installs one package into a folder of the job; no script of it runs. */
export async function installPackage(step: BuiltinStep, name: string, folder: string): Promise<void> {
  if (!/^[@A-Za-z0-9._/^~<>=|* -]+$/.test(name)) throw new Error(`"${name}" names no package`);
  await mkdir(folder, { recursive: true });
  const npm = findCommand("npm", pathOf(step.job));
  if (npm === undefined) throw new Error("there is no npm on this machine");
  const { exitCode, output } = await runProcess(step.job, {
    command: [npm, "install", "--prefix", folder, "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", name],
    folder,
    environment: environmentOf(step),
    isQuiet: true,
  });
  if (exitCode !== 0) throw new Error(output.trim().split("\n").slice(0, 5).join(" "));
}

async function versionInFile({ job, inputs }: BuiltinStep): Promise<string | undefined> {
  const file = inputs["node-version-file"];
  if (file === undefined || file === "") return undefined;
  const text = await readFile(join(job.plan.folders.workspace, file), "utf8");
  if (!file.endsWith(".json")) return /^\s*(?:nodejs\s+)?v?(\S+)/m.exec(text)?.[1];
  const value = membersOf(JSON.parse(text));
  return asText(membersOf(value["volta"])["node"] ?? membersOf(value["engines"])["node"]);
}

export async function versionOf(step: BuiltinStep, program: string): Promise<string | undefined> {
  const { exitCode, output } = await runProcess(step.job, {
    command: [program, "--version"],
    folder: step.job.plan.folders.workspace,
    environment: environmentOf(step),
    isQuiet: true,
  }).catch(() => ({ exitCode: 1, output: "" }));
  return exitCode === 0 ? /(\d+\.\d+\.\d+)/.exec(output)?.[1] : undefined;
}

/** pnpm: of this machine where it fits, else from the package registry. */
export async function setupPnpm(step: BuiltinStep): Promise<Readonly<Record<string, string>>> {
  const { job, inputs } = step;
  const range =
    inputs["version"] ||
    (await packageManager(step, inputs["package_json_file"] ?? "package.json", "pnpm")) ||
    "latest";
  const folder = await provide(step, { command: "pnpm", package: "pnpm", range });
  const wanted = inputs["run_install"] ?? "";
  if (wanted !== "" && wanted !== "false" && wanted !== "null") {
    const { exitCode } = await runProcess(job, {
      command: [join(folder, "pnpm"), "install"],
      folder: job.plan.folders.workspace,
      environment: environmentOf(step),
    });
    if (exitCode !== 0) throw new Error(`pnpm install ended with exit code ${exitCode}`);
  }
  return { dest: folder, bin_dest: folder };
}

/** Bun: of this machine where it fits, else its program from the package registry. */
export async function setupBun(step: BuiltinStep): Promise<Readonly<Record<string, string>>> {
  const { inputs } = step;
  const architecture = process.arch === "arm64" ? "aarch64" : "x64";
  const range = inputs["bun-version"] || (await packageManager(step, "package.json", "bun")) || "latest";
  const folder = await provide(step, { command: "bun", package: `@oven/bun-linux-${architecture}`, range });
  return {
    "bun-path": join(folder, "bun"),
    "bun-version": (await versionOf(step, join(folder, "bun"))) ?? "",
    "cache-hit": "false",
  };
}

/** Deno: of this machine where it fits, else its program from the package registry. */
export async function setupDeno(step: BuiltinStep): Promise<Readonly<Record<string, string>>> {
  const { inputs } = step;
  const architecture = process.arch === "arm64" ? "arm64" : "x64";
  const range = (inputs["deno-version"] || "latest").replace(/^v/, "").replace(/^(\d+)\.x$/, "$1");
  const folder = await provide(step, { command: "deno", package: `@deno/linux-${architecture}-glibc`, range });
  return { "deno-version": (await versionOf(step, join(folder, "deno"))) ?? "", "cache-hit": "false" };
}

async function provide(
  step: BuiltinStep,
  tool: { readonly command: string; readonly package: string; readonly range: string },
): Promise<string> {
  const { job } = step;
  const own = findCommand(tool.command, pathOf(job));
  const version = own === undefined ? undefined : await versionOf(step, own);
  if (own !== undefined && version !== undefined && satisfies(version, tool.range)) {
    job.output.say(`${tool.command} ${version}`);
    return dirname(own);
  }
  const folder = join(job.plan.folders.tools, `${tool.command}-${++job.counter}`);
  try {
    await installPackage(step, `${tool.package}@${tool.range}`, folder);
  } catch (error) {
    throw new Error(
      `${tool.command} ${tool.range} is not on this machine (there is ${version ?? "none"}), and could not be installed: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
  const bin = await programFolder(folder, tool);
  job.path.push(bin);
  return bin;
}

/** Where a package that was installed has its program: linked by the package manager, in `bin`, or beside the rest. */
async function programFolder(
  folder: string,
  tool: { readonly command: string; readonly package: string },
): Promise<string> {
  const own = join(folder, "node_modules", tool.package);
  for (const bin of [join(folder, "node_modules", ".bin"), join(own, "bin"), own])
    if ((await stat(join(bin, tool.command)).catch(() => undefined))?.isFile() === true) return bin;
  throw new Error(`${tool.package} holds no ${tool.command}`);
}

async function packageManager({ job }: BuiltinStep, file: string, name: string): Promise<string | undefined> {
  const text = await readFile(join(job.plan.folders.workspace, file), "utf8").catch(() => "{}");
  const stated = membersOf(JSON.parse(text))["packageManager"];
  return typeof stated === "string" && stated.startsWith(`${name}@`)
    ? stated.slice(name.length + 1).replace(/\+.*$/, "")
    : undefined;
}
