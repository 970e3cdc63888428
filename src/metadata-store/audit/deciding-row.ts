import { digestOf } from "#base";
import type { ReadTransaction } from "../database.ts";
import { fingerprintOf, inputsDigest, settledContent, versionsDigest } from "../event/told-digest.ts";

/** Tables whose rows decide what may pass, who may do it, and what runs. */
export const DECIDING_TABLES = [
  "access_user",
  "access_grant",
  "access_token",
  "approval",
  "signing_key",
  "verdict",
  "release",
  "deployed",
  "registered_model_alias",
  "endpoint",
  "asset_version",
] as const;
export type DecidingTable = (typeof DECIDING_TABLES)[number];

export type Fact = string | number | boolean | null;

/** A row by its key, with what it decides. */
export interface DecidingRow {
  /** As a person knows it. */
  readonly key: string;
  readonly facts: Readonly<Record<string, Fact>>;
}

const ROWS_A_PAGE = 500;

/** Every row of a deciding table, page by page. */
export async function* listDecidingRows(
  transaction: ReadTransaction,
  table: DecidingTable,
): AsyncGenerator<readonly DecidingRow[]> {
  for (let offset = 0; ; offset += ROWS_A_PAGE) {
    const rows = await READERS[table](transaction, offset);
    yield rows;
    if (rows.length < ROWS_A_PAGE) return;
  }
}

type Reader = (transaction: ReadTransaction, offset: number) => Promise<readonly DecidingRow[]>;

const READERS: Readonly<Record<DecidingTable, Reader>> = {
  async access_user(transaction, offset) {
    const rows = await page(transaction.selectFrom("access_user").selectAll().orderBy("name"), offset);
    return rows.map(({ name, kind, owner, emails }) => ({ key: name, facts: { kind, owner, emails } }));
  },
  async access_grant(transaction, offset) {
    const select = transaction.selectFrom("access_grant").selectAll().orderBy("user_name").orderBy("project");
    return (await page(select, offset)).map((row) => ({
      key: grantKey(row.user_name, row.project),
      facts: { role: row.role },
    }));
  },
  async access_token(transaction, offset) {
    const rows = await page(transaction.selectFrom("access_token").selectAll().orderBy("id"), offset);
    return rows.map((row) => ({
      key: row.id,
      facts: {
        user: row.user_name,
        label: row.label,
        secret: fingerprintOf(row.secret_hash),
        expiresAtMs: row.expires_at_ms,
        only: row.only_action,
        isRevoked: row.revoked_at_ms !== null,
      },
    }));
  },
  async approval(transaction, offset) {
    const rows = await page(transaction.selectFrom("approval").selectAll().orderBy("id"), offset);
    return rows.map((row) => ({
      key: row.id,
      facts: {
        project: row.project,
        kind: row.subject_kind,
        digest: row.digest,
        environment: row.environment,
        decision: row.decision,
        actor: row.actor,
        countsFor: row.counts_for,
        atMs: row.at_ms,
        revokedBy: row.revoked_by,
        expiresAtMs: row.expires_at_ms,
      },
    }));
  },
  async signing_key(transaction, offset) {
    const rows = await page(transaction.selectFrom("signing_key").selectAll().orderBy("id"), offset);
    return rows.map((row) => ({
      key: row.id,
      facts: {
        user: row.user_name,
        label: row.label,
        publicKey: digestOf(Buffer.from(row.public_key, "base64")),
        isRevoked: row.revoked_at_ms !== null,
      },
    }));
  },
  async verdict(transaction, offset) {
    const rows = await page(transaction.selectFrom("verdict").selectAll().orderBy("version_id"), offset);
    return rows.map((row) => ({
      key: row.version_id,
      facts: {
        project: row.project,
        isPassed: row.passed === 1,
        atMs: row.at_ms,
        stepRunId: row.step_run_id,
        content: digestOf(row.content),
      },
    }));
  },
  async release(transaction, offset) {
    const rows = await page(transaction.selectFrom("release").selectAll().orderBy("id"), offset);
    const ids = rows.map(({ id }) => id);
    const versions =
      ids.length === 0
        ? []
        : await transaction.selectFrom("release_version").selectAll().where("release_id", "in", ids).execute();
    return rows.map((row) => ({
      key: row.id,
      facts: {
        project: row.project,
        environment: row.environment,
        number: row.number,
        asset: row.asset,
        versionId: row.version_id,
        createdBy: row.created_by,
        settings: digestOf(row.settings),
        versions: versionsDigest(
          versions
            .filter(({ release_id }) => release_id === row.id)
            .map(({ version_id, digest, role }) => ({ versionId: version_id, digest, role })),
        ),
      },
    }));
  },
  async deployed(transaction, offset) {
    const select = transaction.selectFrom("deployed").selectAll();
    const rows = await page(select.orderBy("project").orderBy("environment").orderBy("asset"), offset);
    return rows.map((row) => ({
      key: deployedKey(row),
      facts: { deploymentId: row.deployment_id, releaseId: row.release_id, versionId: row.version_id },
    }));
  },
  async registered_model_alias(transaction, offset) {
    const select = transaction
      .selectFrom("registered_model_alias")
      .leftJoin("registered_model", "registered_model.id", "registered_model_alias.registered_model_id")
      .select(["registered_model.name", "registered_model_id", "alias", "version"]);
    const rows = await page(select.orderBy("registered_model_id").orderBy("alias"), offset);
    return rows.map((row) => ({
      key: aliasKey(row.name ?? row.registered_model_id, row.alias),
      facts: { version: row.version },
    }));
  },
  async endpoint(transaction, offset) {
    const select = transaction.selectFrom("endpoint").selectAll();
    const rows = await page(select.orderBy("project").orderBy("environment").orderBy("name"), offset);
    return rows.map((row) => ({
      key: endpointKey(row.project, `${row.environment}/${row.name}`),
      facts: {
        modelVersionId: row.model_version_id,
        candidateVersionId: row.candidate_version_id,
        strategy: digestOf(row.strategy),
        isStopped: row.state === "stopped",
      },
    }));
  },
  async asset_version(transaction, offset) {
    const rows = await page(transaction.selectFrom("asset_version").selectAll().orderBy("id"), offset);
    const ids = rows.map(({ id }) => id);
    const inputs =
      ids.length === 0
        ? []
        : await transaction.selectFrom("asset_version_input").selectAll().where("version_id", "in", ids).execute();
    const inputsOf = Map.groupBy(inputs, ({ version_id }) => version_id);
    return rows.map((row) => ({
      key: row.id,
      facts: {
        project: row.project,
        asset: row.asset,
        kind: row.kind,
        version: row.version,
        digest: row.digest,
        stepRunId: row.step_run_id,
        content: settledContent(row.content),
        inputs: inputsDigest(
          (inputsOf.get(row.id) ?? []).map(({ input_version_id, role }) => ({ versionId: input_version_id, role })),
        ),
      },
    }));
  },
};

export function endpointKey(project: string, subject: string): string {
  return `${project}/${subject}`;
}

export function grantKey(user: string, project: string): string {
  return `${user} in ${project}`;
}

export function aliasKey(model: string, alias: string): string {
  return `${model}@${alias}`;
}

export function deployedKey(place: {
  readonly project: string;
  readonly environment: string;
  readonly asset: string;
}): string {
  return `${place.project}/${place.environment}/${place.asset}`;
}

async function page<Row>(
  select: { limit(count: number): { offset(count: number): { execute(): Promise<Row[]> } } },
  offset: number,
): Promise<readonly Row[]> {
  return select.limit(ROWS_A_PAGE).offset(offset).execute();
}
