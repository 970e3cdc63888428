import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { AssetStorage, AttemptContext, PublishedOutput } from "#pipeline";
import type { LocalFiles } from "#storage";
import type { Analytics } from "./analytics/analytics.ts";
import { quotePath } from "./analytics/sql-text.ts";
import type { Datasets, WriteDisposition } from "./dataset.ts";
import { tableNameOf } from "./dataset-write.ts";
import { partitionWriteOf } from "./partition-slices.ts";
import { outputUnreadable } from "./errors.ts";

export interface DatasetStorageDependencies {
  readonly analytics: Analytics;
  readonly datasets: Datasets;
  /** Of all datasets. */
  readonly files: LocalFiles;
}

/**
 * How versions of kinds `data` and `features` are read by other steps, and made of Parquet, CSV or NDJSON files that a
 * process left.
 */
export function createDatasetStorage({ analytics, datasets, files }: DatasetStorageDependencies): AssetStorage {
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
        folders: [output.folder, join(files.folder, tableNameOf({ project: attempt.project, asset: output.asset }))],
      });
      const stopWatching = connection.interruptOn(attempt.signal);
      try {
        const operation = {
          project: attempt.project,
          asset: output.asset,
          operationId: `${attempt.stepRunId}:${output.asset}`,
        };
        const made = await datasets.write({
          ...operation,
          kind: output.kind === "features" ? "features" : "data",
          disposition: dispositionOf(output.options),
          ...(attempt.partitionWrite === undefined ? {} : partitionWriteOf(attempt, attempt.partitionWrite)),
          select,
          connection,
          provenance: provenanceOf(attempt),
          signal: attempt.signal,
        });
        return { made, alsoWrite: (transaction) => datasets.settle(transaction, operation) } satisfies PublishedOutput;
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
async function selectFiles(asset: string, folder: string): Promise<string> {
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

function dispositionOf(options: object | undefined): WriteDisposition {
  return (options as { write?: WriteDisposition } | undefined)?.write ?? "replace";
}

function provenanceOf(attempt: AttemptContext<unknown>): Record<string, string> {
  return {
    pipelineRun: attempt.pipelineRunId,
    stepRun: attempt.stepRunId,
    ...(attempt.commit === undefined ? {} : { commit: attempt.commit.id }),
  };
}
