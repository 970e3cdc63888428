import {
  type Analytics,
  type AnalyticsConnection,
  checkTableFile,
  type Column,
  type Datasets,
  openTableFile,
  quoteName,
  quoteText,
  readingTableFile,
  type TableFile,
  writeTableFile,
} from "#data";
import type { AssetVersion } from "#metadata-store";
import { scoredKeyReserved } from "./errors.ts";
import { titleOf } from "./model-signature.ts";
import { scoreRows } from "./score-rows.ts";
import { isOutputColumn } from "./scored-outputs.ts";
import { csvTypesOf, findColumn, selectInputs } from "./scored-source.ts";
import type { BatchScorer } from "./scorer.ts";

/** What is scored with what, and where the answers go. */
export interface TableScoring {
  readonly model: AssetVersion;
  /** A version of a dataset, or a file by its absolute path. */
  readonly data: AssetVersion | { readonly file: string };
  /** Columns that stand beside each prediction; without any, the number of the row, from 1. */
  readonly keys: readonly string[];
  /** A new or earlier file by its absolute path, which is replaced as a whole at the end. */
  readonly out?: string | undefined;
  /** Takes the rows of the result, a part at a time, where there is no `out`. */
  readonly print?: ((part: { readonly columns: readonly string[]; readonly rows: readonly Row[] }) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Takes lines that say what a load that lasts is doing. */
  readonly report?: ((line: string) => void) | undefined;
  readonly progress?: ((done: number, total: number) => void) | undefined;
}

type Row = Readonly<Record<string, unknown>>;

/** What was scored. */
export interface TableScored {
  readonly model: string;
  readonly version: number;
  readonly rows: number;
  readonly columns: readonly string[];
  readonly out: string | undefined;
  readonly durationMs: number;
  /** Of it, until the model was loaded. */
  readonly loadMs: number;
}

export interface TableScoringParts {
  readonly analytics: Analytics;
  readonly datasets: Datasets;
  readonly scorer: BatchScorer;
}

const ROWS = "rows to score";
const SCORES = "rows scored";
const ROW_NUMBER = "row";
/** What the result has beside the key. */
const RESULT = ["prediction", "probability", "model", "model_version"] as const;
const ROWS_A_PRINT = 20_000;

/**
 * Predicts every row of a file or a dataset, N rows in, N rows out, in their order. Neither the rows nor the answers
 * are held in memory: what does not fit goes to disk. The output appears when it is whole.
 *
 * @throws DATA_TABLE_FILE_UNWRITABLE, DATA_TABLE_FILE_UNREADABLE, SERVING_SCORE_COLUMN_MISSING,
 *   SERVING_SCORE_COLUMN_UNFIT, SERVING_SCORE_KEY_RESERVED, SERVING_INPUT_INVALID, SERVING_SCORE_FAILED,
 *   SERVING_MODEL_UNUSABLE; AbortError, or DATA_QUERY_CANCELLED, when the signal aborts
 */
export async function scoreTable(scoring: TableScoring, parts: TableScoringParts): Promise<TableScored> {
  const startMs = performance.now();
  const { model, signal } = scoring;
  if (scoring.out !== undefined)
    await checkTableFile(scoring.out, "file" in scoring.data ? scoring.data.file : undefined);
  const scorer = await parts.scorer.open(model, scoring.report);
  const loadMs = Math.round(performance.now() - startMs);
  const connection = await parts.analytics.connect();
  const stopWatching = connection.interruptOn(signal);
  try {
    signal?.throwIfAborted();
    const { inputs } = scorer.signature;
    const names = inputs.map(({ name }) => name);
    const keys = await readRows(scoring, { connection, datasets: parts.datasets, inputs });
    const total = await countRows(connection);
    scoring.progress?.(0, total);
    const given = await scoreRows(
      { connection, table: ROWS, total, inputs: names.map(inputColumn) },
      renamed(scorer, names),
      {
        scores: SCORES,
        signal,
        progress: (done) => scoring.progress?.(done, total),
      },
    );
    const result = await writeResult(scoring, {
      connection,
      keys,
      total,
      given,
    });
    const facts = { model: model.asset, version: model.version, rows: total, columns: result, out: scoring.out };
    return { ...facts, durationMs: Math.round(performance.now() - startMs), loadMs };
  } finally {
    stopWatching();
    connection.close();
    await scorer.close();
  }
}

/** Inputs and keys may be the same columns, in other types. */
function inputColumn(name: string): string {
  return `input ${name}`;
}

/** The scorer over columns that are called otherwise than the model's inputs. */
function renamed(
  scorer: Awaited<ReturnType<BatchScorer["open"]>>,
  names: readonly string[],
): Awaited<ReturnType<BatchScorer["open"]>> {
  return {
    ...scorer,
    predict: ({ rowCount, columns }, firstRow) => {
      const own = names.map((name): [string, ArrayLike<unknown>] => [name, columns.get(inputColumn(name)) ?? []]);
      return scorer.predict({ rowCount, columns: new Map(own) }, firstRow);
    },
  };
}

/** Puts keys and inputs, numbered, into a temporary table. @returns the names of the keys */
async function readRows(
  { model, data, keys: named }: TableScoring,
  facts: {
    readonly connection: AnalyticsConnection;
    readonly datasets: Datasets;
    readonly inputs: Parameters<typeof selectInputs>[1];
  },
): Promise<readonly string[]> {
  const { connection, datasets, inputs } = facts;
  const title = titleOf(model);
  const keys = [...new Set(named)];
  const source: TableFile =
    "file" in data
      ? await openTableFile(connection, data.file, csvTypesOf(inputs))
      : {
          title: `${data.asset} version ${data.version}`,
          relation: await datasets.relation(data),
          columns: (await datasets.snapshot(data)).columns,
        };
  for (const key of keys) {
    findColumn(source, key, title);
    if ([...RESULT].some((name) => name === key) || isOutputColumn(key))
      throw scoredKeyReserved({ key, reserved: RESULT });
  }
  const wanted = selectInputs(source, inputs, title).map(
    (expression, position) => `${expression} as ${quoteName(inputColumn(inputs[position]?.name ?? ""))}`,
  );
  const kept = keys.map((key) => `${quoteName(key)} as ${quoteName(`key ${key}`)}`);
  const fill = `create or replace temp table ${quoteName(ROWS)} as select row_number() over () as "row number", ${[...kept, ...wanted].join(", ")} from ${source.relation}`;
  await ("file" in data ? readingTableFile(source.title, () => connection.run(fill)) : connection.run(fill));
  return keys;
}

async function countRows(connection: AnalyticsConnection): Promise<number> {
  const [row] = await connection.rows(`select count(*)::double as n from ${quoteName(ROWS)}`);
  return Number(row?.["n"] ?? 0);
}

async function writeResult(
  scoring: TableScoring,
  facts: {
    readonly connection: AnalyticsConnection;
    readonly keys: readonly string[];
    readonly total: number;
    /** Columns of the answers. */
    readonly given: readonly string[];
  },
): Promise<readonly string[]> {
  const { connection, keys, total, given } = facts;
  const { model, out } = scoring;
  const kept =
    keys.length === 0
      ? [`"row number" as ${ROW_NUMBER}`]
      : keys.map((key) => `${quoteName(`key ${key}`)} as ${quoteName(key)}`);
  const version = [`${quoteText(model.asset)} as model`, `${model.version} as model_version`];
  const select = `select ${[...kept, ...given.map(quoteName), ...version].join(", ")} from ${await joined(connection, total)}`;
  const columns: readonly Column[] = await connection.describe(select);
  const names = columns.map(({ name }) => name);
  if (out !== undefined) await writeTableFile(connection, select, out);
  else if (scoring.print !== undefined) await printRows(connection, { select, names, total, scoring });
  return names;
}

/** Rows and scores side by side: as they lie, where both lie in the order of their numbers. */
async function joined(connection: AnalyticsConnection, total: number): Promise<string> {
  const [rows, scores] = [quoteName(ROWS), quoteName(SCORES)];
  const [found] = await connection.rows(
    `select (select count(*) from ${rows} where rowid + 1 = "row number")::double as n, (select count(*) from ${scores})::double as scored`,
  );
  const [inOrder, scored] = [Number(found?.["n"]), Number(found?.["scored"])];
  if (scored !== total) throw new Error(`${total} rows have ${scored} predictions`);
  if (inOrder === total) return `${rows} positional join ${scores}`;
  return `(select * from ${rows} r join ${scores} s on s.rowid + 1 = r."row number" order by r."row number")`;
}

async function printRows(
  connection: AnalyticsConnection,
  facts: {
    readonly select: string;
    readonly names: readonly string[];
    readonly total: number;
    readonly scoring: TableScoring;
  },
): Promise<void> {
  const { select, names, total, scoring } = facts;
  scoring.print?.({ columns: names, rows: [] });
  for (let start = 0; start < total; start += ROWS_A_PRINT) {
    scoring.signal?.throwIfAborted();
    // oxlint-disable-next-line no-await-in-loop -- part after part
    const rows = await connection.rows(
      `${select} where "row number" > ${start} and "row number" <= ${start + ROWS_A_PRINT}`,
    );
    scoring.print?.({ columns: names, rows });
  }
}
