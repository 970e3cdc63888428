import { type Analytics, type ColumnValues, type Datasets, quoteName, quoteText } from "#data";
import type { DatasetReader } from "#models";

/** `DatasetReader` of `models`, by `data`. */
export function createDatasetReader({ datasets, analytics }: { readonly datasets: Datasets; readonly analytics: Analytics }): DatasetReader {
  return {
    async readColumns(version, { columns, where = {}, every = 1, limit }) {
      const conditions = Object.entries(where).map(([column, value]) => `${quoteName(column)} = ${typeof value === "string" ? quoteText(value) : String(value)}`);
      const connection = await analytics.connect();
      try {
        const names = columns.map(quoteName).join(", ");
        const rows = `SELECT ${names} FROM ${await datasets.relation(version)}${conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`}`;
        const thinned = every <= 1 ? rows : `SELECT ${names} FROM (SELECT *, row_number() OVER () AS "row number" FROM (${rows})) WHERE hash("row number") % ${Math.trunc(every)} = 0`;
        const batch = await connection.columns(`${thinned}${limit === undefined ? "" : ` LIMIT ${Math.trunc(limit)}`}`);
        return { rowCount: batch.rowCount, columns: new Map(Object.entries(batch.values).map(([name, values]) => [name, withNulls(values)])) };
      } finally {
        connection.close();
      }
    },
    describe: async (version) => (await datasets.snapshot(version)).columns,
    files: async (version) => (await datasets.snapshot(version)).files.map((path) => ({ path })),
  };
}

function withNulls(column: ColumnValues): ArrayLike<unknown> {
  if (column.kind === "text" || column.valid === undefined) return column.values;
  const { values, valid } = column;
  return Array.from(values, (value, index) => (valid[index] === 1 ? value : null));
}
