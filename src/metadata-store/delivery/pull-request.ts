import type { Selectable } from "kysely";
import type { ReadTransaction, WriteTransaction } from "../database.ts";
import { LARGEST_PAGE } from "../largest-page.ts";
import type { DeliveryTables } from "./tables.ts";

export type PullRequestState = DeliveryTables["pull_request"]["state"];

/** A pull request as its forge told it last. */
export interface PullRequest {
  readonly project: string;
  readonly number: number;
  /** Name of its preview: its environment is `preview/<name>`. */
  readonly preview: string;
  readonly title: string;
  readonly author: string;
  /** The branch that is to be merged, and the one that it is merged into. */
  readonly branch: string;
  readonly base: string;
  readonly commit: string;
  readonly url: string;
  /** Its code is of somebody who may not write to the repository. */
  readonly isOutside: boolean;
  readonly state: PullRequestState;
  readonly openedAtMs: number;
  readonly updatedAtMs: number;
  /** Nothing is left of its preview. */
  readonly removedAtMs: number | undefined;
}

/** Keeps what a forge told of a pull request; what was told before stays its time of opening. */
export async function savePullRequest(
  transaction: WriteTransaction,
  told: Omit<PullRequest, "openedAtMs" | "updatedAtMs" | "removedAtMs"> & { readonly atMs: number },
): Promise<void> {
  const facts = {
    preview: told.preview,
    title: told.title,
    author: told.author,
    branch: told.branch,
    base: told.base,
    commit_id: told.commit,
    url: told.url,
    outside: told.isOutside ? 1 : 0,
    state: told.state,
    updated_at_ms: told.atMs,
    removed_at_ms: null,
  };
  await transaction
    .insertInto("pull_request")
    .values({ ...facts, project: told.project, number: told.number, opened_at_ms: told.atMs })
    .onConflict((conflict) => conflict.columns(["project", "number"]).doUpdateSet(facts))
    .execute();
}

/** @returns undefined when nobody told of it */
export async function getPullRequest(
  transaction: ReadTransaction,
  key: { readonly project: string; readonly number: number },
): Promise<PullRequest | undefined> {
  const row = await transaction
    .selectFrom("pull_request")
    .selectAll()
    .where("project", "=", key.project)
    .where("number", "=", key.number)
    .executeTakeFirst();
  return row === undefined ? undefined : toPullRequest(row);
}

/** Pull requests of which something may be left, newest first; without `isLeft` all of them. */
export async function listPullRequests(
  transaction: ReadTransaction,
  query: { readonly project: string; readonly isLeft?: boolean; readonly limit?: number },
): Promise<readonly PullRequest[]> {
  let select = transaction.selectFrom("pull_request").selectAll().where("project", "=", query.project);
  if (query.isLeft === true) select = select.where("removed_at_ms", "is", null);
  const rows = await select
    .orderBy("updated_at_ms", "desc")
    .orderBy("number", "desc")
    .limit(Math.min(query.limit ?? 100, LARGEST_PAGE))
    .execute();
  return rows.map(toPullRequest);
}

/** Notes that nothing is left of a preview, unless the pull request was told of again meanwhile. */
export async function markPreviewRemoved(
  transaction: WriteTransaction,
  of: Pick<PullRequest, "project" | "number" | "updatedAtMs"> & { readonly atMs: number },
): Promise<boolean> {
  const { numUpdatedRows } = await transaction
    .updateTable("pull_request")
    .set({ removed_at_ms: of.atMs })
    .where("project", "=", of.project)
    .where("number", "=", of.number)
    .where("updated_at_ms", "=", of.updatedAtMs)
    .where("removed_at_ms", "is", null)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

function toPullRequest(row: Selectable<DeliveryTables["pull_request"]>): PullRequest {
  return {
    project: row.project,
    number: row.number,
    preview: row.preview,
    title: row.title,
    author: row.author,
    branch: row.branch,
    base: row.base,
    commit: row.commit_id,
    url: row.url,
    isOutside: row.outside === 1,
    state: row.state,
    openedAtMs: row.opened_at_ms,
    updatedAtMs: row.updated_at_ms,
    removedAtMs: row.removed_at_ms ?? undefined,
  };
}
