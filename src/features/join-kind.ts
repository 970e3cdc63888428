import { z } from "zod";
import { type Clock, formatQuantity, type Json, nearestName } from "#base";
import { type Analytics, type AnalyticsConnection, type Column, type Datasets, quoteName, quoteText } from "#data";
import type { AssetVersion, MetadataStore } from "#metadata-store";
import { getDatasetOrder, recordDatasetOrder } from "#metadata-store/features";
import type {
  AnalysisContext,
  AttemptContext,
  MadeVersion,
  Problem,
  StepAnalysis,
  StepInput,
  StepKind,
  StepOutcome,
} from "#pipeline";
import { columnMissing, definitionsInvalid, splitEmpty } from "./errors.ts";
import { durationSchema, toMicroseconds } from "./duration.ts";
import {
  type FeatureDefinitions,
  type FeatureReference,
  featureReferenceSchema,
  readFeatureDefinitions,
  referenceProblems,
} from "./feature-definitions.ts";
import {
  assertColumns,
  assertNames,
  assertTime,
  collisionsOf,
  digestOfOrder,
  type JoinedView,
  planJoin,
} from "./join-plan.ts";
import { joinPointInTime, SPINE_TIME } from "./point-in-time-join.ts";
import { readProjectFeatures } from "./project-features.ts";

const FEATURE_FILES = "features/**/*.yaml";

/** `join: { spine: flights, label: late, features: [airport_day], split: { by: date, test: 0.2 } }` */
export interface JoinDeclaration {
  readonly join: {
    readonly spine: string;
    readonly label?: string | undefined;
    /** References, or the name of a feature service. */
    readonly features: readonly FeatureReference[] | string;
    readonly timestamp?: string | undefined;
    readonly full_names?: boolean | undefined;
    readonly created?: "known" | "latest" | undefined;
    readonly window?: string | number | undefined;
    readonly split?:
      | { readonly by: string; readonly test?: number | undefined; readonly from?: string | undefined }
      | undefined;
  };
}

const schema: z.ZodType<JoinDeclaration> = z.strictObject({
  join: z.strictObject({
    spine: z
      .string()
      .min(1)
      .describe("Dataset with the rows: join keys, event time, label and whatever else; all its columns pass through."),
    label: z.string().optional().describe("Column of the spine that a model is to predict."),
    features: z
      .union([z.string(), z.array(featureReferenceSchema).min(1)])
      .describe(
        "Feature views (view, view:feature, or { view, as, keys, features }), or the name of a feature service.",
      ),
    timestamp: z
      .string()
      .optional()
      .describe("Column of the spine with the event time; default: split.by, else its only TIMESTAMP column."),
    full_names: z.boolean().optional().describe("Call the columns view__feature; default false: feature."),
    created: z
      .enum(["known", "latest"])
      .optional()
      .describe("known: rows whose created time lies after the event time are not seen. Default latest, as in Feast."),
    window: durationSchema
      .optional()
      .describe("Only rows of the spine at most so long before its latest one: 90d. Default: all."),
    split: z
      .strictObject({
        by: z.string().describe("Column with the time to split by."),
        test: z
          .number()
          .gt(0)
          .lt(1)
          .optional()
          .describe("Share of the rows, the latest ones, that is kept for the test."),
        from: z
          .string()
          .optional()
          .describe("Instant from which rows are for the test, in place of a share (ISO 8601)."),
      })
      .refine((split) => (split.test === undefined) !== (split.from === undefined), {
        error: "expected one of test (a share) and from (an instant)",
      })
      .optional()
      .describe('Adds a column split with "train" or "test", by time.'),
  }),
}) as z.ZodType<JoinDeclaration>;

export interface JoinKindDependencies {
  readonly store: MetadataStore;
  readonly datasets: Datasets;
  readonly analytics: Analytics;
  readonly clock: Clock;
}

/** Steps that make a training set: a point-in-time-correct join of feature views to a spine, as a versioned dataset. */
export function createJoinKind(deps: JoinKindDependencies): StepKind<JoinDeclaration> {
  return {
    name: "join",
    load: "models",
    schema,
    describe: ({ join }) =>
      `join ${typeof join.features === "string" ? join.features : join.features.map(({ as, view }) => as ?? view).join(", ")} to ${join.spine}`,
    analyse,
    execute: (attempt) => execute(attempt, deps),
  };
}

async function readDefinitions(
  context: Pick<AnalysisContext, "glob" | "readFile">,
): Promise<ReturnType<typeof readFeatureDefinitions>> {
  const paths = await context.glob(FEATURE_FILES);
  const files = await Promise.all(paths.map(async (path) => ({ path, text: (await context.readFile(path)) ?? "" })));
  return readFeatureDefinitions(files);
}

async function analyse({ join }: JoinDeclaration, context: AnalysisContext): Promise<StepAnalysis> {
  const { definitions, problems: mistakes } = await readDefinitions(context);
  const problems: Problem[] = mistakes.map(({ file, line, column, message, hint }) => ({
    path: ["join", "features"],
    at: { file, line, column },
    message,
    ...(hint === undefined ? {} : { hint }),
  }));
  const { references, problems: unknown } = referencesOf(join, definitions);
  // In a file that cannot be read the names may well be: the file's own mistakes come first.
  if (mistakes.length === 0 || definitions.views.size > 0) problems.push(...unknown);
  const joined = planJoin(references, definitions.views, fullNamesOf(join, definitions));
  for (const { name, first, second } of collisionsOf(joined)) {
    problems.push({
      path: ["join", "features"],
      message: `Two features would be called "${name}": ${first} and ${second}`,
      hint: "Set full_names: true, or use `as` for a view that is joined twice.",
    });
  }
  for (const { view, source } of joined) {
    if (context.knownAssets.has(source)) continue;
    const nearest = nearestName(source, context.knownAssets.keys());
    problems.push({
      path: ["join", "features"],
      isMissed: true,
      message: `Feature view "${view}" reads dataset "${source}", which no step makes`,
      ...(nearest === undefined ? {} : { hint: `Did you mean "${nearest}"?` }),
    });
  }
  const sources = [...new Set(joined.map(({ source }) => source))].filter(
    (source) => context.knownAssets.has(source) && source !== join.spine,
  );
  const inputs: StepInput[] = [
    { asset: join.spine, role: "spine", path: ["join", "spine"] },
    ...sources.map((asset) => ({ asset, role: "features", path: ["join", "features"] })),
  ];
  return {
    inputs,
    makes: [{ asset: context.step, kind: "data" }],
    files: [],
    // The resolved views and not the files: a new comment, or another view, changes nothing here.
    code: { format: "join/1", views: joined as unknown as Json },
    earlierFingerprint: { format: "join/1", views: joined as unknown as Json },
    problems,
  };
}

function referencesOf(
  join: JoinDeclaration["join"],
  definitions: FeatureDefinitions,
): { readonly references: readonly FeatureReference[]; readonly problems: readonly Problem[] } {
  if (typeof join.features === "string") {
    const service = definitions.services.get(join.features);
    if (service !== undefined) return { references: service.features, problems: [] };
    const nearest = nearestName(join.features, definitions.services.keys());
    return {
      references: [],
      problems: [
        {
          path: ["join", "features"],
          message: `There is no feature service "${join.features}"`,
          hint:
            nearest === undefined
              ? "Define it below features/, or list feature views: [view, …]."
              : `Did you mean "${nearest}"?`,
        },
      ],
    };
  }
  const problems = join.features.flatMap((reference, index) =>
    referenceProblems(reference, definitions.views).map((problem) => ({
      path: ["join", "features", index],
      ...problem,
    })),
  );
  return { references: join.features, problems };
}

function fullNamesOf(join: JoinDeclaration["join"], definitions: FeatureDefinitions): boolean {
  return (
    join.full_names ??
    (typeof join.features === "string" ? (definitions.services.get(join.features)?.fullNames ?? false) : false)
  );
}

interface Sources {
  readonly spine: AssetVersion;
  readonly columns: readonly Column[];
  readonly timestamp: string;
  readonly views: readonly {
    readonly joined: JoinedView;
    readonly version: AssetVersion;
    readonly relation: string;
    readonly unique: boolean;
  }[];
}

async function execute(attempt: AttemptContext<JoinDeclaration>, deps: JoinKindDependencies): Promise<StepOutcome> {
  const { join } = attempt.declaration;
  const joined = await resolve(attempt);
  const connection = await deps.analytics.connect();
  const endWatch = connection.interruptOn(attempt.signal);
  try {
    const sources = await openSources(attempt, { deps, joined, connection });
    attempt.progress(0, sources.views.length + 1, "views");
    const relation = withinWindow(await deps.datasets.relation(sources.spine), sources.timestamp, join.window);
    const rows = await joinPointInTime({
      connection,
      spine: { name: join.spine, relation, timestamp: sources.timestamp },
      views: sources.views,
      onlyKnown: join.created === "known",
    });
    attempt.progress(sources.views.length, sources.views.length + 1, "views");
    const split = join.split === undefined ? undefined : await splitRows(connection, join, rows.rowCount);
    const operationId = `${attempt.stepRunId}:${attempt.step}`;
    const spec = {
      format: "join/1",
      spine: join.spine,
      label: join.label ?? null,
      timestamp: sources.timestamp,
      views: joined,
      created: join.created ?? "latest",
      ...(join.window === undefined ? {} : { window: join.window }),
      sources: Object.fromEntries([...attempt.inputs].map(([name, { id, version }]) => [name, { id, version }])),
      split: split ?? null,
    };
    const made = await deps.datasets.write({
      project: attempt.project,
      asset: attempt.step,
      operationId,
      disposition: "replace",
      select: rows.select(
        split === undefined ? [] : [`case when ${split.condition} then 'test' else 'train' end as split`],
      ),
      connection,
      expectedRows: rows.rowCount,
      signal: attempt.signal,
      provenance: { stepRunId: attempt.stepRunId, join: spec as unknown as Json },
    });
    await rows.drop();
    attempt.progress(sources.views.length + 1, sources.views.length + 1, "views");
    for (const [alias, count] of Object.entries(rows.matched))
      attempt.log(`${alias}: ${count} of ${formatQuantity(rows.rowCount, "row")} got a value`);
    return {
      status: "succeeded",
      made: [withSpec(made, spec)],
      facts: {
        rows: rows.rowCount,
        matched: rows.matched,
        ...(split === undefined ? {} : { train: split.train, test: split.test, splitAt: split.cutoff }),
      },
      alsoWrite: (transaction) =>
        deps.datasets.settle(transaction, { project: attempt.project, asset: attempt.step, operationId }),
    };
  } finally {
    endWatch();
    connection.close();
  }
}

/** Rows of a relation at most so long before its latest. It follows from the rows alone, whenever it is asked. */
function withinWindow(relation: string, timestamp: string, window: JoinDeclaration["join"]["window"]): string {
  if (window === undefined) return relation;
  if (!durationSchema.safeParse(window).success || toMicroseconds(window) === 0)
    throw definitionsInvalid({
      problems: [`join.window: found ${JSON.stringify(window)}, expected a duration as 90d`],
    });
  const time = `epoch_us(${quoteName(timestamp)})`;
  return `(select * from ${relation} where ${time} >= (select max(${time}) from ${relation}) - ${toMicroseconds(window)})`;
}

/** How the rows were joined stays with the version: `explain`, verdicts and model records read it. */
function withSpec(made: MadeVersion, spec: object): MadeVersion {
  return { ...made, content: { ...made.content, join: spec } };
}

async function resolve(attempt: AttemptContext<JoinDeclaration>): Promise<readonly JoinedView[]> {
  const { definitions, problems } = await readProjectFeatures(attempt.projectFolder);
  const { references, problems: unknown } = referencesOf(attempt.declaration.join, definitions);
  const messages = [
    ...problems.map(({ file, line, column, message }) => `${file}:${line}:${column} ${message}`),
    ...unknown.map(({ message }) => message),
  ];
  if (messages.length > 0) throw definitionsInvalid({ problems: messages });
  return planJoin(references, definitions.views, fullNamesOf(attempt.declaration.join, definitions));
}

async function openSources(
  attempt: AttemptContext<JoinDeclaration>,
  {
    deps,
    joined,
    connection,
  }: {
    readonly deps: JoinKindDependencies;
    readonly joined: readonly JoinedView[];
    readonly connection: AnalyticsConnection;
  },
): Promise<Sources> {
  const { join } = attempt.declaration;
  const versionOf = (asset: string): AssetVersion => {
    const version = attempt.inputs.get(asset);
    if (version === undefined)
      throw definitionsInvalid({ problems: [`no version of "${asset}" was given to the step`] });
    return version;
  };
  const spine = versionOf(join.spine);
  const { columns } = await deps.datasets.snapshot(spine);
  const timestamp = timestampOf(join, columns);
  if (join.label !== undefined) assertColumn(join.spine, columns, join.label, "label");
  if (join.split !== undefined)
    assertTime(join.spine, assertColumn(join.spine, columns, join.split.by, "column to split by"));
  assertNames(join.spine, columns, joined);
  const views = [];
  for (const view of joined) {
    const version = versionOf(view.source);
    assertColumns(view, { name: join.spine, columns }, await deps.datasets.snapshot(version));
    const relation = await deps.datasets.relation(version);
    views.push({
      joined: view,
      version,
      relation,
      unique: await isUnique(connection, { store: deps.store, view, version, relation }),
    });
  }
  return { spine, columns, timestamp, views };
}

function timestampOf(join: JoinDeclaration["join"], columns: readonly Column[]): string {
  const named = join.timestamp ?? join.split?.by;
  if (named !== undefined) {
    assertTime(join.spine, assertColumn(join.spine, columns, named, "event time"));
    return named;
  }
  const times = columns.filter(({ type }) => type.startsWith("TIMESTAMP")).map(({ name }) => name);
  if (times.length === 1 && times[0] !== undefined) return times[0];
  throw columnMissing({
    dataset: join.spine,
    column: "join.timestamp",
    part: `event time: ${times.length === 0 ? "it has no TIMESTAMP column" : `it could be ${times.join(" or ")}`}`,
    nearest: undefined,
    columns: columns.map(({ name }) => name),
  });
}

function assertColumn(dataset: string, columns: readonly Column[], column: string, part: string): Column {
  const found = columns.find(({ name }) => name === column);
  const names = columns.map(({ name }) => name);
  if (found === undefined)
    throw columnMissing({ dataset, column, part, nearest: nearestName(column, names), columns: names });
  return found;
}

/** Whether ties have to be removed: found out once per version, as it costs a pass over the rows. */
export async function isUnique(
  connection: AnalyticsConnection,
  {
    store,
    view,
    version,
    relation,
  }: {
    readonly store: MetadataStore;
    readonly view: JoinedView;
    readonly version: AssetVersion;
    readonly relation: string;
  },
): Promise<boolean> {
  const key = { versionId: version.id, orderDigest: digestOfOrder(view) };
  const known = await store.read((transaction) => getDatasetOrder(transaction, key));
  if (known !== undefined) return known;
  const columns = [...view.keys.map(({ source }) => quoteName(source)), quoteName(view.timestamp)].join(", ");
  const rows = await connection.rows(
    `select 1 as tie from ${relation} group by ${columns} having count(*) > 1 limit 1`,
  );
  await store.write((transaction) => recordDatasetOrder(transaction, { ...key, unique: rows.length === 0 }));
  return rows.length === 0;
}

interface Split {
  readonly by: string;
  /** ISO 8601; rows from then on are for the test. */
  readonly cutoff: string;
  readonly condition: string;
  readonly train: number;
  readonly test: number;
}

/** Splits by time: rows of one instant are never on both sides. */
async function splitRows(
  connection: AnalyticsConnection,
  join: JoinDeclaration["join"],
  rowCount: number,
): Promise<Split> {
  const { by, test: share, from } = join.split ?? { by: "", test: 0.2, from: undefined };
  const time = by === join.timestamp ? SPINE_TIME : `epoch_us(spine.${quoteName(by)})`;
  // The quantile in the middle of row k, so that rounding never picks its neighbour: rows from k on are for the test.
  const quantile = (Math.min(Math.floor(rowCount * (1 - (share ?? 0))), rowCount - 1) + 0.5) / Math.max(rowCount, 1);
  const [cut] = await connection.rows(
    from === undefined
      ? `select us::varchar as us, make_timestamp(us) as at from (select quantile_disc(${time}, ${Math.max(quantile, 0)}) as us from spine)`
      : `select epoch_us(${quoteText(from)}::timestamptz)::varchar as us, ${quoteText(from)}::timestamptz::timestamp as at`,
  );
  const condition = `${time} >= ${typeof cut?.["us"] === "string" ? cut["us"] : "0"}`;
  const cutoff = `${typeof cut?.["at"] === "string" ? cut["at"] : ""}Z`;
  const [counts] = await connection.rows(`select count(*) filter (where ${condition}) as test from spine`);
  const test = Number(counts?.["test"] ?? 0);
  if (test === 0 || test === rowCount)
    throw splitEmpty({ spine: join.spine, rows: rowCount, train: rowCount - test, test, cutoff });
  return { by, cutoff, condition, train: rowCount - test, test };
}
