// Runs the tests: `npm test`, `npm test -- test/data`, `npm test -- --all`.
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { glob, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import pg from "pg";
import { findBrowser, installNpmBrowser } from "../test/setup/browser.ts";
import { readOutcome, type TestOutcome } from "./test-outcome.ts";

/** So many files fail by chance at the most; more of them are a fault, which is not looked at twice. */
const MOST_AGAIN = 5;
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

let child: ChildProcess | undefined;
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child?.kill(signal));
process.exitCode = await runAll();

/**
 * All tests once. Of the whole suite, the files with a failing test are run once more, alone: a test that passes only
 * then is named as unreliable and does not fail the run; a fault fails twice.
 */
async function runAll(): Promise<number> {
  const first = await run(files, Math.max(2, Math.min(4, cpus().length)));
  const again = first.outcome.failedFiles.map((file) => relative(root, file));
  const isWorthwhile = names.length === 0 && !first.wasStopped && again.length > 0 && again.length <= MOST_AGAIN;
  if (first.code === 0 || !isWorthwhile) return first.code;
  say(`\nOnce more, alone: ${again.join(", ")}`);
  const second = await run(again, 1);
  const { counts } = first.outcome;
  const left = second.outcome.counts;
  const failing = left["failed"] ?? again.length;
  const cancelled = left["cancelled"] ?? 0;
  const mended = Math.max(0, (counts["failed"] ?? 0) + (counts["cancelled"] ?? 0) - failing - cancelled);
  if (second.code === 0) say(`\nUnreliable, passed only the second time: ${again.join(", ")}`);
  for (const [name, count] of [
    ["tests", counts["tests"]],
    ["suites", counts["suites"]],
    ["pass", (counts["passed"] ?? 0) + mended],
    ["fail", failing],
    ["cancelled", cancelled],
    ["skipped", counts["skipped"]],
    ["todo", counts["todo"]],
  ] as const)
    process.stdout.write(`ℹ ${name} ${String(count ?? 0)}\n`);
  process.stdout.write(`ℹ duration_ms ${String(first.duration + second.duration)}\n`);
  return second.code;
}

interface Ended {
  readonly code: number;
  readonly wasStopped: boolean;
  readonly duration: number;
  readonly outcome: TestOutcome;
}

async function run(these: readonly string[], concurrency: number): Promise<Ended> {
  const folder = await mkdtemp(join(tmpdir(), "esteira-tests-"));
  const place = join(folder, "outcome");
  const since = performance.now();
  child = spawn(
    process.execPath,
    [
      "--disable-warning=ExperimentalWarning",
      "--test",
      `--test-timeout=${(all ? 60 : 20) * 60_000}`,
      `--test-concurrency=${concurrency}`,
      "--test-reporter=spec",
      "--test-reporter-destination=stdout",
      `--test-reporter=${pathToFileURL(join(root, "scripts", "test-outcome.ts")).href}`,
      `--test-reporter-destination=${place}`,
      ...these,
    ],
    { cwd: root, stdio: "inherit", env: environment },
  );
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolveEnd) => {
    child?.on("exit", (...end) => resolveEnd(end));
  });
  const outcome = readOutcome(await readFile(place, "utf8").catch(() => ""));
  await rm(folder, { recursive: true, force: true });
  return { code: code ?? 1, wasStopped: signal !== null, duration: performance.now() - since, outcome };
}

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
