import type { Platform } from "#app";
import { queryDatasets } from "#data";
import type { ApiHandlers } from "../api/api-mounts.ts";

const DEFAULT_ROWS = 1_000;

/** SQL over datasets. */
export function createQueryHandlers(platform: Platform): Pick<ApiHandlers, "queryDatasets"> {
  const { sql: limits } = platform.config;
  return {
    queryDatasets: async ({ body, signal }) => {
      const { columns, rows, ...answer } = await queryDatasets(platform, {
        project: platform.project,
        sql: body.sql,
        limit: body.limit ?? DEFAULT_ROWS,
        memoryBytes: limits.memory,
        signal: AbortSignal.any([AbortSignal.timeout(limits.timeout * 1000), signal]),
      });
      return { ...answer, columns, rows: rows.map((row) => columns.map(({ name }) => row[name])) };
    },
  };
}
