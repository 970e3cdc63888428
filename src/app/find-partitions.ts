import type { Platform } from "./platform.ts";

/**
 * Names of the partitions that texts mean.
 *
 * @throws PIPELINE_UNKNOWN, PIPELINE_PARTITIONS_ABSENT, PIPELINE_PARTITION_UNKNOWN, PIPELINE_PARTITION_NOT_OVER,
 *   PIPELINE_PARTITIONS_EMPTY
 */
export async function findPartitions(
  platform: Pick<Platform, "engine">,
  { pipeline, partitions }: { readonly pipeline: string; readonly partitions: readonly string[] },
): Promise<readonly string[]> {
  const { choosePartitions } = await import("#pipeline");
  return choosePartitions(await platform.engine.backfills.known(pipeline), partitions).map(({ name }) => name);
}
