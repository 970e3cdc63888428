import type { LoadedProject, Partition, Plan, StepDefinition, Why } from "#pipeline";
import { listKeys } from "./partition-keys.ts";
import type { Platform } from "./platform.ts";

/**
 * What runs of one pipeline, or of all, would do.
 *
 * @throws PIPELINE_DEFINITION_INVALID, PIPELINE_UNKNOWN, PIPELINE_STEP_UNKNOWN, PIPELINE_PARAM_UNKNOWN
 */
export async function planPipeline(
  platform: Platform,
  request: {
    readonly pipeline?: string | undefined;
    readonly params: Readonly<Record<string, unknown>>;
    readonly from?: string | undefined;
    readonly only?: string | undefined;
    readonly partition?: string | undefined;
  },
): Promise<readonly Plan[]> {
  const [{ plan }, { createPastRuns }] = await Promise.all([import("#pipeline"), import("#engine")]);
  const loaded = await platform.loadProject();
  const names =
    request.pipeline === undefined && loaded.problems.length === 0
      ? loaded.pipelines.map(({ name }) => name)
      : [request.pipeline ?? ""];
  const { params, from, only } = request;
  return Promise.all(
    names.map(async (pipeline) =>
      plan({
        partition: await partitionToPlan(platform, loaded, { pipeline, partition: request.partition }),
        past: createPastRuns(platform.store),
        loaded,
        pipeline,
        params,
        ...(from === undefined ? {} : { from }),
        ...(only === undefined ? {} : { only }),
      }),
    ),
  );
}

/** `pipelines/parts/load.yaml:7, used in pipelines/nightly.yaml:3` */
export function describeOrigin({ part, line, uses }: NonNullable<StepDefinition["from"]>): string {
  return [`${part}:${line}`, ...uses.map((use) => `used in ${use.file}:${use.line}`)].join(", ");
}

/** Why a step ran or was reused. @throws PIPELINE_DEFINITION_INVALID, PIPELINE_STEP_UNKNOWN */
export async function explainStep(
  platform: Platform,
  request: { readonly step: string; readonly pipeline?: string | undefined },
): Promise<Why> {
  const [{ why }, { createPastRuns }] = await Promise.all([import("#pipeline"), import("#engine")]);
  return why({ past: createPastRuns(platform.store), loaded: await platform.loadProject(), ...request });
}

/** The one that was named, else the newest that is over. */
async function partitionToPlan(
  platform: Platform,
  { pipelines }: LoadedProject,
  { pipeline, partition }: { readonly pipeline: string; readonly partition: string | undefined },
): Promise<Partition | undefined> {
  const definition = pipelines.find(({ name }) => name === pipeline);
  if (definition?.partitions === undefined && partition === undefined) return undefined;
  const { choosePartitions, newestPartitions } = await import("#pipeline");
  if (definition === undefined) return undefined;
  const stated = definition.partitions?.keys;
  const keys =
    stated !== undefined && "dataset" in stated ? await listKeys(platform, { ...stated, most: 10_000 }) : stated;
  const known = { definition, keys, nowMs: platform.clock.now() };
  return (partition === undefined ? newestPartitions(known, known.nowMs) : choosePartitions(known, [partition]))[0];
}
