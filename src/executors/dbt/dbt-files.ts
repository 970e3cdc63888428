import { join, posix } from "node:path";
import { z } from "zod";
import { type LocatedProblem, readYaml } from "#base";
import type { AnalysisContext, Problem } from "#pipeline";

const paths = z.array(z.string()).optional();
const tree = z.record(z.string(), z.unknown()).nullish();

const projectFile = z.looseObject({
  name: z.string(),
  "model-paths": paths,
  "seed-paths": paths,
  "snapshot-paths": paths,
  "macro-paths": paths,
  "test-paths": paths,
  "analysis-paths": paths,
  "packages-install-path": z.string().optional(),
  "target-path": z.string().optional(),
  models: tree,
  seeds: tree,
  snapshots: tree,
});
export type DbtProjectFile = z.infer<typeof projectFile>;

const packagesFile = z.looseObject({
  packages: z.array(z.record(z.string(), z.unknown())).nullish(),
  projects: z.array(z.unknown()).nullish(),
});

const config = z
  .looseObject({
    enabled: z.unknown(),
    materialized: z.unknown(),
    alias: z.unknown(),
    tags: z.unknown(),
    meta: z.unknown(),
    external_location: z.unknown(),
  })
  .partial()
  .nullish();
const tests = { tests: z.array(z.unknown()).nullish(), data_tests: z.array(z.unknown()).nullish() };
const columns = z.array(z.looseObject({ name: z.unknown(), ...tests })).nullish();
const described = z.looseObject({
  name: z.string(),
  config,
  relation: z.string().optional(),
  tags: z.unknown().optional(),
  latest_version: z.union([z.string(), z.number()]).optional(),
  versions: z.array(z.looseObject({ v: z.union([z.string(), z.number()]) })).nullish(),
});
const sourceTable = z.looseObject({
  name: z.string(),
  identifier: z.string().optional(),
  columns,
  config,
  meta: z.unknown().optional(),
  tags: z.unknown().optional(),
  ...tests,
});
const propertiesFile = z.looseObject({
  models: z.array(described).nullish(),
  seeds: z.array(described).nullish(),
  snapshots: z.array(described).nullish(),
  sources: z
    .array(
      z.looseObject({
        name: z.string(),
        config,
        meta: z.unknown().optional(),
        tags: z.unknown().optional(),
        tables: z.array(sourceTable).nullish(),
      }),
    )
    .nullish(),
});
export type DbtProperties = z.infer<typeof propertiesFile>;
export type DbtSourceTable = z.infer<typeof sourceTable>;
export type DbtDescribed = z.infer<typeof described>;

/** One dbt project in the files of the platform's: that of the step, or a package of it. */
export interface DbtPackage {
  /** Project-relative; empty for the project's own folder. */
  readonly folder: string;
  readonly file: DbtProjectFile;
  /** Project-relative, sorted. */
  readonly files: readonly string[];
}

/** Never read: what dbt makes, and what belongs to one person. */
const LEFT_OUT = /^(?:target|logs|dbt_packages|\.[^/]*)(?:\/|$)|\.duckdb(?:\.wal)?$|(?:^|\/)__pycache__\//;
const OWN_FILES = ["dbt_project.yml", "packages.yml", "dependencies.yml", "package-lock.yml", "selectors.yml"] as const;
const DEFAULT_PATHS = {
  "model-paths": ["models"],
  "seed-paths": ["seeds"],
  "snapshot-paths": ["snapshots"],
  "macro-paths": ["macros"],
  "test-paths": ["tests"],
  "analysis-paths": ["analyses"],
} as const;
export type DbtPathKey = keyof typeof DEFAULT_PATHS;
const PATH_KEYS: readonly DbtPathKey[] = [
  "model-paths",
  "seed-paths",
  "snapshot-paths",
  "macro-paths",
  "test-paths",
  "analysis-paths",
];
const LARGEST_YAML_BYTES = 5_000_000;

export function pathsOf(file: DbtProjectFile, key: DbtPathKey): readonly string[] {
  return (file[key] ?? DEFAULT_PATHS[key]).map((path) => posix.normalize(path).replace(/\/+$/, ""));
}

export function installFolder(file: DbtProjectFile): string {
  const named = file["packages-install-path"];
  return named === undefined || named.includes("{{") ? "dbt_packages" : posix.normalize(named);
}

/** Joins project-relative paths; undefined where the result leaves the project. */
export function inFolder(folder: string, path: string): string | undefined {
  const joined = posix.normalize(posix.join(folder === "" ? "." : folder, path)).replace(/\/+$/, "");
  if (joined === ".") return "";
  return joined.startsWith("../") || joined === ".." || joined.startsWith("/") ? undefined : joined;
}

type Files = Pick<AnalysisContext, "readFile" | "glob">;

/**
 * The dbt project of a folder with the packages that it takes from other folders of the project, itself first.
 *
 * Packages from elsewhere are problems: what they hold would be no part of the step's recipe.
 */
export async function readDbtPackages(
  folder: string,
  files: Files,
): Promise<{ readonly packages: readonly DbtPackage[]; readonly problems: readonly Problem[] }> {
  const problems: Problem[] = [];
  const found = new Map<string, DbtPackage>();
  const waiting: { readonly folder: string; readonly at?: Problem["at"] }[] = [{ folder }];
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    if (found.has(next.folder)) continue;
    const name = posix.join(next.folder, "dbt_project.yml");
    const text = await files.readFile(name);
    if (text === undefined) {
      problems.push({
        path: ["dbt"],
        message: `There is no file ${name} in the project`,
        hint: "Name the folder that holds dbt_project.yml.",
        ...(next.at === undefined ? {} : { at: next.at }),
      });
      continue;
    }
    const read = readYaml(text, name, projectFile);
    problems.push(...read.problems.map(toProblem));
    if (read.value === undefined) continue;
    found.set(next.folder, {
      folder: next.folder,
      file: read.value,
      files: await listFiles(next.folder, read.value, files),
    });
    for (const file of ["packages.yml", "dependencies.yml"])
      waiting.push(...(await localPackages(next.folder, file, { files, problems })));
  }
  return { packages: [...found.values()], problems };
}

async function listFiles(folder: string, file: DbtProjectFile, { glob }: Files): Promise<readonly string[]> {
  const target = file["target-path"] ?? "target";
  const isKept = (path: string): boolean => {
    const own = folder === "" ? path : path.slice(folder.length + 1);
    return !LEFT_OUT.test(own) && ![target, installFolder(file)].some((made) => own.startsWith(`${made}/`));
  };
  if (folder !== "") return (await glob(`${folder}/**/*`)).filter(isKept);
  // Beside pipelines and datasets of the platform, only what dbt looks at is dbt's.
  const patterns = [...OWN_FILES, ...PATH_KEYS.flatMap((key) => pathsOf(file, key)).map((path) => `${path}/**/*`)];
  const all = await Promise.all(patterns.map((pattern) => glob(pattern)));
  return [...new Set(all.flat())].filter(isKept).sort();
}

async function localPackages(
  folder: string,
  name: string,
  { files, problems }: { readonly files: Files; readonly problems: Problem[] },
): Promise<readonly { readonly folder: string; readonly at: NonNullable<Problem["at"]> }[]> {
  const file = posix.join(folder, name);
  const text = await files.readFile(file);
  if (text === undefined || text.trim() === "") return [];
  const read = readYaml(text, file, packagesFile);
  problems.push(...read.problems.map(toProblem));
  const local: { folder: string; at: NonNullable<Problem["at"]> }[] = [];
  for (const [index, one] of (read.value?.packages ?? []).entries()) {
    const at = read.document.at(["packages", index]);
    const path = one["local"];
    const target = typeof path === "string" ? inFolder(folder, path) : undefined;
    if (target !== undefined) local.push({ folder: target, at });
    else
      problems.push({
        path: ["dbt"],
        message:
          typeof path === "string"
            ? `the package "${path}" lies outside the project`
            : `the package ${JSON.stringify(Object.values(one)[0])} comes from elsewhere: what is in it would be no part of what the step is made from`,
        hint: "Copy the package into the project and name its folder: `local: packages/NAME`.",
        at,
      });
  }
  if ((read.value?.projects ?? []).length > 0)
    problems.push({
      path: ["dbt"],
      message: "projects of other teams (dbt mesh) cannot be read",
      hint: "Declare what you read of them as sources: the datasets that their steps make.",
      at: read.document.at(["projects"]),
    });
  return local;
}

/** Every file below a kind's folders that has one of these endings, with its path there. */
export function filesBelow(
  { folder, file, files }: DbtPackage,
  key: DbtPathKey,
  ending: RegExp,
): readonly { readonly file: string; readonly below: string; readonly own: string }[] {
  return pathsOf(file, key).flatMap((path) => {
    const start = `${join(folder, path)}/`;
    return files
      .filter((each) => each.startsWith(start) && ending.test(each))
      .map((each) => ({
        file: each,
        below: each.slice(start.length),
        own: folder === "" ? each : each.slice(folder.length + 1),
      }));
  });
}

/** The files that describe models, sources, seeds and snapshots. */
export async function readProperties(
  part: DbtPackage,
  { readFile }: Pick<Files, "readFile">,
): Promise<{
  readonly read: readonly { readonly file: string; readonly value: DbtProperties; readonly at: PlaceOf }[];
  readonly problems: readonly Problem[];
}> {
  const keys: readonly DbtPathKey[] = ["model-paths", "seed-paths", "snapshot-paths"];
  const names = [...new Set(keys.flatMap((key) => filesBelow(part, key, /\.ya?ml$/)).map(({ file }) => file))];
  const problems: Problem[] = [];
  const read: { file: string; value: DbtProperties; at: PlaceOf }[] = [];
  for (const file of names) {
    const text = await readFile(file);
    if (text === undefined || text.trim() === "") continue;
    const { value, document, problems: found } = readYaml(text, file, propertiesFile, { maxBytes: LARGEST_YAML_BYTES });
    problems.push(...found.map(toProblem));
    if (value !== undefined) read.push({ file, value, at: (path) => document.at(path) });
  }
  return { read, problems };
}

type PlaceOf = (path: (string | number)[]) => NonNullable<Problem["at"]>;

function toProblem({ file, line, column, message, hint }: LocatedProblem): Problem {
  return { path: ["dbt"], message, ...(hint === undefined ? {} : { hint }), at: { file, line, column } };
}
