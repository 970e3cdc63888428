import type { ColumnProfile, DatasetCheck, DatasetDetail, DatasetSummary, StepReference } from "#api";
import {
  captureAgain,
  discardHeldRows,
  dropProjectDataset,
  type Platform,
  replayDataset,
  restateProjectDataset,
  restoreProjectDataset,
} from "#app";
import { type ColumnLineage, type DatasetContent, readProfile } from "#data";
import {
  type AssetVersion,
  getAssetVersion,
  listAssets,
  listAssetVersions,
  type ReadTransaction,
} from "#metadata-store";
import { summarizeQuarantine } from "#metadata-store/data";
import type { ApiHandlers } from "../api/api-mounts.ts";
import { parseCursor, toPage } from "../api/paging.ts";
import { toVersionSummaries } from "../api/version-reference.ts";
import { requestInvalid, resourceMissing } from "../errors.ts";
import { listQuarantine, toQuarantineSummary } from "./quarantine-view.ts";

type DatasetHandlers = DatasetChanges &
  Pick<ApiHandlers, "listDatasets" | "getDataset" | "getDatasetRows" | "listQuarantinedRows" | "listAssetVersions">;

const SHOWN_VERSIONS = 100;

function toCheck({
  id,
  expectation,
  severity,
  value,
  holds,
}: NonNullable<DatasetContent["checks"]>[number]): DatasetCheck {
  return { rule: id, expectation, severity, ...(holds === undefined ? {} : { found: value, holds }) };
}

function treatedOf({
  treated = {},
  bounds = {},
}: Pick<DatasetContent, "treated" | "bounds">): NonNullable<DatasetDetail["treated"]> {
  return Object.entries(treated).map(([name, values]) => {
    const at = name.lastIndexOf(": ");
    const [column, treatment] = [name.slice(0, at), name.slice(at + 2)];
    if (treatment !== "outliers") return { column, treatment, values };
    const { low, high, why } = bounds[column] ?? {};
    return { column, treatment, values, low, high, why };
  });
}

/** Datasets: versions, columns, profile, rows, quarantine. */
export function createDatasetHandlers(platform: Platform): DatasetHandlers {
  const { store, datasets, project } = platform;

  async function versionOf(transaction: ReadTransaction, name: string, version?: number): Promise<AssetVersion> {
    const found = await getAssetVersion(transaction, {
      project,
      asset: name,
      ...(version === undefined ? {} : { version }),
    });
    if (found === undefined || (found.kind !== "data" && found.kind !== "features"))
      throw resourceMissing({ kind: "dataset", key: version === undefined ? name : `${name} version ${version}` });
    return found;
  }

  return {
    ...createDatasetChanges(platform),
    listDatasets: ({ query }) =>
      store.read(async (transaction) => {
        const after = query.after === undefined ? {} : { after: query.after };
        const kinds = await Promise.all(
          (["data", "features"] as const).map((kind) =>
            listAssets(transaction, { project, kind, limit: query.limit + 1, ...after }),
          ),
        );
        const found = kinds.flat().sort((left, right) => (left.asset < right.asset ? -1 : 1));
        const quarantined = new Map(
          (await summarizeQuarantine(transaction, { project })).map((summary) => [summary.dataset, summary.held]),
        );
        return toPage(found, {
          limit: query.limit,
          cursor: ({ asset }) => asset,
          show: (version) =>
            toSummary(version, {
              quarantined: quarantined.get(version.asset) ?? 0,
              producedBy: platform.producerOf(version.asset),
            }),
        });
      }),

    getDataset: async ({ params, query }) => {
      const { latest, shown, versions, summary, quarantine } = await store.read(async (transaction) => {
        const latestVersion = await versionOf(transaction, params.name);
        const [counts] = await summarizeQuarantine(transaction, { project, dataset: params.name });
        const listed = await listAssetVersions(transaction, { project, asset: params.name, limit: SHOWN_VERSIONS });
        return {
          latest: latestVersion,
          shown: query.version === undefined ? latestVersion : await versionOf(transaction, params.name, query.version),
          versions: await toVersionSummaries(transaction, listed),
          summary: toSummary(latestVersion, {
            quarantined: counts?.held ?? 0,
            producedBy: platform.producerOf(params.name),
          }),
          quarantine: counts,
        };
      });
      const content = shown.content as DatasetContent;
      return {
        ...summary,
        shownVersion: shown.version,
        versions,
        columns: content.columns.map((column) => ({
          name: column.name,
          type: column.type,
          from: columnSources(content, column.name),
        })),
        profile: await showProfile(platform, content),
        ...(quarantine === undefined
          ? {}
          : { quarantine: await toQuarantineSummary(platform, params.name, quarantine) }),
        ...(content.treated === undefined ? {} : { treated: treatedOf(content) }),
        ...(content.checks === undefined ? {} : { checks: content.checks.map(toCheck) }),
        ...(content.merged === undefined ? {} : { merged: content.merged }),
        contract: await platform.contractOf(params.name),
        consumedBy: platform.consumersOf(params.name),
        location: { ...(await datasets.location(latest)), deltaVersion: content.deltaVersion },
      } satisfies DatasetDetail;
    },

    getDatasetRows: async ({ params, query }) => {
      const version = await store.read((transaction) => versionOf(transaction, params.name, query.version));
      const { columns, rows } = await datasets.preview(version, {
        limit: query.limit,
        offset: query.offset,
        sort: query.sort === undefined ? undefined : { column: query.sort, isDescending: query.order === "descending" },
      });
      return {
        version: version.version,
        offset: query.offset,
        rowCount: version.rowCount,
        columns: columns.map(({ name, type }) => ({ name, type })),
        rows: rows.map((row) => columns.map(({ name }) => row[name])),
      };
    },

    listQuarantinedRows: async ({ params, query }) => listQuarantine(platform, params.name, query),

    listAssetVersions: ({ params, query }) =>
      store.read(async (transaction) => {
        const [beforeText] = parseCursor(query.after, /^(\d{1,15})$/) ?? [];
        const before = beforeText === undefined ? {} : { before: Number(beforeText) };
        const found = await listAssetVersions(transaction, {
          project,
          asset: params.name,
          limit: query.limit + 1,
          ...before,
        });
        const shown = await toVersionSummaries(transaction, found);
        return toPage(shown, {
          limit: query.limit,
          cursor: ({ version }) => String(version),
          show: (version) => version,
        });
      }),
  };
}

type DatasetChanges = Pick<
  ApiHandlers,
  "captureAgain" | "restateDataset" | "restoreDataset" | "dropDataset" | "replayQuarantine" | "discardQuarantine"
>;

function createDatasetChanges(platform: Platform): DatasetChanges {
  return {
    captureAgain: ({ params, body, identity }) => {
      if (body.all !== true && (body.files ?? []).length === 0)
        throw requestInvalid({ where: "body", problems: ["files: name at least one, or say all: true"] });
      return captureAgain(platform, {
        dataset: params.name,
        actor: identity.name,
        files: body.all === true ? "all" : (body.files ?? []),
      });
    },
    restateDataset: ({ params, body, identity }) =>
      restateProjectDataset(platform, { ...body, dataset: params.name, actor: identity.name }),
    restoreDataset: ({ params, body, identity, signal }) =>
      restoreProjectDataset(platform, { dataset: params.name, version: body.version, actor: identity.name, signal }),
    dropDataset: ({ params, identity, signal }) =>
      dropProjectDataset(platform, { dataset: params.name, actor: identity.name, signal }),
    replayQuarantine: async ({ params, identity }) => {
      await platform.registerProject(identity.name);
      return replayDataset(platform, { dataset: params.name, actor: identity.name });
    },
    discardQuarantine: ({ params, body, identity }) => {
      if (body.reason.trim() === "") throw requestInvalid({ where: "body", problems: ["reason: say why"] });
      return discardHeldRows(platform, { ...body, dataset: params.name, actor: identity.name });
    },
  };
}

function toSummary(
  version: AssetVersion,
  facts: { readonly quarantined: number; readonly producedBy: StepReference | undefined },
): DatasetSummary {
  return {
    name: version.asset,
    kind: version.kind === "features" ? "features" : "data",
    latestVersion: version.version,
    versionId: version.id,
    madeAtMs: version.madeAtMs,
    rowCount: version.rowCount,
    sizeBytes: version.sizeBytes,
    columnCount: (version.content as Partial<DatasetContent>).columns?.length,
    quarantinedCount: facts.quarantined,
    producedBy: facts.producedBy,
  };
}

async function showProfile(platform: Platform, content: DatasetContent): Promise<readonly ColumnProfile[] | undefined> {
  const profile = await readProfile(platform.objects, content);
  return profile?.columns.map(({ distinct, top, sample, quantiles, histogram, min, max, ...column }) => {
    const isTime = /^(DATE|TIMESTAMP)/.test(column.type);
    return {
      ...column,
      count: profile.rowCount,
      distinctCount: distinct.count,
      ...(distinct.error === undefined ? {} : { distinctError: distinct.error }),
      min: boundOf(min),
      max: boundOf(max),
      ...(quantiles === undefined
        ? {}
        : { quantiles: ["0.05", "0.25", "0.5", "0.75", "0.95"].flatMap((key) => quantiles[key] ?? []) }),
      ...(histogram === undefined ? {} : { histogram: { ...histogram, isTime } }),
      topValues: top,
      ...(sample === undefined
        ? {}
        : {
            sample: {
              kind: sample.kind,
              rowCount: sample.rows,
              ...(sample.shareError === undefined ? {} : { shareError: sample.shareError }),
            },
          }),
    };
  });
}

function boundOf(value: unknown): number | string | undefined {
  if (typeof value === "number" || typeof value === "string") return value;
  return value === null || value === undefined ? undefined : JSON.stringify(value);
}

/** Column lineage as `data` keeps it: output column to source columns. */
function columnSources(
  content: DatasetContent,
  column: string,
): readonly { readonly asset: string; readonly column: string }[] | undefined {
  const lineage = content.lineage as unknown as ColumnLineage | undefined;
  return lineage?.columns[column]?.inputs
    .filter(({ type }) => type === "DIRECT")
    .map((input) => ({ asset: input.dataset, column: input.column }));
}
