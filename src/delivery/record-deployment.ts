import { isEsteiraError } from "#base";
import { appendEvent, type AssetVersion, type WriteTransaction } from "#metadata-store";
import {
  clearDeployed,
  type Deployed,
  type Deployment,
  endDeployment,
  endSupersededDeployments,
  type Release,
  setDeployed,
} from "#metadata-store/delivery";
import {
  getModelVersionByAlias,
  getModelVersionOfAsset,
  type ModelVersion,
  modelAliasMissing,
  modelVersionMissing,
  setModelVersionTag,
  setRegisteredModelAlias,
} from "#metadata-store/registry";
import { CHAMPION_ALIAS } from "#registry";
import { PRODUCTION } from "./environment.ts";
import type { TargetState } from "./ports.ts";

/** Alias of the model version that production ran before. */
export const PREVIOUS_ALIAS = "previous";

/**
 * Points the environment at the deployment; in production a model becomes the champion, and the one before `previous`.
 * Idempotent.
 */
export async function recordSuccess(
  transaction: WriteTransaction,
  facts: {
    readonly deployment: Deployment;
    readonly release: Release;
    readonly version: AssetVersion;
    readonly state: TargetState;
    /** False while the model is only tried beside another: then it is no champion yet. */
    readonly answers: boolean;
    readonly atMs: number;
  },
): Promise<void> {
  const { deployment, release, version, state, atMs } = facts;
  const { project, environment, asset, actor } = deployment;
  if (!(await endDeployment(transaction, { id: deployment.id, status: "succeeded", atMs, target: state }))) return;
  await endSupersededDeployments(transaction, { id: deployment.id, project, environment, asset, atMs });
  await setDeployed(transaction, {
    project,
    environment,
    asset,
    deploymentId: deployment.id,
    releaseId: release.id,
    versionId: version.id,
    atMs,
  });
  await appendEvent(transaction, {
    atMs,
    project,
    type: deployment.reason === "rollback" ? "release.rolled_back" : "release.deployed",
    subjectKind: "release",
    subject: release.id,
    actor,
    data: {
      environment,
      asset,
      number: release.number,
      deploymentId: deployment.id,
      versionId: version.id,
      version: version.version,
      digest: version.digest,
      address: state.address,
      stepRunId: deployment.stepRunId,
      comment: deployment.comment,
    },
  });
  const registered = version.kind === "model" ? await getModelVersionOfAsset(transaction, version.id) : undefined;
  if (registered === undefined) return;
  const change = { name: registered.name, version: registered.version, atMs, actor };
  await setModelVersionTag(transaction, {
    ...change,
    key: `esteira.deployed.${environment}`,
    value: new Date(atMs).toISOString(),
  });
  if (environment === PRODUCTION && facts.answers) await crown(transaction, registered, { atMs, actor });
}

/** Makes a model version the champion; false when it was already, or is not registered. */
export async function crownVersion(
  transaction: WriteTransaction,
  version: AssetVersion,
  facts: { readonly atMs: number; readonly actor: string },
): Promise<boolean> {
  const registered = await getModelVersionOfAsset(transaction, version.id);
  return registered !== undefined && crown(transaction, registered, facts);
}

async function crown(
  transaction: WriteTransaction,
  next: ModelVersion,
  facts: { readonly atMs: number; readonly actor: string },
): Promise<boolean> {
  const champion = await findAlias(transaction, next.name);
  if (champion?.version === next.version) return false;
  if (champion !== undefined)
    await setRegisteredModelAlias(transaction, {
      ...facts,
      name: next.name,
      alias: PREVIOUS_ALIAS,
      version: champion.version,
    });
  await setRegisteredModelAlias(transaction, {
    ...facts,
    name: next.name,
    alias: CHAMPION_ALIAS,
    version: next.version,
  });
  return true;
}

async function findAlias(transaction: WriteTransaction, name: string): Promise<ModelVersion | undefined> {
  try {
    return await getModelVersionByAlias(transaction, { name, alias: CHAMPION_ALIAS });
  } catch (error) {
    if (isEsteiraError(error, modelAliasMissing.code) || isEsteiraError(error, modelVersionMissing.code))
      return undefined;
    throw error;
  }
}

/** Ends a deployment that did not work; the environment keeps what it had. Idempotent. */
export async function recordFailure(
  transaction: WriteTransaction,
  facts: { readonly deployment: Deployment; readonly release: Release; readonly error: object; readonly atMs: number },
): Promise<void> {
  const { deployment, release, error, atMs } = facts;
  if (!(await endDeployment(transaction, { id: deployment.id, status: "failed", atMs, error }))) return;
  await appendEvent(transaction, {
    atMs,
    project: deployment.project,
    type: "release.failed",
    subjectKind: "release",
    subject: release.id,
    actor: deployment.actor,
    data: {
      environment: deployment.environment,
      asset: deployment.asset,
      number: release.number,
      deploymentId: deployment.id,
      error,
      stepRunId: deployment.stepRunId,
    },
  });
}

/** Notes that an environment runs an asset no more. */
export async function recordRemoval(
  transaction: WriteTransaction,
  facts: { readonly deployed: Deployed; readonly actor: string; readonly atMs: number },
): Promise<void> {
  const { project, environment, asset, releaseId, versionId } = facts.deployed;
  await clearDeployed(transaction, { project, environment, asset });
  await appendEvent(transaction, {
    atMs: facts.atMs,
    project,
    type: "release.removed",
    subjectKind: "release",
    subject: releaseId,
    actor: facts.actor,
    data: { environment, asset, versionId },
  });
}
