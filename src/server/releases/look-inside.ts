import type { FileDifference, MetricDifference, ReleaseDifference, VersionDifference, VersionReference } from "#api";
import type { Platform } from "#app";
import { commitOf, compareVersionRecipes } from "#governance";
import { type AssetVersion, listVersionsById, type ReadTransaction } from "#metadata-store";
import { findPipelineRuns } from "#metadata-store/engine";
import { listVerdicts, type StoredVerdict } from "#metadata-store/governance";
import { readModelContent } from "#models";
import { numbersOf } from "../models/numbers-of.ts";
import { isTree, type Tree } from "#storage";

/** Names that are shown of each list of files; the count says how many there are. */
const MOST_FILES = 200;

interface Pair {
  readonly before: Version;
  readonly after: Version;
}

interface Version {
  readonly version: AssetVersion;
  readonly commit: string | undefined;
  readonly metrics: Readonly<Record<string, number>>;
}

type Parts = Pick<Platform, "store" | "objects" | "changedSources">;

/** Adds to code and models that both sides have what differs within. */
export async function lookInside(
  parts: Parts,
  differences: readonly ReleaseDifference[],
): Promise<readonly ReleaseDifference[]> {
  const compared = differences.flatMap(({ asset, kind, before, after }) => {
    const [left, right] = [newestOf(before), newestOf(after)];
    return (kind === "code" || kind === "model") && left !== undefined && right !== undefined && left.id !== right.id
      ? [{ asset, before: left.id, after: right.id }]
      : [];
  });
  const versions = await parts.store.read((transaction) =>
    readVersions(
      transaction,
      compared.flatMap(({ before, after }) => [before, after]),
    ),
  );
  const inside = new Map<string, VersionDifference>();
  for (const { asset, ...ids } of compared) {
    const [before, after] = [versions.get(ids.before), versions.get(ids.after)];
    if (before === undefined || after === undefined) continue;
    // oxlint-disable-next-line no-await-in-loop -- a release deploys few, and each may start git
    inside.set(asset, await compareVersions(parts, { before, after }));
  }
  return differences.map((difference) => ({ ...difference, inside: inside.get(difference.asset) }));
}

function newestOf(references: readonly VersionReference[]): VersionReference | undefined {
  return references.toSorted((left, right) => right.version - left.version)[0];
}

async function readVersions(
  transaction: ReadTransaction,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Version>> {
  const versions = await listVersionsById(transaction, ids);
  const verdicts = await listVerdicts(transaction, ids);
  const runs = await findPipelineRuns(
    transaction,
    [...versions.values()].flatMap(({ pipelineRunId }) => pipelineRunId ?? []),
  );
  const commitOfRun = new Map(runs.map(({ id, source }) => [id, source?.commit]));
  return new Map(
    [...versions].map(([id, version]) => {
      const logged = version.kind === "model" ? readModelContent(version).record.metrics : {};
      return [
        id,
        {
          version,
          commit: commitOf(version)?.id ?? commitOfRun.get(version.pipelineRunId ?? ""),
          metrics: { ...numbersOf(logged), ...measuredOf(verdicts.get(id)) },
        },
      ];
    }),
  );
}

/** What the test of a model measured. */
function measuredOf(verdict: StoredVerdict | undefined): Readonly<Record<string, number>> {
  if (verdict === undefined || !("metrics" in verdict.content)) return {};
  const { metrics } = verdict.content;
  return typeof metrics === "object" && metrics !== null ? numbersOf({ ...metrics }) : {};
}

async function compareVersions({ objects, changedSources }: Parts, pair: Pair): Promise<VersionDifference> {
  const { before, after } = pair;
  const files = compareFiles(treeOf(before.version), treeOf(after.version));
  const isMoved = before.commit !== undefined && after.commit !== undefined && before.commit !== after.commit;
  const sources = isMoved ? await changedSources({ from: before.commit, to: after.commit }) : undefined;
  return {
    commit: before.commit === after.commit ? undefined : { before: before.commit, after: after.commit },
    sources: sources?.slice(0, MOST_FILES),
    sourceCount: sources?.length,
    files: files.slice(0, MOST_FILES),
    fileCount: files.length,
    metrics: compareMetrics(before.metrics, after.metrics),
    recipe: await compareVersionRecipes(objects, before.version, after.version),
  };
}

/** The files of code; of a model those that it is made of. */
function treeOf({ kind, content }: AssetVersion): Tree | undefined {
  const tree = kind === "model" && "tree" in content ? content.tree : content;
  return isTree(tree) ? tree : undefined;
}

function compareFiles(before: Tree | undefined, after: Tree | undefined): readonly FileDifference[] {
  if (before === undefined || after === undefined) return [];
  const sign = ({ digest, executable }: Tree["files"][number]): string => `${digest} ${executable === true}`;
  const [left, right] = [before, after].map(({ files }) => new Map(files.map((file) => [file.path, sign(file)])));
  const paths = [...new Set([...(left?.keys() ?? []), ...(right?.keys() ?? [])])].toSorted();
  return paths.flatMap((path): readonly FileDifference[] => {
    const [was, is] = [left?.get(path), right?.get(path)];
    if (was === is) return [];
    return [{ path, change: was === undefined ? "added" : is === undefined ? "removed" : "changed" }];
  });
}

function compareMetrics(before: Version["metrics"], after: Version["metrics"]): readonly MetricDifference[] {
  const [left, right] = [new Map(Object.entries(before)), new Map(Object.entries(after))];
  return [...new Set([...left.keys(), ...right.keys()])]
    .toSorted()
    .map((name) => ({ name, before: left.get(name), after: right.get(name) }))
    .filter((metric) => metric.before !== metric.after);
}
