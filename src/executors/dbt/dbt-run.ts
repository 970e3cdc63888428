import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, posix, resolve } from "node:path";
import { z } from "zod";
import { type AssetVersion, getAssetVersion, type MetadataStore, type WriteTransaction } from "#metadata-store";
import { type AttemptContext, homeProject, type MadeVersion, type ProcessResult, type StepOutcome } from "#pipeline";
import { raisedIn } from "../kinds/python.ts";
import { patternsOf } from "../kinds/run.ts";
import type { PythonEnvironments } from "../python-environment.ts";
import { pythonPackageFolder, writeStepContext } from "../step-context.ts";
import type { UnderstoodDbt } from "./dbt-analysis.ts";
import type { DbtDeclaration } from "./dbt-declaration.ts";
import { dbtEnded, dbtFailed, dbtTestsFailed, dbtUnforeseen } from "./dbt-errors.ts";
import { installFolder } from "./dbt-files.ts";
import { type DbtMade, type DbtResult, isBroken, readDbtResult, toCheck } from "./dbt-result.ts";

/** Tried together; what a step's own requirements name takes their place. */
const REQUIREMENTS = ["dbt-core==1.11.16", "dbt-duckdb==1.10.1", "duckdb==1.4.5"] as const;
const SHOWN_PROBLEMS = 5;
const SHOWN_FAILURES = 50;
const DEFAULT_THREADS = 4;

type Attempt = AttemptContext<DbtDeclaration>;

interface Dependencies {
  readonly environments: PythonEnvironments;
  readonly store: MetadataStore;
}

/**
 * Runs dbt on the attempt's copy of the project, and publishes what it made: all of it or nothing.
 *
 * @throws EXECUTORS_DBT_FAILED, EXECUTORS_DBT_UNFORESEEN, EXECUTORS_DBT_ENDED; what making the environment throws
 */
export async function runDbt(
  { environments, store }: Dependencies,
  attempt: Attempt,
  understood: UnderstoodDbt,
): Promise<StepOutcome> {
  const { requirements } = attempt.declaration;
  const environment = await environments.prepare({
    requirements:
      requirements === undefined ? "" : await readFile(resolve(attempt.projectFolder, requirements), "utf8"),
    requirementsFile: requirements ?? `step ${attempt.step}`,
    extra: REQUIREMENTS,
    signal: attempt.signal,
    report: (line) => attempt.log(line),
  });
  const context = await writeStepContext(attempt, attempt.params);
  const work = join(attempt.workFolder, "dbt");
  await mkdir(work, { recursive: true });
  const request = join(work, "request.json");
  const resultFile = join(work, "result.json");
  await writeFile(
    request,
    JSON.stringify({
      ...(await requestOf(store, attempt, understood)),
      work,
      output: context.outputFolder,
      result: resultFile,
    }),
  );
  const ended = await attempt.runProcess({
    command: [environment.python, join(pythonPackageFolder, "esteira", "_dbt.py"), request],
    workingFolder: resolve(attempt.projectFolder, understood.folder),
    environment: { ...context.environment, DO_NOT_TRACK: "1", DBT_SEND_ANONYMOUS_USAGE_STATS: "false" },
    outputFile: context.outputFile,
    readable: [...context.folders, ...environment.folders],
    takes: [context.outputFolder, work],
  });
  const result = await readDbtResult(resultFile, { folder: work, step: attempt.step });
  if (result === undefined) throw dbtEnded({ step: attempt.step, ...endingOf(ended) });
  const facts = { ...factsOf(result), environmentLock: environment.lockDigest };
  const error = errorOf(attempt, understood, result);
  if (error !== undefined) return { status: "failed", error, facts };
  const published = await publishAll(attempt, result, {
    outputFolder: context.outputFolder,
    environmentLock: environment.lockDigest,
  });
  return { status: "succeeded", ...published, environmentLock: environment.lockDigest, outputs: ended.outputs, facts };
}

async function requestOf(store: MetadataStore, attempt: Attempt, understood: UnderstoodDbt): Promise<object> {
  const { select, exclude, vars = {}, target = "dev", threads = DEFAULT_THREADS, full_refresh } = attempt.declaration;
  const { folder, project, made, sources, references } = understood;
  const project0 = resolve(attempt.projectFolder, folder);
  const given = async (asset: string): Promise<object | undefined> => {
    const version = attempt.inputs.get(asset);
    return version === undefined ? undefined : { asset, ...(await relationOf(attempt, version)) };
  };
  const named = async (names: Iterable<readonly [string, string]>): Promise<object> =>
    Object.fromEntries(await Promise.all([...names].map(async ([name, asset]) => [name, await given(asset)])));
  const before: Record<string, object> = {};
  for (const { alias, materialized } of made) {
    if (materialized !== null && materialized !== "incremental" && materialized !== "snapshot") continue;
    const version = await versionBefore(store, attempt, alias);
    if (version !== undefined) before[alias] = await relationOf(attempt, version);
  }
  const [own] = project.packages;
  return {
    project: project0,
    packages: project.packages.length > 1 && own !== undefined ? join(project0, installFolder(own.file)) : null,
    target,
    threads,
    vars,
    select: patternsOf(select),
    exclude: patternsOf(exclude),
    fullRefresh: full_refresh === true,
    sources: await named(sources),
    references: await named(references.map((name) => [name, name] as const)),
    before,
  };
}

const made = z.object({ storedFrom: z.record(z.string(), z.string()).optional() });

/** Where the rows of a version are, and as what its maker had its columns. */
async function relationOf(attempt: Attempt, version: AssetVersion): Promise<object> {
  const { files, columns } = await attempt.locate(version);
  return {
    files: files ?? [],
    columns: columns ?? [],
    storedFrom: made.safeParse(version.content).data?.storedFrom ?? {},
  };
}

/** What incremental models and snapshots go on from; a preview reads what its project has. */
async function versionBefore(
  store: MetadataStore,
  { project }: Attempt,
  asset: string,
): Promise<AssetVersion | undefined> {
  const found = await store.read(
    async (transaction) =>
      (await getAssetVersion(transaction, { project, asset })) ??
      (await getAssetVersion(transaction, { project: homeProject(project), asset })),
  );
  return found?.kind === "data" ? found : undefined;
}

function endingOf({ signal, endedBy, exitCode, tail = "" }: ProcessResult): { exit: string; raised: string } {
  const exit = signal ?? (endedBy === "itself" ? `exit code ${exitCode}` : endedBy);
  return { exit, raised: raisedIn(tail) };
}

function factsOf({ nodes, tests }: DbtResult): NonNullable<Extract<StepOutcome, { status: "succeeded" }>["facts"]> {
  const count = (kind: string): number => nodes.filter((node) => node.kind === kind && !node.isEphemeral).length;
  const broken = tests.filter(isBroken);
  const warned = tests.filter(({ status }) => status === "warn");
  const counts = { models: count("model"), seeds: count("seed"), snapshots: count("snapshot") };
  return {
    ...Object.fromEntries(Object.entries(counts).filter(([, number]) => number > 0)),
    tests: tests.length,
    failed: broken.length,
    ...(warned.length === 0 ? {} : { warned: warned.length }),
    ...(broken.length + warned.length === 0
      ? {}
      : {
          failures: [...broken, ...warned]
            .slice(0, SHOWN_FAILURES)
            .map(({ name, file, message, status }) => ({ name, file, status, message: message ?? "" })),
        }),
  };
}

function errorOf({ step }: Attempt, understood: UnderstoodDbt, { errors, tests, nodes }: DbtResult) {
  const place = (file: string | null, line: number | null, named: string | null): string => {
    if (file === null) return "";
    const part = understood.project.packages.find((one) => one.file.name === named) ?? understood.project.packages[0];
    return `${posix.join(part?.folder ?? understood.folder, file)}${line === null ? "" : `:${line}`}: `;
  };
  if (errors.length > 0)
    return dbtFailed({
      step,
      count: errors.length,
      problems: errors.slice(0, SHOWN_PROBLEMS).map((one) => `${place(one.file, one.line, one.package)}${one.message}`),
    });
  const broken = tests.filter(isBroken);
  if (broken.length > 0)
    return dbtTestsFailed({
      step,
      count: broken.length,
      problems: broken
        .slice(0, SHOWN_PROBLEMS)
        .map(({ name, file, message }) => `${place(file, null, null)}${name}: ${message ?? "it fails"}`),
    });
  const foreseen = new Set(understood.made.map(({ alias }) => alias));
  const other = nodes.find(({ name, isEphemeral }) => !isEphemeral && !foreseen.has(name));
  return other === undefined
    ? undefined
    : dbtUnforeseen({ step, name: other.name, file: place(other.file, null, other.package).replace(/: $/, "") });
}

async function publishAll(
  attempt: Attempt,
  { nodes, tests }: DbtResult,
  { outputFolder, environmentLock }: { readonly outputFolder: string; readonly environmentLock: string },
): Promise<{
  readonly made: readonly MadeVersion[];
  readonly alsoWrite: (transaction: WriteTransaction) => Promise<void>;
}> {
  const tables = nodes.filter(({ isEphemeral }) => !isEphemeral);
  const columns = new Map<string, DbtMade["columns"]>(tables.map((node) => [node.name, node.columns]));
  for (const [name, version] of attempt.inputs) columns.set(name, [...((await attempt.locate(version)).columns ?? [])]);
  const versions: MadeVersion[] = [];
  const writes: ((transaction: WriteTransaction) => Promise<void>)[] = [];
  for (const [index, node] of tables.entries()) {
    const checks = tests.filter(({ about }) => about.includes(node.name)).map(toCheck);
    const { made: version, alsoWrite } = await attempt.publish({
      asset: node.name,
      kind: "data",
      folder: join(outputFolder, node.name),
      options: {
        environmentLock,
        columns: node.columns,
        checks,
        ...(node.query === null
          ? {}
          : {
              query: {
                sql: node.query,
                tables: Object.fromEntries([...node.reads, node.name].map((name) => [name, columns.get(name) ?? []])),
              },
            }),
      },
    });
    versions.push({ ...version, reads: node.reads });
    if (alsoWrite !== undefined) writes.push(alsoWrite);
    attempt.progress(index + 1, tables.length, "datasets");
  }
  return {
    made: versions,
    async alsoWrite(transaction) {
      for (const write of writes) await write(transaction);
    },
  };
}
