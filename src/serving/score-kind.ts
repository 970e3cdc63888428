import { z } from "zod";
import { formatQuantity, type Json, nearestName } from "#base";
import { type Analytics, type AnalyticsConnection, type Column, type Datasets, quoteName, quoteText } from "#data";
import { type AssetVersion, getAssetVersion, type MetadataStore } from "#metadata-store";
import { readModelContent } from "#models";
import type { AnalysisContext, AttemptContext, Problem, StepAnalysis, StepKind, StepOutcome } from "#pipeline";
import { scoredColumnMissing, scoredKeyInvalid, scoredInputMissing } from "./errors.ts";
import { scoreRows } from "./score-rows.ts";
import { isOutputColumn, PREDICTION } from "./scored-outputs.ts";
import type { BatchScorer } from "./scorer.ts";

/** `score: MODEL` over a dataset. */
export interface ScoreDeclaration {
  readonly score: string;
  readonly data: string;
  readonly key: string | readonly string[];
}

const schema: z.ZodType<ScoreDeclaration> = z.strictObject({
  score: z.string().min(1).describe("Model whose newest version predicts the rows."),
  data: z.string().min(1).describe("Dataset with the rows: the key and every input of the model are columns of it."),
  key: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .describe("Columns that tell one row from another; they stand beside its prediction."),
});

export interface ScoreKindDependencies {
  readonly store: MetadataStore;
  readonly analytics: Analytics;
  readonly datasets: Datasets;
  readonly scorer: BatchScorer;
}

/** What stands beside the key in the dataset that is made. */
const MODEL_VERSION = "model_version";
const MODEL_DIGEST = "model_digest";
const INPUTS_DIGEST = "inputs_digest";

/**
 * Steps that predict every row of a dataset: N rows in, N rows out. Rows whose inputs the same model version has
 * predicted before keep their prediction: only new and changed ones are computed.
 */
export function createScoreKind(dependencies: ScoreKindDependencies): StepKind<ScoreDeclaration> {
  return {
    name: "score",
    load: "models",
    schema,
    describe: ({ score, data }) => `score ${data} with ${score}`,
    analyse: (declaration, context) => analyse(declaration, context, dependencies),
    execute: (attempt) => execute(attempt, dependencies),
  };
}

async function analyse(
  { score, data, key }: ScoreDeclaration,
  context: AnalysisContext,
  { store, datasets }: ScoreKindDependencies,
): Promise<StepAnalysis> {
  const problems = [
    ...kindProblem(context, "score", score, ["model"]),
    ...kindProblem(context, "data", data, ["data"]),
  ];
  const version = await store.read((transaction) => getAssetVersion(transaction, { ...context, asset: data }));
  if (problems.length === 0 && version?.kind === "data") {
    const columns = (await datasets.snapshot(version)).columns.map(({ name }) => name);
    for (const [index, name] of [key].flat().entries()) {
      if (columns.includes(name)) continue;
      const near = nearestName(name, columns);
      problems.push({
        path: typeof key === "string" ? ["key"] : ["key", index],
        message: `${data} has no column "${name}"; it has ${columns.join(", ")}`,
        ...(near === undefined ? {} : { hint: `Did you mean ${near}?` }),
      });
    }
  }
  return {
    inputs: [
      { asset: score, role: "model", path: ["score"] },
      { asset: data, role: "input", path: ["data"] },
    ],
    makes: [{ asset: context.step, kind: "data" }],
    files: [],
    problems,
  };
}

function kindProblem(
  { knownAssets, step }: AnalysisContext,
  path: "score" | "data",
  name: string,
  wanted: readonly string[],
): Problem[] {
  const kind = knownAssets.get(name);
  if (name === step) return [{ path: [path], message: `The step scores "${name}", which it makes itself` }];
  if (kind === undefined || wanted.includes(kind)) return [];
  return [{ path: [path], message: `"${name}" is ${kind}, expected ${wanted.join(" or ")}` }];
}

async function execute(
  attempt: AttemptContext<ScoreDeclaration>,
  dependencies: ScoreKindDependencies,
): Promise<StepOutcome> {
  const { score, data } = attempt.declaration;
  const [model, rows] = [attempt.inputs.get(score), attempt.inputs.get(data)];
  if (model === undefined || rows === undefined)
    throw scoredInputMissing({ asset: model === undefined ? score : data });
  const connection = await dependencies.analytics.connect();
  const stopWatching = connection.interruptOn(attempt.signal);
  try {
    return await scoreDataset(attempt, { ...dependencies, connection, model, rows });
  } finally {
    stopWatching();
    connection.close();
  }
}

interface Scoring extends ScoreKindDependencies {
  readonly connection: AnalyticsConnection;
  readonly model: AssetVersion;
  readonly rows: AssetVersion;
}

async function scoreDataset(attempt: AttemptContext<ScoreDeclaration>, scoring: Scoring): Promise<StepOutcome> {
  const { connection, datasets, model, rows } = scoring;
  const keys = [attempt.declaration.key].flat();
  const inputs = readModelContent(model).model.inputs.map(({ name }) => name);
  assertColumns(scoring, (await datasets.snapshot(rows)).columns, [...keys, ...inputs]);
  const total = await readRows(scoring, { keys, inputs });
  const kept = await keepPredicted(attempt, scoring, keys);
  const todo = await countOf(connection, `"rows to score"`);
  const given = (await predictRows(attempt, scoring, { inputs, todo, kept })).map((name) => `p.${quoteName(name)}`);
  const names = keys.map(quoteName).join(", ");
  const digests = `${quoteText(model.digest)} as ${MODEL_DIGEST}, ${INPUTS_DIGEST}`;
  const operation = {
    project: attempt.project,
    asset: attempt.step,
    operationId: `${attempt.stepRunId}:${attempt.step}`,
  };
  const made = await datasets.write({
    ...operation,
    disposition: "replace",
    select: `select ${names}, ${given.join(", ")}, ${MODEL_VERSION}, ${digests} from "rows kept" p union all select ${names}, ${given.join(", ")}, ${model.version}::bigint as ${MODEL_VERSION}, ${digests} from "rows to score" r join "rows scored" p on p.rowid + 1 = r."row number"`,
    connection,
    expectedRows: total,
    signal: attempt.signal,
    provenance: provenanceOf(attempt, scoring),
  });
  attempt.log(
    `${attempt.step}: ${formatQuantity(total, "row")}, ${todo} predicted by ${model.asset} ${model.version}, ${total - todo} kept`,
  );
  return {
    status: "succeeded",
    made: [made],
    facts: { rows: total, predicted: todo, kept: total - todo, modelVersion: model.version },
    alsoWrite: (transaction) => datasets.settle(transaction, operation),
  };
}

function assertColumns({ rows, model }: Scoring, columns: readonly Column[], wanted: readonly string[]): void {
  const known = columns.map(({ name }) => name);
  const missing = wanted.find((name) => !known.includes(name));
  if (missing === undefined) return;
  throw scoredColumnMissing({
    dataset: `${rows.asset} ${rows.version}`,
    column: missing,
    model: `${model.asset} ${model.version}`,
    known,
    nearest: nearestName(missing, known),
  });
}

async function countOf(connection: AnalyticsConnection, from: string): Promise<number> {
  const [row] = await connection.rows(`select count(*)::double as n from ${from}`);
  return Number(row?.["n"] ?? 0);
}

/** Rows with the digest of what the model sees of each. @returns how many there are */
async function readRows(
  { connection, datasets, rows }: Scoring,
  { keys, inputs }: { readonly keys: readonly string[]; readonly inputs: readonly string[] },
): Promise<number> {
  const columns = [...new Set([...keys, ...inputs])].map(quoteName).join(", ");
  const seen = inputs.map((name) => `${quoteName(name)} := ${quoteName(name)}`).join(", ");
  await connection.run(
    `create or replace temp table "all rows" as select ${columns}, md5(struct_pack(${seen})::varchar) as ${INPUTS_DIGEST} from ${await datasets.relation(rows)}`,
  );
  const names = keys.map(quoteName).join(", ");
  const total = await countOf(connection, `"all rows"`);
  const different = await countOf(
    connection,
    `(select distinct ${names} from "all rows" where ${keys.map((key) => `${quoteName(key)} is not null`).join(" and ")})`,
  );
  if (different !== total)
    throw scoredKeyInvalid({ dataset: `${rows.asset} ${rows.version}`, key: keys.join(", "), total, different });
  return total;
}

/**
 * Parts the rows in those that the same model version has predicted as they are, and those that are to be scored.
 *
 * @returns the columns of the predictions that are kept
 */
async function keepPredicted(
  attempt: AttemptContext<ScoreDeclaration>,
  { connection, datasets, store, model }: Scoring,
  keys: readonly string[],
): Promise<readonly string[]> {
  const names = keys.map((key) => `a.${quoteName(key)}`).join(", ");
  const before = await store.read((transaction) =>
    getAssetVersion(transaction, { project: attempt.project, asset: attempt.step }),
  );
  const columns = before?.kind === "data" ? (await datasets.snapshot(before)).columns.map(({ name }) => name) : [];
  const own = isOfOutputs(model) ? columns.filter((name) => isOutputColumn(name) && !keys.includes(name)) : [];
  const given = own.length > 0 ? own : [PREDICTION];
  const wanted = [...keys, ...given, MODEL_VERSION, MODEL_DIGEST, INPUTS_DIGEST];
  const isUsable = before !== undefined && wanted.every((name) => columns.includes(name));
  const earlier = isUsable ? await datasets.relation(before) : undefined;
  await connection.run(
    `create or replace temp table "rows kept" as select ${names}, ${
      earlier === undefined
        ? `null::double as ${PREDICTION}, 0::bigint as ${MODEL_VERSION}, a.${INPUTS_DIGEST} from "all rows" a where false`
        : `${given.map((name) => `p.${quoteName(name)}`).join(", ")}, ${model.version}::bigint as ${MODEL_VERSION}, a.${INPUTS_DIGEST} from "all rows" a join ${earlier} p on ${keys.map((key) => `a.${quoteName(key)} = p.${quoteName(key)}`).join(" and ")} and a.${INPUTS_DIGEST} = p.${INPUTS_DIGEST} and p.${MODEL_DIGEST} = ${quoteText(model.digest)}`
    }`,
  );
  await connection.run(
    `create or replace temp table "rows to score" as select row_number() over () as "row number", a.* from "all rows" a where not exists (select 1 from "rows kept" k where ${keys.map((key) => `k.${quoteName(key)} = a.${quoteName(key)}`).join(" and ")})`,
  );
  return earlier === undefined ? [PREDICTION] : given;
}

/** Predicts what is to be scored into `rows scored`. @returns the columns of the predictions, kept ones too */
async function predictRows(
  attempt: AttemptContext<ScoreDeclaration>,
  { connection, scorer, model }: Scoring,
  facts: { readonly inputs: readonly string[]; readonly todo: number; readonly kept: readonly string[] },
): Promise<readonly string[]> {
  const { inputs, todo, kept } = facts;
  let given: readonly string[] = kept;
  if (todo === 0) {
    await connection.run(
      `create or replace temp table "rows scored" as select ${kept.map(quoteName).join(", ")} from "rows kept" where false`,
    );
  } else {
    const opened = await scorer.open(model, (line) => attempt.log(line));
    try {
      given = await scoreRows({ connection, table: "rows to score", total: todo, inputs }, opened, {
        scores: "rows scored",
        signal: attempt.signal,
        progress: (done) => attempt.progress(done, todo, "rows"),
      });
    } finally {
      await opened.close();
    }
  }
  if (isOfOutputs(model)) {
    // A version with other outputs keeps nothing of an earlier one.
    if (todo > 0 && (await countOf(connection, `"rows kept"`)) === 0) await emptyKept(connection, given);
    return given;
  }
  // Kept rows of a model of classes have texts, of which there may be none.
  if (readModelContent(model).model.task === "multiclass_classification") {
    await connection.run(`alter table "rows kept" alter ${PREDICTION} type varchar`);
    await connection.run(`alter table "rows scored" alter ${PREDICTION} type varchar`);
  }
  return [PREDICTION];
}

/** No kept rows, with the columns of what was scored. */
async function emptyKept(connection: AnalyticsConnection, given: readonly string[]): Promise<void> {
  const named = given.map((name) => `p.${quoteName(name)}`).join(", ");
  const others = (await connection.describe(`select * from "rows kept"`))
    .filter(({ name }) => !isOutputColumn(name))
    .map(({ name }) => `k.${quoteName(name)}`);
  await connection.run(
    `create or replace temp table "rows kept" as select ${[...others, named].join(", ")} from "rows kept" k, "rows scored" p where false`,
  );
}

function isOfOutputs(model: AssetVersion): boolean {
  return readModelContent(model).model.task === "outputs";
}

function provenanceOf(attempt: AttemptContext<ScoreDeclaration>, { model, rows }: Scoring): Record<string, Json> {
  return {
    pipelineRun: attempt.pipelineRunId,
    stepRun: attempt.stepRunId,
    inputs: [model, rows].map(({ asset, version, digest }) => `${asset}@${version} ${digest}`),
    ...(attempt.commit === undefined ? {} : { commit: attempt.commit.id }),
  };
}
