import { copyFile, mkdir, realpath, stat, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { digestOf, formatQuantity } from "#base";
import { assertInside, type Problem, SHORTEST_SECRET } from "#pipeline";
import type { Analytics } from "../../analytics/analytics.ts";
import { sourceChanged, sourceColumnUnfit, sourceSecretUnfit, tapFailed } from "../../source-errors.ts";
import { deletesMissing, isReplacing } from "../../write-disposition.ts";
import type { IdentifiedFile } from "../capture.ts";
import type { CaptureDeclaration } from "../capture-declaration.ts";
import { isAsCaptured } from "../ledger.ts";
import { findSourceFiles, readIdentity } from "../source-file.ts";
import type { DatabaseColumn } from "./database.ts";
import { readDump } from "./read-dump.ts";
import type { SingerDeclaration } from "./singer-declaration.ts";
import { freshFolder, readSingerResult, type SingerRead } from "./singer-result.ts";
import { typeOfSchema } from "./singer-types.ts";
import type { OpenSource, Source, SourceContext, SourceReader, SourceReading } from "./source.ts";
import type { TapRunner } from "./tap-runner.ts";

export interface SingerDependencies {
  readonly analytics: Analytics;
  readonly taps: TapRunner;
  /** Values of secrets; undefined for those that are not set. */
  readonly secret: (name: string) => string | undefined;
}

const cursorSchema = z.object({
  format: z.literal("singer-state/1"),
  source: z.string(),
  /** As JSON: numbers keep their digits. */
  state: z.string().nullable(),
  /** Of the table as the tap counts them; another one has other rows. */
  version: z.int().nullable(),
});

type SingerCursor = z.infer<typeof cursorSchema>;

const MEMORY_BYTES = 512 << 20;
/** In a state that is kept: the tap's folder, which is another one in each attempt. */
const TAP_FOLDER = "{esteira.tap.folder}";

/** Records of a Singer tap. */
export function createSingerSource(
  declaration: SingerDeclaration,
  write: CaptureDeclaration["write"],
  dependencies: SingerDependencies,
): Source {
  const description = `singer ${packageOf(declaration)} ${declaration.stream}`;
  return {
    description,
    write: isIncremental(declaration) ? "append" : "replace",
    duplicates: "last",
    analyse: () => Promise.resolve({ problems: singerProblems(declaration, write), fingerprint: undefined }),
    async preview({ position }) {
      const [version = ""] = requirementsOf(declaration);
      const last = isIncremental(declaration) ? cursorSchema.safeParse(await position.cursor()).data : undefined;
      const what = last === undefined ? "all records" : "records that are new by the state of its last version";
      return `${version.split("==")[1] === undefined ? description : `${description} (${version})`}: ${what}`;
    },
    open: (context) => Promise.resolve(openTap(declaration, dependencies, { description, context })),
  };
}

function asJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

function isIncremental({ replication }: SingerDeclaration): boolean {
  return replication === "incremental";
}

function requirementsOf({ tap }: SingerDeclaration): readonly string[] {
  return [tap].flat();
}

function packageOf(declaration: SingerDeclaration): string {
  return requirementsOf(declaration)[0]?.replace(/[[=].*$/s, "") ?? "";
}

/** The part of the package's name that says that it is a tap; what stands before it says who made it. */
function executableOf(declaration: SingerDeclaration): string {
  const name = packageOf(declaration);
  return declaration.executable ?? /(?:^|[-_.])(tap-.+)$/.exec(name)?.[1] ?? name;
}

function openTap(
  declaration: SingerDeclaration,
  dependencies: SingerDependencies,
  of: { readonly description: string; readonly context: SourceContext },
): OpenSource {
  return {
    async read(reader) {
      const last = isIncremental(declaration) ? await lastCursor(of.description, of.context) : undefined;
      const ran = await runTap(declaration, dependencies, { ...of, reader, last });
      const { found } = ran;
      const columns = columnsOf(found, of.description);
      const notes = notesOf(found, of.description);
      const nothing: SourceReading = {
        files: [],
        cursor: undefined,
        moved: [],
        notes: [],
        nothingNew: `nothing new in ${of.description}`,
      };
      if (columns.length === 0 && of.context.position.latest !== undefined) return nothing;
      if (columns.length === 0)
        throw tapFailed({
          source: of.description,
          problem: "it says nothing of its stream, neither SCHEMA nor RECORD",
        });
      assertSameVersion(found, { ...of, last });
      const file = await writeRows(dependencies, { ...ran, columns, reader, description: of.description, last });
      if (isNothingNew(of.context, { file, rows: found.rows })) return nothing;
      const cursor = isIncremental(declaration) ? nextCursor(ran, { source: of.description, last }) : undefined;
      return { ...nothing, files: [file], cursor, notes, environmentLock: ran.environmentLock };
    },
    close: () => Promise.resolve(),
  };
}

/** @throws DATA_SOURCE_CHANGED */
function assertSameVersion(
  { version }: SingerRead,
  of: { readonly description: string; readonly context: SourceContext; readonly last: SingerCursor | undefined },
): void {
  const before = of.last?.version ?? null;
  if (before === null || version === null || version === before) return;
  throw sourceChanged({
    dataset: of.context.step,
    before: `version ${before} of ${of.description}`,
    now: `version ${version} of it, which begins anew`,
  });
}

/** The same records as before, or none, where what is there stays. */
function isNothingNew(
  { position: { ledger, latest }, disposition }: SourceContext,
  { file, rows }: { readonly file: IdentifiedFile; readonly rows: number },
): boolean {
  if (latest === undefined || ledger.some(({ state }) => state === "anew" || state === "again")) return false;
  const isWhole = isReplacing(disposition) || deletesMissing(disposition);
  return isAsCaptured(ledger, file, disposition) || (rows === 0 && !isWhole);
}

function nextCursor(
  { found, folder }: TapRun,
  { source, last }: { readonly source: string; readonly last: SingerCursor | undefined },
): SingerCursor {
  return {
    format: "singer-state/1",
    source,
    state: found.state?.replaceAll(asJson(folder), TAP_FOLDER) ?? last?.state ?? null,
    version: found.version ?? last?.version ?? null,
  };
}

/** @throws DATA_SOURCE_CHANGED */
async function lastCursor(description: string, { position, step }: SourceContext): Promise<SingerCursor | undefined> {
  const saved = await position.cursor();
  const last = cursorSchema.safeParse(saved).data;
  if (saved !== undefined && last?.source !== description)
    throw sourceChanged({ dataset: step, before: last?.source ?? "another kind of source", now: description });
  return last;
}

interface TapRun {
  readonly found: SingerRead;
  readonly folder: string;
  /** The records, as CSV. */
  readonly path: string;
  readonly environmentLock: NonNullable<SourceReading["environmentLock"]>;
}

/** @throws DATA_TAP_FAILED, DATA_SOURCE_SECRET_UNFIT; what making the environment throws */
async function runTap(
  declaration: SingerDeclaration,
  { taps, secret }: SingerDependencies,
  of: {
    readonly description: string;
    readonly context: SourceContext;
    readonly reader: SourceReader;
    readonly last: SingerCursor | undefined;
  },
): Promise<TapRun> {
  const { description: source, context, reader, last } = of;
  const { config, secrets } = fillSecrets(declaration, { source, secret });
  await mkdir(join(reader.workFolder, "tap"), { recursive: true });
  const folder = await realpath(join(reader.workFolder, "tap"));
  await copyFiles(declaration, { projectFolder: context.projectFolder, folder });
  const [result, path] = [join(folder, "esteira-result.json"), join(folder, "esteira-records.csv")];
  const { ended, environmentLock } = await taps.run(reader, {
    step: context.step,
    requirements: requirementsOf(declaration),
    executable: executableOf(declaration),
    config: JSON.stringify(config),
    secrets,
    folder,
    request: {
      stream: declaration.stream,
      replication: declaration.replication ?? "full",
      replicationKey: declaration.replication_key ?? null,
      state: last?.state?.replaceAll(TAP_FOLDER, asJson(folder)) ?? null,
      dump: path,
      result,
    },
  });
  const found = await readSingerResult(result, { folder, step: context.step });
  const mask = (text: string): string => secrets.reduce((masked, one) => masked.replaceAll(one, "***"), text);
  if (found !== undefined && "problem" in found) throw tapFailed({ source, problem: mask(found.problem) });
  if (found === undefined || ended.exitCode !== 0) {
    const exit = ended.signal ?? (ended.endedBy === "itself" ? `exit code ${ended.exitCode}` : ended.endedBy);
    throw tapFailed({
      source,
      problem: `the process that runs it ended with ${exit}; what it said is in the step's log`,
    });
  }
  return { found, folder, path, environmentLock };
}

/** @throws DATA_SOURCE_SECRET_UNFIT */
function fillSecrets(
  { config = {}, secrets = {} }: SingerDeclaration,
  { source, secret }: { readonly source: string } & Pick<SingerDependencies, "secret">,
): { readonly config: object; readonly secrets: readonly string[] } {
  const filled = new Map<string, string>();
  for (const [path, name] of Object.entries(secrets)) {
    const value = secret(name);
    if (value === undefined) throw sourceSecretUnfit({ source, secret: name, problem: "is not set" });
    if (value.length < SHORTEST_SECRET)
      throw sourceSecretUnfit({
        source,
        secret: name,
        problem: `is shorter than ${SHORTEST_SECRET} characters, so that it cannot be masked in the log`,
      });
    filled.set(path, value);
  }
  return {
    config: [...filled].reduce<Readonly<Record<string, unknown>>>(
      (whole, [path, value]) => withMember(whole, path.split("."), value),
      config,
    ),
    secrets: [...new Set(filled.values())],
  };
}

function withMember(
  whole: Readonly<Record<string, unknown>>,
  [name = "", ...inner]: readonly string[],
  value: string,
): Record<string, unknown> {
  const there = Object.hasOwn(whole, name) ? whole[name] : undefined;
  const inside = isObject(there) ? there : {};
  return { ...whole, [name]: inner.length === 0 ? value : withMember(inside, inner, value) };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The tap works on copies: it sees nothing else of the project. */
async function copyFiles(
  { files = [] }: SingerDeclaration,
  { projectFolder, folder }: { readonly projectFolder: string; readonly folder: string },
): Promise<void> {
  for (const { path, absolute } of await findSourceFiles(projectFolder, [files].flat())) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await copyFile(absolute, join(folder, path));
    // Taps tell files that are new by their time.
    const { atime, mtime } = await stat(absolute);
    await utimes(join(folder, path), atime, mtime);
  }
}

/** @throws DATA_SOURCE_COLUMN_UNFIT */
function columnsOf({ columns }: SingerRead, source: string): readonly DatabaseColumn[] {
  const seen = new Set<string>();
  return (columns ?? []).map(({ name, schema }) => {
    if (seen.has(name.toLowerCase()))
      throw sourceColumnUnfit({ source, column: name, problem: "is there twice, but for capitals", columns: [] });
    seen.add(name.toLowerCase());
    return { name, quoted: name, select: name, type: typeOfSchema(schema) };
  });
}

function notesOf({ rows, keys, unknown, others }: SingerRead, description: string): readonly string[] {
  const other = Object.entries(others).filter(([, count]) => count > 0);
  return [
    `${description}: ${formatQuantity(rows, "record")}${keys.length === 0 ? "" : `; its key is ${keys.join(", ")}`}`,
    ...(unknown.length === 0 ? [] : [`fields that its SCHEMA does not name are left out: ${unknown.join(", ")}`]),
    ...other.map(([name, count]) => `left out: ${formatQuantity(count, "record")} of the stream ${name}`),
  ];
}

async function writeRows(
  { analytics }: Pick<SingerDependencies, "analytics">,
  of: TapRun & {
    readonly columns: readonly DatabaseColumn[];
    readonly description: string;
    readonly reader: SourceReader;
    readonly last: SingerCursor | undefined;
  },
): Promise<IdentifiedFile> {
  const { columns, description, found, reader, last, path } = of;
  await assertInside(path, { folders: [of.folder], asset: description });
  const { size } = await stat(path);
  const { digest, lineFeeds } = await readIdentity(path, true);
  const target = join(await freshFolder(reader.workFolder), "source.parquet");
  const dumped = { rows: found.rows, isByLine: lineFeeds === found.rows, sizeBytes: size, digest };
  const connection = await analytics.sandbox({ files: [], folders: [reader.workFolder], memoryBytes: MEMORY_BYTES });
  const stopWatching = connection.interruptOn(reader.signal);
  try {
    const dump = { path, dumped, columns, target, source: description };
    const { isText } = await readDump(connection, dump, { by: undefined, seen: undefined });
    const written = await stat(target);
    const types = columns.map(({ name, type }) => ({ name, type }));
    return {
      path: description,
      absolute: target,
      sizeBytes: written.size,
      mtimeMs: Math.floor(written.mtimeMs),
      // The same records after another state are others.
      digest: digestOf(JSON.stringify([digest, types, last?.state ?? null])),
      lineFeeds: undefined,
      supersedes: [],
      format: "parquet",
      ...(isText ? { texts: types } : {}),
    };
  } finally {
    stopWatching();
    connection.close();
  }
}

const SECRET_NAME = /(^|[-_.])(api[-_]?key|access[-_]?key|token|secret|password|passwd|private[-_]?key)$/i;

function singerProblems(declaration: SingerDeclaration, write: CaptureDeclaration["write"]): Problem[] {
  const { config = {}, secrets = {}, replication_key: key } = declaration;
  const problems: Problem[] = [];
  const add = (path: readonly string[], message: string, hint?: string): void =>
    void problems.push({ path, message, ...(hint === undefined ? {} : { hint }) });
  for (const path of textsWithin(config))
    if (SECRET_NAME.test(path))
      add(
        ["capture", "singer", "config", ...path.split(".")],
        `${path} looks like a secret, which whoever reads the project can see`,
        `Name a secret in its place: secrets: { ${path}: NAME }`,
      );
  for (const path of Object.keys(secrets))
    if (Object.keys(config).some((name) => name === path))
      add(["capture", "singer", "secrets", path], `${path} is in config too; its value would be that of the secret`);
  if (isIncremental(declaration)) {
    if (write === undefined)
      add(
        ["capture", "singer", "replication"],
        "the step does not say how new records meet those that are there, and taps read the last ones again",
        "Say by what records are the same: write: { merge: KEY }; or write: append, where doubles do no harm.",
      );
    else if (write === "replace")
      add(
        ["write"],
        "a run would leave only the records that are new by the tap's state",
        "Use write: { merge: KEY } or append, or take out replication: incremental.",
      );
    return problems;
  }
  if (key !== undefined)
    add(
      ["capture", "singer", "replication_key"],
      "everything is read, and nothing goes on by a key",
      "Say replication: incremental.",
    );
  if (write === "append")
    add(
      ["write"],
      "every run would add all records again",
      "Use write: replace or { merge: KEY }, or replication: incremental.",
    );
  return problems;
}

/** Paths of the texts in a config. */
function textsWithin(value: unknown, at = ""): readonly string[] {
  if (typeof value === "string") return value === "" ? [] : [at];
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([name, inner]) => textsWithin(inner, at === "" ? name : `${at}.${name}`));
}
