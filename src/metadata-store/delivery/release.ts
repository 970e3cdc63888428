import type { Selectable } from "kysely";
import type { ReadTransaction, WriteTransaction } from "../database.ts";
import type { DeliveryTables } from "./tables.ts";
import { LARGEST_PAGE } from "../largest-page.ts";

/** Versions that go to an environment together: the deployed one and what it was made from. */
export interface Release {
  readonly id: string;
  readonly project: string;
  readonly environment: string;
  /** 1, 2, 3, … per environment of a project. */
  readonly number: number;
  /** The asset that is deployed. */
  readonly asset: string;
  readonly versionId: string;
  readonly createdAtMs: number;
  readonly createdBy: string;
  /** How to deploy it again; its shape belongs to `delivery`. */
  readonly settings: object;
  readonly versions: readonly ReleaseVersion[];
}

export interface ReleaseVersion {
  readonly versionId: string;
  readonly asset: string;
  readonly kind: string;
  readonly digest: string;
  readonly role: "deployed" | "made_from";
}

/** Adds the next release of an environment. */
export async function insertRelease(transaction: WriteTransaction, release: Omit<Release, "number">): Promise<Release> {
  const { last } = await transaction
    .selectFrom("release")
    .select((select) => select.fn.max("number").as("last"))
    .where("project", "=", release.project)
    .where("environment", "=", release.environment)
    .executeTakeFirstOrThrow();
  const row = {
    id: release.id,
    project: release.project,
    environment: release.environment,
    number: Number(last ?? 0) + 1,
    asset: release.asset,
    version_id: release.versionId,
    created_at_ms: release.createdAtMs,
    created_by: release.createdBy,
    settings: JSON.stringify(release.settings),
  };
  await transaction.insertInto("release").values(row).execute();
  if (release.versions.length > 0) {
    await transaction
      .insertInto("release_version")
      .values(
        release.versions.map((version) => ({
          release_id: release.id,
          version_id: version.versionId,
          asset: version.asset,
          kind: version.kind,
          digest: version.digest,
          role: version.role,
        })),
      )
      .execute();
  }
  return toRelease(row, release.versions);
}

/** @returns undefined when there is none */
export async function getRelease(
  transaction: ReadTransaction,
  key: { readonly id: string } | { readonly project: string; readonly environment: string; readonly number: number },
): Promise<Release | undefined> {
  let select = transaction.selectFrom("release").selectAll();
  select =
    "id" in key
      ? select.where("id", "=", key.id)
      : select
          .where("project", "=", key.project)
          .where("environment", "=", key.environment)
          .where("number", "=", key.number);
  const row = await select.executeTakeFirst();
  return row === undefined ? undefined : (await withVersions(transaction, [row]))[0];
}

/** Releases by their ids; unknown ones are left out. At most some thousands. */
export async function listReleasesById(
  transaction: ReadTransaction,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Release>> {
  const wanted = [...new Set(ids)];
  if (wanted.length === 0) return new Map();
  const rows = await transaction.selectFrom("release").selectAll().where("id", "in", wanted).execute();
  return new Map((await withVersions(transaction, rows)).map((release) => [release.id, release]));
}

/** How many releases a project has made. */
export async function countReleases(transaction: ReadTransaction, project: string): Promise<number> {
  const { count } = await transaction
    .selectFrom("release")
    .select((select) => select.fn.countAll<number>().as("count"))
    .where("project", "=", project)
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** Releases, newest first; `before` is the last id of the page before. */
export async function listReleases(
  transaction: ReadTransaction,
  query: {
    readonly project: string;
    readonly environment?: string;
    readonly asset?: string;
    /** Only those that deploy this version. */
    readonly versionId?: string;
    readonly before?: string;
    readonly limit?: number;
  },
): Promise<readonly Release[]> {
  let select = transaction.selectFrom("release").selectAll().where("project", "=", query.project);
  if (query.environment !== undefined) select = select.where("environment", "=", query.environment);
  if (query.asset !== undefined) select = select.where("asset", "=", query.asset);
  if (query.versionId !== undefined) select = select.where("version_id", "=", query.versionId);
  if (query.before !== undefined) select = select.where("id", "<", query.before);
  return withVersions(
    transaction,
    await select
      .orderBy("id", "desc")
      .limit(Math.min(query.limit ?? 100, LARGEST_PAGE))
      .execute(),
  );
}

async function withVersions(
  transaction: ReadTransaction,
  rows: readonly Selectable<DeliveryTables["release"]>[],
): Promise<readonly Release[]> {
  if (rows.length === 0) return [];
  const versions = await transaction
    .selectFrom("release_version")
    .selectAll()
    .where(
      "release_id",
      "in",
      rows.map(({ id }) => id),
    )
    .orderBy("asset")
    .execute();
  return rows.map((row) =>
    toRelease(
      row,
      versions
        .filter((version) => version.release_id === row.id)
        .map((version) => ({
          versionId: version.version_id,
          asset: version.asset,
          kind: version.kind,
          digest: version.digest,
          role: version.role as ReleaseVersion["role"],
        })),
    ),
  );
}

function toRelease(row: Selectable<DeliveryTables["release"]>, versions: readonly ReleaseVersion[]): Release {
  return {
    id: row.id,
    project: row.project,
    environment: row.environment,
    number: row.number,
    asset: row.asset,
    versionId: row.version_id,
    createdAtMs: row.created_at_ms,
    createdBy: row.created_by,
    settings: JSON.parse(row.settings) as object,
    versions,
  };
}
