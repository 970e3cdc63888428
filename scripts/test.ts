// Runs the tests: `npm test`, `npm test -- test/data`, `npm test -- --all`.
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { glob, stat } from "node:fs/promises";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import pg from "pg";
import { findBrowser, installNpmBrowser } from "../test/setup/browser.ts";

const root = resolve(import.meta.dirname, "..");
const postgresUrl = process.env["ESTEIRA_TEST_POSTGRES"] ?? "postgres://root@127.0.0.1:5432/test";
const names = process.argv.slice(2).filter((name) => name !== "--all");
const all = process.argv.includes("--all");

const files = await selectFiles(names.length === 0 ? ["test"] : names);
const environment: NodeJS.ProcessEnv = { ...process.env };
environment["STORES"] ??= (await postgresAnswers()) ? "sqlite,postgres" : "sqlite";
say(describeDatabases());
installMissingPrograms();
const browser = findBrowser();
if (browser !== undefined) environment["ESTEIRA_TEST_BROWSER"] = browser;
build("build-web.ts");
build("build-cli.ts", "--quiet");

const child = spawn(
  process.execPath,
  [
    "--disable-warning=ExperimentalWarning",
    "--test",
    `--test-timeout=${(all ? 60 : 20) * 60_000}`,
    `--test-concurrency=${Math.max(2, Math.min(4, cpus().length))}`,
    "--test-reporter=spec",
    ...files,
  ],
  {
    cwd: root,
    stdio: "inherit",
    env: environment,
  },
);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));
child.on("exit", (code) => {
  process.exitCode = code ?? 1;
});

async function selectFiles(places: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const place of places) {
    const isFile = await stat(join(root, place)).then(
      (facts) => facts.isFile(),
      () => false,
    );
    const pattern = isFile ? place : `${place}/**/*.test.ts`;
    for await (const file of glob(pattern, { cwd: root }))
      if (all || isFile || !file.endsWith(".slow.test.ts")) found.push(file);
  }
  if (found.length === 0) throw new Error(`no test file below ${places.join(", ")}`);
  return found.sort();
}

function describeDatabases(): string {
  if (environment["STORES"]?.includes("postgres") === true)
    return `Databases: ${environment["STORES"] === "postgres" ? "" : "SQLite and "}PostgreSQL (${postgresUrl})`;
  if (process.env["STORES"] !== undefined) return `Databases: ${environment["STORES"] ?? ""}, as STORES says`;
  return `Databases: SQLite only: no PostgreSQL answers at ${postgresUrl}. Name another with ESTEIRA_TEST_POSTGRES.`;
}

async function postgresAnswers(): Promise<boolean> {
  const client = new pg.Client({ connectionString: postgresUrl, connectionTimeoutMillis: 2000 });
  try {
    await client.connect();
    await client.end();
    return true;
  } catch {
    return false;
  }
}

/**
 * What some tests drive: a browser, and the sandbox of steps. Installed where this may be done (a browser comes with
 * npm, too); else it is said what comes of it.
 */
function installMissingPrograms(): void {
  const hasSandbox = (): boolean => spawnSync("bwrap", ["--version"], { stdio: "ignore" }).status === 0;
  const programs = [
    {
      name: "chromium",
      isThere: () => findBrowser() !== undefined,
      otherwise: "the browser tests are skipped; ESTEIRA_TEST_BROWSER may name one",
    },
    { name: "bubblewrap", isThere: hasSandbox, otherwise: "the sandbox tests are skipped" },
  ];
  const missing = programs.filter(({ isThere }) => !isThere()).map(({ name }) => name);
  if (missing.length > 0 && process.getuid?.() === 0 && existsSync("/usr/bin/apt-get")) {
    say(`Installing ${missing.join(" and ")} for the tests (once) …`);
    spawnSync("sh", ["-c", `apt-get update -qq && apt-get install -y -qq ${missing.join(" ")}`], {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    });
  }
  if (findBrowser() === undefined) {
    say("Bringing a Chromium from npm for the tests (once, about a minute) …");
    const problem = installNpmBrowser();
    if (problem !== undefined) say(`None came: ${problem}`);
  }
  for (const { name, isThere, otherwise } of programs)
    if (!isThere()) say(`There is no ${name} here: ${otherwise}. Install it with: apt-get install ${name}`);
}

function build(script: string, ...words: readonly string[]): void {
  const { status } = spawnSync(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(root, "scripts", script), ...words],
    { stdio: "inherit" },
  );
  if (status !== 0) process.exit(status ?? 1);
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
