import { getPipelineDefinition, listPipelines } from "#metadata-store/engine";
import { keyProblem, type KnownPartitions, type PipelineDefinition, pipelineUnknown } from "#pipeline";
import { partitionKeysWrong } from "./errors.ts";
import type { EngineParts } from "./engine-parts.ts";

/** More keys than this are no partitions that anybody looks at. */
const MOST_KEYS = 10_000;

/**
 * A registered pipeline with what its partitions are now.
 *
 * @throws PIPELINE_UNKNOWN, PIPELINE_PARTITION_KEYS_WRONG
 */
export async function findPartitions(
  parts: Pick<EngineParts, "store" | "project" | "clock" | "ports">,
  pipeline: string,
): Promise<KnownPartitions & { readonly definition: PipelineDefinition; readonly digest: string }> {
  const { store, project } = parts;
  const stored = await store.read((transaction) => getPipelineDefinition(transaction, { project, pipeline }));
  if (stored === undefined) {
    const known = await store.read((transaction) => listPipelines(transaction, { project }));
    throw pipelineUnknown({ pipeline, pipelines: known.map(({ name }) => name) });
  }
  const definition: PipelineDefinition = JSON.parse(stored.content);
  return { definition, digest: stored.digest, keys: await keysOf(parts, definition), nowMs: parts.clock.now() };
}

async function keysOf(
  { ports }: Pick<EngineParts, "ports">,
  { name, partitions }: PipelineDefinition,
): Promise<readonly string[] | undefined> {
  const keys = partitions?.keys;
  if (keys === undefined) return undefined;
  if (!("dataset" in keys)) return keys;
  const found = (await ports.listKeys?.({ ...keys, most: MOST_KEYS + 1 })) ?? [];
  if (found.length > MOST_KEYS)
    throw partitionKeysWrong({ pipeline: name, ...keys, problem: `it has more than ${MOST_KEYS} values` });
  const problem = found.map(keyProblem).find((each) => each !== undefined);
  if (problem !== undefined) throw partitionKeysWrong({ pipeline: name, ...keys, problem });
  return found;
}
