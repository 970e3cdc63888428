import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { AssetStorage, AttemptContext, PublishedOutput } from "#pipeline";
import type { LocalFiles } from "#storage";
import type { Analytics } from "./analytics/analytics.ts";
import { quotePath } from "./analytics/sql-text.ts";
import type { Datasets, DatasetWrite, WriteDisposition } from "./dataset.ts";
import { type ContractedDependencies, openContract } from "./contract/contracted-write.ts";
import { contractSchema, limitsSchema } from "./contract/step-contract.ts";
import { tableNameOf } from "./dataset-write.ts";
import { partitionWriteOf } from "./partition-slices.ts";
import { storedType } from "./delta/schema.ts";
import { outputUnreadable } from "./errors.ts";
import { lineageOfQuery } from "./transform/query-lineage.ts";

export interface DatasetStorageDependencies extends ContractedDependencies {
  readonly analytics: Analytics;
  readonly datasets: Datasets;
  /** Of all datasets. */
  readonly files: LocalFiles;
}

/**
 * How versions of kinds `data` and `features` are read by other steps, and made of Parquet, CSV or NDJSON files that a
 * process left.
 */
export function createDatasetStorage(dependencies: DatasetStorageDependencies): AssetStorage {
  const { analytics, datasets, files } = dependencies;
  return {
    kinds: ["data", "features"],
    async locate(version) {
      const { path, files, deltaVersion, columns } = await datasets.snapshot(version);
      return { format: "delta/1", path, files, deltaVersion, columns };
    },
    async publish(output, attempt) {
      const select = await selectFiles(output.asset, output.folder);
      const connection = await analytics.sandbox({
        files: [],
        folders: [
          output.folder,
          join(files.folder, tableNameOf({ project: attempt.project, asset: output.asset })),
          attempt.workFolder,
        ],
      });
      const stopWatching = connection.interruptOn(attempt.signal);
      try {
        const operation = {
          project: attempt.project,
          asset: output.asset,
          operationId: `${attempt.stepRunId}:${output.asset}`,
        };
        const contracted = await openContract(dependencies, contractedAttempt(attempt));
        const written = await datasets.write(
          contracted.into({
            ...operation,
            kind: output.kind === "features" ? "features" : "data",
            disposition: dispositionOf(output.options),
            ...(attempt.partitionWrite === undefined ? {} : partitionWriteOf(attempt, attempt.partitionWrite)),
            content: await contentSaid(analytics, output),
            select,
            connection,
            provenance: provenanceOf(attempt),
            signal: attempt.signal,
          }),
        );
        const made = await contracted.settle(written, () => Promise.resolve({ connection, select }));
        return {
          made,
          facts: contracted.facts,
          alsoWrite: async (transaction) => {
            await datasets.settle(transaction, operation);
            await contracted.record(transaction, {
              file: scriptOf(attempt.declaration),
              digest: made.digest,
              format: "python",
              isWhole: attempt.partitionWrite === undefined,
            });
          },
        } satisfies PublishedOutput;
      } finally {
        stopWatching();
        connection.close();
      }
    },
  };
}

const READERS: readonly (readonly [RegExp, (path: string) => string])[] = [
  [/\.parquet$/i, (path) => `select * from read_parquet(${path}, hive_partitioning = false)`],
  [/\.(csv|tsv)(\.gz)?$/i, (path) => `select * from read_csv(${path}, header = true, sample_size = -1)`],
  [/\.(ndjson|jsonl|json)(\.gz)?$/i, (path) => `select * from read_json(${path}, sample_size = -1)`],
];

/** @throws DATA_OUTPUT_UNREADABLE when there is no file, or one of another format */
export async function selectFiles(asset: string, folder: string): Promise<string> {
  const names = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const readable = names.filter((name) => !/(^|\/)[._]/.test(name.slice(folder.length)));
  if (readable.length === 0) throw outputUnreadable({ asset, problem: "it left no file" });
  const selects = readable.map((name) => {
    const reader = READERS.find(([pattern]) => pattern.test(name));
    if (reader === undefined)
      throw outputUnreadable({ asset, problem: `${name.slice(folder.length + 1)} is neither Parquet, CSV nor JSON` });
    return reader[1](quotePath(name));
  });
  return selects.join(" union all by name ");
}

/** Steps of any kind may leave files; those that know contracts have checked what stands there. */
function contractedAttempt(attempt: AttemptContext<unknown>): Parameters<typeof openContract>[1] {
  const declaration = contracted.safeParse(attempt.declaration).data ?? {};
  return { ...attempt, declaration };
}

const contracted = z.object({ contract: contractSchema, quarantine: limitsSchema });

/** Where the rows come from, for the quarantine. */
function scriptOf(declaration: unknown): string {
  return z.object({ python: z.string() }).safeParse(declaration).data?.python ?? "output";
}

function dispositionOf(options: object | undefined): WriteDisposition {
  return (options as { write?: WriteDisposition } | undefined)?.write ?? "replace";
}

const column = z.object({ name: z.string(), type: z.string() });
const said = z.object({
  /** Columns with the DuckDB types that their maker gave them. */
  columns: z.array(column).optional(),
  checks: z
    .array(
      z.object({
        id: z.string(),
        expectation: z.string(),
        severity: z.enum(["error", "warning"]),
        value: z.string(),
        holds: z.boolean(),
      }),
    )
    .optional(),
  /** The SELECT that gave the rows, over these tables. */
  query: z.object({ sql: z.string(), tables: z.record(z.string(), z.array(column)) }).optional(),
});

/** What a kind knows of the rows beyond the files that its process left. */
async function contentSaid(
  analytics: Analytics,
  { asset, options }: { readonly asset: string; readonly options?: object },
): Promise<NonNullable<DatasetWrite["content"]>> {
  const { columns = [], checks = [], query } = said.parse(options ?? {});
  const other = columns.filter(({ type }) => storedType(type) !== type);
  const lineage =
    query === undefined ? undefined : await lineageOfQuery(analytics, { ...query, output: columns, own: asset });
  return {
    ...(other.length === 0 ? {} : { storedFrom: Object.fromEntries(other.map(({ name, type }) => [name, type])) }),
    ...(checks.length === 0 ? {} : { checks }),
    ...(lineage === undefined ? {} : { lineage }),
  };
}

function provenanceOf(attempt: AttemptContext<unknown>): Record<string, string> {
  return {
    pipelineRun: attempt.pipelineRunId,
    stepRun: attempt.stepRunId,
    ...(attempt.commit === undefined ? {} : { commit: attempt.commit.id }),
  };
}
