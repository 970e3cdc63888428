// Finds public functions that nobody can reach from the command line, the server or a step: `npm run check` calls it.
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { findPrograms } from "./build-cli.ts";

const root = resolve(import.meta.dirname, "..");

/** Without a door on purpose, or for now; each with its reason. A name that has got one is taken off the list. */
const WITHOUT_DOOR: Readonly<Record<string, string>> = {
  createClient: "the page and scripts call the server by it",
  dashboardJsonSchema: "`npm run generate` writes the schema for editors",
  definedErrors: "`npm run generate` writes the catalogue of errors",
  featureFileSchema: "`npm run generate` writes the schema for editors",
  getPipelineRun: "tests look at all of a run's record",
  getStepRun: "tests look at all of a step run's record",
  jsonSchemas: "`npm run generate` writes the schemas for editors",
  listMissingRoutes: "`npm run generate` names what MLflow has and esteira has not",
  openPlatform: "tests and benches open a project without the command line",
};

interface Report {
  readonly issues: readonly { readonly file: string; readonly exports: readonly { readonly name: string }[] }[];
}

const folder = await mkdtemp(join(tmpdir(), "esteira-doors-"));
try {
  const config = join(folder, "knip.json");
  await writeFile(
    config,
    JSON.stringify({
      ignoreExportsUsedInFile: true,
      entry: Object.values(await findPrograms()).map((file) => `${file}!`),
      project: ["src/**/*.ts!"],
    }),
  );
  const { stdout, stderr } = spawnSync(
    join(root, "node_modules/.bin/knip"),
    ["--production", "--no-progress", "--config", config, "--include", "exports", "--reporter", "json", "-W", "."],
    { cwd: root, encoding: "utf8", maxBuffer: 64 * 2 ** 20 },
  );
  if (!stdout.startsWith("{")) throw new Error(`knip failed: ${stderr || stdout}`);
  const { issues } = JSON.parse(stdout) as Report;
  const unreached = issues
    .filter(({ file }) => !file.endsWith("/index.ts"))
    .flatMap(({ file, exports }) => exports.map(({ name }) => ({ file, name })))
    .filter(({ name }) => /^[a-z]/.test(name));
  const problems = unreached
    .filter(({ name }) => !Object.hasOwn(WITHOUT_DOOR, name))
    .map(({ file, name }) => `${file}: ${name} is used by no command, page or step; give it a door or take it out`);
  const reached = Object.keys(WITHOUT_DOOR).filter((known) => !unreached.some(({ name }) => name === known));
  problems.push(...reached.map((name) => `scripts/check-doors.ts: ${name} has a door now; take it off the list`));
  process.stdout.write(problems.map((problem) => `${problem}\n`).join(""));
  process.exitCode = problems.length === 0 ? 0 : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}
