import { type Digest, digestOf, type Json } from "#base";
import type { AssetKind, AssetVersion } from "#metadata-store";
import { definitionInvalid, kindUnknown, valueUnsafe } from "../errors.ts";
import type { StepDefinition } from "../define/definition.ts";
import type { Scope } from "../define/expression.ts";
import { interpolate, isShellSafe, toText } from "../define/interpolate.ts";
import { createAnalysisContext } from "../define/load-project.ts";
import type { ProjectFiles } from "../define/project-files.ts";
import { explainIssues } from "../define/schema-problems.ts";
import type { KnownKind, KnownKinds } from "../define/step-kinds.ts";
import type { StepAnalysis } from "../step-kind.ts";
import { ownConditionOf } from "../define/own-condition.ts";
import { type CacheKey, computeCacheKey, explainMiss } from "./cache-key.ts";
import type { PastResult, PastRuns } from "./past-runs.ts";
import { type Partition, partitionEnvironment } from "./partition.ts";
import { type StepRecipe, toStepRecipe } from "./recipe.ts";

/**
 * A step with its expressions replaced and looked at again by its kind: files may have changed since it was compiled.
 */
export interface PreparedStep {
  readonly known: KnownKind;
  readonly declaration: unknown;
  readonly raw: Json;
  readonly params: Readonly<Record<string, Json>>;
  readonly env: Readonly<Record<string, string>>;
  /** What its processes get beside: both missing for a step that says nothing. */
  readonly access: Pick<StepRecipe, "network" | "secrets">;
  readonly analysis: StepAnalysis;
  /** The kind allows reuse and the step does not forbid it. */
  readonly cacheable: boolean;
}

/**
 * @throws PIPELINE_KIND_UNKNOWN, PIPELINE_DEFINITION_INVALID when the values of this run do not fit,
 *   PIPELINE_VALUE_UNSAFE
 */
export async function prepareStep(
  step: StepDefinition,
  facts: {
    readonly project: string;
    readonly kinds: KnownKinds;
    readonly files: ProjectFiles;
    readonly scope: Scope;
    readonly knownAssets: ReadonlyMap<string, AssetKind>;
    readonly file: string;
    readonly partition?: Partition | undefined;
  },
): Promise<PreparedStep> {
  const known = facts.kinds.get(step.kind);
  if (known === undefined) throw kindUnknown({ step: step.name, kind: step.kind });
  const raw = interpolate(step.declaration as Json, facts.scope, ({ path, expression, value }) => {
    if (known.kind.shellKeys?.includes(String(path[0])) === true && !isShellSafe(value))
      throw valueUnsafe({ step: step.name, expression });
  });
  const checked = known.kind.schema.safeParse(raw);
  if (!checked.success)
    throw invalid(
      step,
      facts.file,
      explainIssues(checked.error.issues, known.jsonSchema, raw).map(
        ({ path, message }) => `${path.join(".")}: ${message}`,
      ),
    );
  const analysis = await known.kind.analyse(checked.data, createAnalysisContext({ ...facts, step: step.name }));
  if (analysis.problems.length > 0) {
    throw invalid(
      step,
      facts.file,
      analysis.problems.map(
        ({ message, hint, at }) =>
          `${at === undefined ? "" : `${at.file}:${at.line}:${at.column}: `}${message}${hint === undefined ? "" : `. ${hint}`}`,
      ),
    );
  }
  return {
    known,
    declaration: checked.data,
    raw,
    params: interpolate(step.params, facts.scope) as Record<string, Json>,
    env: {
      // A part of the cache key also where no expression names it.
      ...(facts.scope["item"] === undefined ? {} : { ESTEIRA_ITEM: toText(facts.scope["item"]) }),
      ...(facts.partition === undefined ? {} : partitionEnvironment(facts.partition)),
      ...Object.fromEntries(
        Object.entries(step.env).map(([name, value]) => [name, toText(interpolate(value, facts.scope))]),
      ),
    },
    access: {
      ...(step.network === undefined ? {} : { network: step.network }),
      ...(step.secrets.length === 0 ? {} : { secrets: [...step.secrets].sort() }),
    },
    analysis,
    cacheable: step.cache && analysis.cacheable !== false && ownConditionOf(step) === 0,
  };
}

/** Why the cache is not asked for a step. */
export function reasonNotToCache(step: StepDefinition): string {
  if (step.finally === true) return "it runs after all others, whatever happened";
  if (ownConditionOf(step) !== 0) return `when holds: ${step.when ?? ""}`;
  return step.cache ? "steps of this kind always run" : "cache: false";
}

function invalid(step: StepDefinition, file: string, lines: readonly string[]) {
  return definitionInvalid({
    count: lines.length,
    step: step.name,
    text: lines.map((line) => (/^\S+:\d+:\d+: /.test(line) ? line : `${file}: ${line}`)).join("\n"),
  });
}

/** What a step's recipe is made of, as it was read: what runs is what was read once. */
export interface ReadSources {
  readonly recipe: StepRecipe;
  /** Project file → bytes; what is not there is left out. */
  readonly contents: ReadonlyMap<string, Buffer>;
}

/** Reads the files of a prepared step once, and makes its recipe of them. */
export async function readSources(prepared: PreparedStep, files: ProjectFiles): Promise<ReadSources> {
  const { analysis } = prepared;
  const contents = new Map<string, Buffer>();
  const digests: Record<string, Digest | null> = {};
  for (const path of analysis.files) {
    const content = await files.readBytes(path);
    if (content !== undefined) contents.set(path, content);
    digests[path] = content === undefined ? null : digestOf(content);
  }
  for (const [path, counted] of Object.entries(analysis.counted ?? {})) digests[path] = digestOf(counted);
  const recipe = toStepRecipe({
    kind: prepared.known.kind.name,
    declaration: prepared.raw,
    params: prepared.params,
    env: prepared.env,
    files: digests,
    code: analysis.code,
    ...prepared.access,
  });
  return { recipe, contents };
}

/** The key of a prepared step for the versions it would read. */
export async function keyOfStep(
  prepared: PreparedStep,
  files: ProjectFiles,
  versionOf: (asset: string) => AssetVersion | undefined,
): Promise<CacheKey> {
  return toCacheKey(prepared, (await readSources(prepared, files)).recipe, versionOf);
}

export function toCacheKey(
  prepared: PreparedStep,
  recipe: StepRecipe,
  versionOf: (asset: string) => AssetVersion | undefined,
): CacheKey {
  return computeCacheKey({
    recipe,
    inputs: prepared.analysis.inputs.map(({ asset, role }) => ({ asset, role, version: versionOf(asset) })),
    fingerprint: prepared.analysis.fingerprint,
    makes: prepared.analysis.makes.map(({ asset }) => asset),
    earlier: {
      fingerprint: prepared.analysis.earlierFingerprint,
      counted: Object.keys(prepared.analysis.counted ?? {}),
    },
  });
}

/** What the cache says to a key: an entry to reuse, or why there is none. */
export type CacheAnswer =
  | { readonly hit: PastResult; readonly reason: string }
  | { readonly hit: undefined; readonly reason: string };

/** Asks the cache. A result is reused only while the versions it gave are still the latest of their assets. */
export async function askCache(
  past: PastRuns,
  key: CacheKey,
  step: {
    readonly project: string;
    readonly pipeline: string;
    readonly step: string;
    readonly matrixIndex: number;
    readonly partition?: string | undefined;
  },
): Promise<CacheAnswer> {
  const { project, partition } = step;
  for (const each of [key.key, ...key.earlierKeys]) {
    const entry = await past.result({ project, key: each });
    if (entry === undefined || !isOwn(entry, key.makes)) continue;
    if (!(await isCurrent(past, entry, partition))) break;
    return { hit: entry, reason: `declaration, files, inputs and params are as in step run ${entry.stepRunId}` };
  }
  return { hit: undefined, reason: explainMiss(await past.latestResult(step), key) };
}

/** Earlier keys did not say what a step makes: a result of another one that is alike gives none of it. */
function isOwn({ outputs }: PastResult, makes: readonly string[]): boolean {
  return makes.length === 0 || outputs.length === 0 || outputs.some(({ asset }) => makes.includes(asset));
}

/** Of a partition, the asset may have had others since: what counts is who made that one last. */
async function isCurrent(past: PastRuns, entry: PastResult, partition: string | undefined): Promise<boolean> {
  for (const { asset, versionId } of entry.outputs) {
    if (partition !== undefined) {
      const made = await past.partitionMade({ project: entry.project, asset, partition });
      if (made?.stepRunId !== entry.stepRunId) return false;
      continue;
    }
    const latest = await past.latestVersion({ project: entry.project, asset });
    if (latest?.id !== versionId) return false;
  }
  return true;
}
