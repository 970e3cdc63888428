import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { canonicalJson, type Clock, type Digest, formatQuantity, isEsteiraError, type Json } from "#base";
import {
  appendEvent,
  contentDigest,
  type AssetVersion,
  getAssetVersion,
  type MetadataStore,
  type ReadTransaction,
  type WriteTransaction,
} from "#metadata-store";
import { recordVerdict } from "#metadata-store/governance";
import {
  getModelVersionByAlias,
  getModelVersionOfAsset,
  modelAliasMissing,
  modelVersionMissing,
  registeredModelMissing,
  setModelVersionTag,
} from "#metadata-store/registry";
import type { AttemptContext, Problem, StepAnalysis, StepKind, StepOutcome } from "#pipeline";
import { CHAMPION_ALIAS } from "#registry";
import { predictionMissing, testDataMissing } from "./errors.ts";
import { BINARY_METRICS, MULTICLASS_METRICS, REGRESSION_METRICS } from "./evaluation.ts";
import { readModelContent } from "./model-version.ts";
import type { DatasetReader, Scorer } from "./ports.ts";
import { parseRequirement, type Requirement } from "./requirement.ts";
import { chooseTestData, readTestRows, toLabels } from "./test-data.ts";
import { DEFAULT_MINIMUM_ROWS, judge, toTestedVersion, type Verdict, writeVerdictPage } from "./verdict.ts";

const METRIC_NAMES: readonly string[] = [...new Set([...BINARY_METRICS, ...MULTICLASS_METRICS, ...REGRESSION_METRICS])];

/** `test: MODEL` and what it must satisfy. */
export interface TestDeclaration {
  readonly test: string;
  readonly require: readonly string[];
  readonly data?: string | undefined;
  readonly segments?:
    | {
        readonly by: string | readonly string[];
        readonly min_rows?: number | undefined;
        readonly require?: readonly string[] | undefined;
      }
    | undefined;
}

const schema: z.ZodType<TestDeclaration> = z.strictObject({
  test: z.string().min(1).describe("The model to test."),
  require: z
    .array(z.string())
    .min(1)
    .describe("Rules that must hold, for example roc_auc >= 0.70 or roc_auc >= champion.roc_auc - 0.005."),
  data: z.string().optional().describe("Dataset to test on; default: the held-out rows of the model's training set."),
  segments: z
    .strictObject({
      by: z.union([z.string(), z.array(z.string()).min(1)]).describe("Columns whose values make the segments."),
      min_rows: z
        .int()
        .min(1)
        .optional()
        .describe(`Segments with fewer labelled rows are not judged; default ${DEFAULT_MINIMUM_ROWS}.`),
      require: z.array(z.string()).optional().describe("Rules that must hold in every segment."),
    })
    .optional()
    .describe("Metrics by segment."),
});

export interface TestKindOptions {
  readonly store: MetadataStore;
  readonly scorer: Scorer;
  readonly datasets: DatasetReader;
  readonly clock: Clock;
}

/**
 * Steps that judge a model: `test: MODEL`. Candidate and champion score the same rows; the verdict is a report version,
 * a record, and the tag `esteira.verdict` of the MLflow model version. A refusal blocks what depends on the step.
 */
export function createTestKind(options: TestKindOptions): StepKind<TestDeclaration> {
  return {
    name: "test",
    load: "models",
    schema,
    describe: ({ test, require }) => `test ${test}: ${require.join(", ")}`,
    analyse: async (declaration, context) => ({
      ...analyse(declaration, context.step),
      fingerprint: await championFingerprint(options.store, { project: context.project, asset: declaration.test }),
    }),
    execute: (attempt) => execute(attempt, options),
  };
}

function analyse(declaration: TestDeclaration, step: string): StepAnalysis {
  const problems: Problem[] = [];
  const rules = [
    ...declaration.require.map((text, index) => ({ text, path: ["require", index] })),
    ...(declaration.segments?.require ?? []).map((text, index) => ({ text, path: ["segments", "require", index] })),
  ];
  for (const { text, path } of rules) {
    try {
      parseRequirement(text, METRIC_NAMES);
    } catch (error) {
      if (!isEsteiraError(error)) throw error;
      problems.push({ path, message: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) });
    }
  }
  return {
    inputs: [
      { asset: declaration.test, role: "model", path: ["test"] },
      ...(declaration.data === undefined ? [] : [{ asset: declaration.data, role: "test_data", path: ["data"] }]),
    ],
    makes: [{ asset: step, kind: "report" }],
    files: [],
    problems,
  };
}

/** A new champion makes a verdict stale; the tested version's own promotion does not. */
async function championFingerprint(
  store: MetadataStore,
  model: { readonly project: string; readonly asset: string },
): Promise<Json> {
  return store.read(async (transaction) => {
    const champion = await findChampion(transaction, model);
    const latest = await getAssetVersion(transaction, model);
    return { champion: champion === undefined || champion.id === latest?.id ? null : champion.digest };
  });
}

/** The asset version that production runs; undefined while there is none. */
export async function findChampion(
  transaction: ReadTransaction,
  model: { readonly project: string; readonly asset: string },
): Promise<AssetVersion | undefined> {
  try {
    const { assetVersionId } = await getModelVersionByAlias(transaction, { name: model.asset, alias: CHAMPION_ALIAS });
    return assetVersionId === undefined ? undefined : await getAssetVersion(transaction, { id: assetVersionId });
  } catch (error) {
    if (
      [registeredModelMissing, modelAliasMissing, modelVersionMissing].some(({ code }) => isEsteiraError(error, code))
    )
      return undefined;
    throw error;
  }
}

async function execute(attempt: AttemptContext<TestDeclaration>, options: TestKindOptions): Promise<StepOutcome> {
  const { declaration } = attempt;
  const model = attempt.inputs.get(declaration.test);
  if (model === undefined)
    throw testDataMissing({ model: declaration.test, version: 0, reason: "it has no version yet" });
  const verdict = await test(attempt, model, options);
  for (const rule of verdict.rules)
    attempt.log(
      `${rule.passed ? "holds" : "fails"}: ${rule.text}${rule.segment === undefined ? "" : ` for ${rule.segment}`}${rule.note === undefined ? `: ${rule.left} against ${rule.right}` : ` (${rule.note})`}`,
    );
  const folder = join(attempt.workFolder, "verdict");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "verdict.json"), `${canonicalJson(verdict)}\n`);
  await writeFile(join(folder, "verdict.md"), writeVerdictPage(verdict));
  const report = await attempt.publish({ asset: attempt.step, kind: "report", folder });
  const alsoMadeFrom = [verdict.data.versionId, verdict.champion?.versionId].flatMap((versionId, index) =>
    versionId === undefined ? [] : [{ versionId, role: index === 0 ? "test_data" : "champion" }],
  );
  return {
    status: "succeeded",
    made: [{ ...report.made, alsoMadeFrom: [...(report.made.alsoMadeFrom ?? []), ...alsoMadeFrom] }],
    facts: {
      passed: verdict.passed,
      rows: verdict.data.rows,
      metrics: verdict.metrics as Json,
      champion: (verdict.championMetrics ?? null) as Json,
    },
    ...(verdict.passed ? {} : { blocks: { reason: `${model.asset} ${model.version} was refused: ${verdict.reason}` } }),
    alsoWrite: async (transaction) => {
      await report.alsoWrite?.(transaction);
      await keepVerdict(transaction, verdict, {
        project: attempt.project,
        stepRunId: attempt.stepRunId,
        atMs: options.clock.now(),
        actor: attempt.actor,
        step: attempt.step,
        recipe: attempt.recipe,
      });
    },
  };
}

async function test(
  attempt: AttemptContext<TestDeclaration>,
  model: AssetVersion,
  { store, scorer, datasets }: TestKindOptions,
): Promise<Verdict> {
  const { declaration } = attempt;
  const { model: description } = readModelContent(model);
  const named = declaration.data === undefined ? undefined : attempt.inputs.get(declaration.data);
  const data = await chooseTestData(model, named, { store, datasets });
  const label = description.label;
  if (label === undefined)
    throw testDataMissing({ model: model.asset, version: model.version, reason: "its model.json names no label" });
  const champion = await store.read((transaction) =>
    findChampion(transaction, { project: attempt.project, asset: model.asset }),
  );
  const parse = (text: string): Requirement => parseRequirement(text, METRIC_NAMES);
  const require = declaration.require.map(parse);
  const by = [declaration.segments?.by ?? []].flat();
  const segmentColumns = [
    ...new Set([
      ...by,
      ...require.flatMap(({ references }) =>
        references.flatMap(({ segment }) => (segment === undefined ? [] : [segment.column])),
      ),
    ]),
  ];
  const inputs = [model, ...(champion === undefined ? [] : [champion])].flatMap((version) =>
    readModelContent(version).model.inputs.map(({ name }) => name),
  );
  const rows = await readTestRows(data, [...inputs, label, ...segmentColumns], datasets);
  const labels = toLabels(rows.columns.get(label) ?? [], description);
  attempt.log(
    `testing ${model.asset} ${model.version} on ${formatQuantity(rows.rowCount, "row")} of ${data.version.asset} ${data.version.version}`,
  );
  const predictions = await scorer.score(model, rows);
  assertAnswers(model, labels, predictions);
  const sample = {
    task: description.task,
    candidate: { labels, predictions },
    champion:
      champion === undefined
        ? undefined
        : { labels, predictions: champion.id === model.id ? predictions : await scorer.score(champion, rows) },
    segmentColumns: new Map(segmentColumns.map((name) => [name, rows.columns.get(name) ?? []])),
  };
  const judged = judge(sample, {
    require,
    segments: {
      by,
      minimumRows: declaration.segments?.min_rows ?? DEFAULT_MINIMUM_ROWS,
      require: (declaration.segments?.require ?? []).map(parse),
    },
  });
  return {
    format: "verdict/1",
    ...judged,
    model: toTestedVersion(model),
    champion: champion === undefined ? undefined : toTestedVersion(champion),
    data: { ...toTestedVersion(data.version), where: data.where, rows: rows.rowCount },
    task: description.task,
  };
}

/** Metrics leave out what has no answer: a model that answers easy rows alone would look good. */
function assertAnswers(model: AssetVersion, labels: Float64Array, predictions: Float64Array): void {
  const silent = Array.from(labels.keys()).filter(
    (row) => !Number.isNaN(labels[row]) && Number.isNaN(predictions[row]),
  );
  const [first] = silent;
  if (first !== undefined)
    throw predictionMissing({
      asset: model.asset,
      version: model.version,
      rows: silent.length,
      of: labels.length,
      first,
    });
}

async function keepVerdict(
  transaction: WriteTransaction,
  verdict: Verdict,
  facts: {
    readonly project: string;
    readonly stepRunId: string;
    readonly atMs: number;
    readonly actor: string;
    readonly step: string;
    readonly recipe: Digest | undefined;
  },
): Promise<void> {
  const { project, stepRunId, atMs, actor, step, recipe } = facts;
  const { asset, version, versionId, digest } = verdict.model;
  const content = { ...verdict, step, recipe };
  await recordVerdict(transaction, { versionId, project, passed: verdict.passed, atMs, stepRunId, content });
  await appendEvent(transaction, {
    atMs,
    project,
    type: verdict.passed ? "verdict.passed" : "verdict.refused",
    subjectKind: "asset",
    subject: asset,
    actor,
    data: {
      version,
      versionId,
      digest,
      metrics: verdict.metrics,
      reason: verdict.reason,
      stepRunId,
      content: contentDigest(content),
    },
  });
  const registered = await getModelVersionOfAsset(transaction, versionId);
  if (registered === undefined) return;
  const change = { name: registered.name, version: registered.version, atMs, actor };
  await setModelVersionTag(transaction, {
    ...change,
    key: "esteira.verdict",
    value: verdict.passed ? "passed" : "refused",
  });
  await setModelVersionTag(transaction, {
    ...change,
    key: "esteira.verdict.reason",
    value: verdict.passed ? "every rule holds" : verdict.reason.slice(0, 4000),
  });
}
