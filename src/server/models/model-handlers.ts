import type { ModelDetail, ModelSummary, ModelVersionRecord, ModelVersionSummary, ServedAt, Verdict } from "#api";
import type { Platform } from "#app";
import { isAllowed } from "#access";
import { findRecipesOf, listApprovals, type Trace, traceVersion } from "#governance";
import {
  type AssetVersion,
  getAssetVersion,
  listAssets,
  listAssetVersions,
  listVersionsById,
  type ReadTransaction,
} from "#metadata-store";
import { type Deployed, listDeployed } from "#metadata-store/delivery";
import { getVerdict, listVerdicts, type StoredVerdict } from "#metadata-store/governance";
import { getRegisteredModel, listAliasedAssets, listModelVersionsOfAssets } from "#metadata-store/registry";
import { CHAMPION_ALIAS } from "#registry";
import { readModelContent, type Verdict as JudgedVerdict } from "#models";
import type { ApiHandlers } from "../api/api-mounts.ts";
import { parseCursor, toPage } from "../api/paging.ts";
import { referencesOf } from "../api/version-reference.ts";
import { nameApprovals, pendingApprovals } from "../approvals/approval-handlers.ts";
import { resourceMissing } from "../errors.ts";
import { toGraph } from "../lineage/lineage-handlers.ts";
import { releasesOfVersion } from "../releases/release-handlers.ts";
import { numbersOf } from "./numbers-of.ts";

const SHOWN_VERSIONS = 200;

/** Models with their versions and records. */
export function createModelHandlers(
  platform: Platform,
): Pick<ApiHandlers, "listModels" | "getModel" | "listModelVersions" | "getModelVersion"> {
  const { store, project } = platform;

  async function latestOf(transaction: ReadTransaction, name: string, version?: number): Promise<AssetVersion> {
    const found = await getAssetVersion(transaction, {
      project,
      asset: name,
      ...(version === undefined ? {} : { version }),
    });
    if (found?.kind !== "model")
      throw resourceMissing({ kind: "model", key: version === undefined ? name : `${name} version ${version}` });
    return found;
  }

  return {
    listModels: ({ query }) =>
      store.read(async (transaction) => {
        const found = await listAssets(transaction, {
          project,
          kind: "model",
          limit: query.limit + 1,
          ...(query.after === undefined ? {} : { after: query.after }),
        });
        const shown = await summarizeModels(transaction, project, found);
        return toPage(shown, { limit: query.limit, cursor: ({ name }) => name, show: (model) => model });
      }),
    getModel: ({ params }) =>
      store.read(async (transaction) => {
        const latest = await latestOf(transaction, params.name);
        const versions = await listAssetVersions(transaction, { project, asset: params.name, limit: SHOWN_VERSIONS });
        const registered = await getRegisteredModel(transaction, params.name);
        const [summary] = await summarizeModels(transaction, project, [latest]);
        return {
          ...(summary as ModelSummary),
          description: registered?.description || undefined,
          tags: Object.fromEntries((registered?.tags ?? []).map(({ key, value }) => [key, value])),
          versions: await toVersionSummaries(transaction, project, versions),
        } satisfies ModelDetail;
      }),
    listModelVersions: ({ params, query }) =>
      store.read(async (transaction) => {
        const before = parseCursor(query.after, /^(\d{1,15})$/)?.[0];
        const found = await listAssetVersions(transaction, {
          project,
          asset: (await latestOf(transaction, params.name)).asset,
          limit: query.limit + 1,
          ...(before === undefined ? {} : { before: Number(before) }),
        });
        const shown = await toVersionSummaries(transaction, project, found);
        return toPage(shown, {
          limit: query.limit,
          cursor: ({ version }) => String(version),
          show: (version) => version,
        });
      }),
    getModelVersion: async ({ params, identity }) => {
      const { version, summary } = await store.read(async (transaction) => {
        const found = await latestOf(transaction, params.name, params.version);
        const [summary] = await toVersionSummaries(transaction, project, [found]);
        return { version: found, summary: summary as ModelVersionSummary };
      });
      return toRecord(platform, {
        version,
        summary,
        caller: { name: identity.name, mayReview: isAllowed(identity, "approve", { project }) },
      });
    },
  };
}

/** Models by their latest versions, each with its champion. The statements do not grow with the number of models. */
async function summarizeModels(
  transaction: ReadTransaction,
  project: string,
  latest: readonly AssetVersion[],
): Promise<readonly ModelSummary[]> {
  const champions = await listAliasedAssets(transaction, {
    names: latest.map(({ asset }) => asset),
    alias: CHAMPION_ALIAS,
  });
  const known = new Map(latest.map((version) => [version.id, version]));
  const others = await listVersionsById(
    transaction,
    [...new Set(champions.values())].filter((id) => !known.has(id)),
  );
  const summaries = new Map(
    (
      await toVersionSummaries(transaction, project, [
        ...latest,
        ...[...others.values()].filter((version) => version.project === project),
      ])
    ).map((summary) => [summary.assetVersionId, summary]),
  );
  return latest.map((version) => ({
    name: version.asset,
    task: readModelContent(version).model.task,
    versionCount: version.version,
    latest: summaries.get(version.id) as ModelVersionSummary,
    champion: summaries.get(champions.get(version.asset) ?? ""),
  }));
}

async function toVersionSummaries(
  transaction: ReadTransaction,
  project: string,
  versions: readonly AssetVersion[],
): Promise<readonly ModelVersionSummary[]> {
  const ids = versions.map(({ id }) => id);
  const registered = await listModelVersionsOfAssets(transaction, ids);
  const verdicts = await listVerdicts(transaction, ids);
  const deployed = await listDeployed(transaction, {
    project,
    assets: [...new Set(versions.map(({ asset }) => asset))],
  });
  return versions.map((version) => {
    const { record } = readModelContent(version);
    const verdict = verdicts.get(version.id);
    const judged = verdict?.content as JudgedVerdict | undefined;
    return {
      name: version.asset,
      version: version.version,
      assetVersionId: version.id,
      digest: version.digest,
      madeAtMs: version.madeAtMs,
      actor: record.madeBy.actor,
      aliases: registered.get(version.id)?.aliases ?? [],
      metrics: { ...numbersOf(record.metrics), ...numbersOf(judged?.metrics ?? {}) },
      verdict: verdict === undefined ? "none" : verdict.passed ? "passed" : "refused",
      servedAt: servedAt(version, deployed),
      pipelineRunId: version.pipelineRunId,
    };
  });
}

function servedAt(version: AssetVersion, deployed: readonly Deployed[]): readonly ServedAt[] {
  return deployed
    .filter(({ versionId }) => versionId === version.id)
    .map(({ environment, asset }) => ({ environment, endpoint: asset }));
}

async function toRecord(
  platform: Platform,
  facts: {
    readonly version: AssetVersion;
    readonly summary: ModelVersionSummary;
    readonly caller: { readonly name: string; readonly mayReview: boolean };
  },
): Promise<ModelVersionRecord> {
  const { store, project } = platform;
  const { version, summary } = facts;
  const { model, record, tree } = readModelContent(version);
  const trace = await traceVersion(store, version.id);
  const notebook = trace.nodes.find((node) => node.kind === "notebook");
  const digests = [
    version.digest,
    ...(await findRecipesOf(store, platform.objects, version)),
    ...trace.notebookDigests,
  ];
  const approvals = (await Promise.all(digests.map((digest) => listApprovals(store, { project, digest })))).flat();
  const pending = (await Promise.all(digests.map((digest) => pendingApprovals(platform, facts.caller, digest)))).flat();
  const { training, test, features, verdict, deployments } = await store.read(async (transaction) => ({
    training: await referencesOf(
      transaction,
      record.training === undefined ? [] : [{ id: record.training.versionId, role: "train" }],
    ),
    test: await referencesOf(transaction, testDataIds(await getVerdict(transaction, version.id))),
    features: await referencesOf(
      transaction,
      record.features.map(({ versionId }) => ({ id: versionId, role: "features" })),
    ),
    verdict: await getVerdict(transaction, version.id),
    deployments: await deploymentsOf(transaction, version),
  }));
  const lockDigest = textOf(record.source["environmentLock"]);
  return {
    ...summary,
    task: model.task,
    runtime: model.runtime,
    label: model.label,
    inputs: model.inputs,
    outputs: model.outputs,
    trainingData: training,
    testData: test,
    features,
    ...(notebook === undefined
      ? {}
      : {
          notebook: {
            versionId: notebook.id,
            asset: notebook.label,
            path: notebook.label,
            sourceDigest: notebook.digest ?? "",
            ...executionOf(trace, notebook.id, version),
          },
        }),
    commit: record.commit,
    hyperparameters: record.hyperparameters,
    testVerdict: verdict === undefined ? undefined : toVerdict(verdict, test),
    ...(lockDigest === undefined
      ? {}
      : { environmentLock: { digest: lockDigest, lock: textOf(record.source["lock"]) } }),
    trackingRun: record.trackingRun,
    files: tree.files.map(({ path, sizeBytes, digest }) => ({ path, sizeBytes, digest })),
    approvals: await nameApprovals(platform, approvals),
    pendingApprovals: pending,
    deployments,
    lineage: toGraph(trace),
  };
}

async function deploymentsOf(
  transaction: ReadTransaction,
  version: AssetVersion,
): Promise<ModelVersionRecord["deployments"]> {
  return (await releasesOfVersion(transaction, version)).map(({ id, environment, atMs, untilMs, actor, status }) => ({
    releaseId: id,
    environment,
    atMs,
    untilMs,
    actor,
    status,
  }));
}

function testDataIds(verdict: StoredVerdict | undefined): readonly { readonly id: string; readonly role: string }[] {
  const judged = verdict?.content as JudgedVerdict | undefined;
  return judged === undefined ? [] : [{ id: judged.data.versionId, role: "test" }];
}

function toVerdict(stored: StoredVerdict, data: Verdict["data"][] | readonly NonNullable<Verdict["data"]>[]): Verdict {
  const judged = stored.content as JudgedVerdict;
  return {
    state: stored.passed ? "passed" : "refused",
    atMs: stored.atMs,
    reason: judged.reason === "" ? undefined : judged.reason,
    rowCount: judged.data.rows,
    data: data[0],
    championVersion: judged.champion?.version,
    rules: judged.rules.map((rule) => ({
      rule: rule.text,
      passed: rule.passed,
      value: rule.left,
      threshold: rule.right,
      segment: rule.segment,
      note: rule.note,
    })),
    metrics: numbersOf(judged.metrics),
    championMetrics: judged.championMetrics === undefined ? undefined : numbersOf(judged.championMetrics),
    segments: judged.segments.map((segment) => ({
      column: segment.column,
      value: segment.value,
      rowCount: segment.rows,
      metrics: numbersOf(segment.metrics),
    })),
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/**
 * The step run that executed the notebook, where the model itself came out of it: an earlier version of the same source
 * was executed by another.
 */
function executionOf({ edges }: Trace, notebookId: string, version: AssetVersion): { readonly stepRunId?: string } {
  const isDirect = edges.some(({ from, to }) => from === notebookId && to === version.id);
  return isDirect && version.stepRunId !== undefined ? { stepRunId: version.stepRunId } : {};
}
