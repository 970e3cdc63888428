import {
  type Analytics,
  type AnalyticsConnection,
  type ColumnValues,
  type Datasets,
  quoteName,
  quoteText,
} from "#data";
import type { DatasetReader } from "#models";

/** `DatasetReader` of `models`, by `data`. */
export function createDatasetReader({
  datasets,
  analytics,
}: {
  readonly datasets: Datasets;
  readonly analytics: Analytics;
}): DatasetReader {
  return {
    async readColumns(version, { columns, where = {}, atMost }) {
      const conditions = Object.entries(where).map(
        ([column, value]) => `${quoteName(column)} = ${typeof value === "string" ? quoteText(value) : String(value)}`,
      );
      const connection = await analytics.connect();
      try {
        const names = columns.map(quoteName).join(", ");
        const source = `FROM ${await datasets.relation(version)}${conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`}`;
        const every = atMost === undefined ? 1 : await countEvery(connection, source, atMost);
        const batch = await connection.columns(
          every <= 1
            ? `SELECT ${names} ${source}`
            : `SELECT ${names} FROM (SELECT ${names}, row_number() OVER () AS "row number" ${source}) WHERE hash("row number") % ${every} = 0`,
        );
        return {
          rowCount: batch.rowCount,
          columns: new Map(Object.entries(batch.values).map(([name, values]) => [name, withNulls(values)])),
        };
      } finally {
        connection.close();
      }
    },
    describe: async (version) => (await datasets.snapshot(version)).columns,
    files: async (version) => (await datasets.snapshot(version)).files.map((path) => ({ path })),
  };
}

/** Counted of the rows that the condition keeps: a sample of a part is as large as one of the whole. */
async function countEvery(connection: AnalyticsConnection, source: string, atMost: number): Promise<number> {
  const [row] = await connection.rows(`SELECT count(*)::double AS n ${source}`);
  return Math.ceil(Number(row?.["n"] ?? 0) / atMost);
}

function withNulls(column: ColumnValues): ArrayLike<unknown> {
  if (column.kind === "text" || column.valid === undefined) return column.values;
  const { values, valid } = column;
  return Array.from(values, (value, index) => (valid[index] === 1 ? value : null));
}
