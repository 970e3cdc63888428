import { formatQuantity } from "#base";
import type { AttemptContext, Partition, PartitionWrite } from "#pipeline";
import type { DatasetSlices, DatasetWrite } from "./dataset.ts";

/** The rows of one partition, as a write replaces them. */
function slicesOf({ columns, startMs, endMs, key, dates }: PartitionWrite): DatasetSlices {
  const isTimed = columns.time !== undefined && startMs !== undefined && endMs !== undefined;
  return {
    column: isTimed ? columns.time : undefined,
    spans: isTimed ? [[startMs, endMs]] : [],
    emptied: [],
    dates: isTimed && dates !== undefined ? [dates] : undefined,
    key: columns.key === undefined || key === undefined ? undefined : { column: columns.key, value: key },
  };
}

/** The part of a write that replaces the rows of one partition, and tells of rows that are of another. */
export function partitionWriteOf(
  attempt: Pick<AttemptContext<unknown>, "step" | "log">,
  partition: PartitionWrite,
): Pick<DatasetWrite, "disposition" | "slices" | "beforeCommit"> {
  return {
    disposition: "append",
    slices: slicesOf(partition),
    beforeCommit: ({ rowCount, outside }) => {
      attempt.log(
        `${attempt.step}: ${formatQuantity(rowCount, "row")} of partition ${partition.name}${outside === 0 ? "" : `; left out ${formatQuantity(outside, "row")} of others`}`,
      );
      return Promise.resolve({});
    },
  };
}

/** What stands for the partition in the text of a query. */
export const PARTITION_PARAMETERS = ["partition_start", "partition_end", "partition_key"] as const;

/** Of these, the ones that a partition has. */
export function parametersOf(partition: Partition | undefined): readonly string[] {
  if (partition === undefined) return [];
  return PARTITION_PARAMETERS.filter((name) =>
    name === "partition_key" ? partition.key !== undefined : partition.startMs !== undefined,
  );
}
