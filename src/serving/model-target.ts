import { type Clock, systemClock } from "#base";
import {
  explainPlan,
  type ModelDeployment,
  type ModelTarget,
  parseStrategy,
  type TargetState,
  type TrialPlan,
} from "#delivery";
import { type AssetVersion, getAssetVersion, type MetadataStore } from "#metadata-store";
import { type EndpointKey, getEndpoint, type PredictionLogOptions, saveEndpoint } from "#metadata-store/serving";
import type { Endpoints } from "./endpoints.ts";
import { modelMissing } from "./errors.ts";
import type { LoadedModels } from "./loaded-model.ts";

export interface ModelTargetOptions {
  readonly store: MetadataStore;
  readonly models: LoadedModels;
  readonly endpoints: Endpoints;
  readonly clock?: Clock;
}

/**
 * `ModelTarget` of `delivery`: loads and tries the model first, then switches the endpoint's row, then this process.
 */
export function createModelTarget(options: ModelTargetOptions): ModelTarget {
  const { store, models, endpoints, clock = systemClock } = options;
  return {
    async deploy(deployment, { log, signal }) {
      signal.throwIfAborted();
      const key = { project: deployment.project, environment: deployment.environment, endpoint: deployment.endpoint };
      const plan = parseStrategy(deployment.strategy, clock.now());
      const { workers = 1 } = deployment;
      log(
        `loading ${deployment.version.asset} version ${deployment.version.version}${workers === 1 ? "" : ` in ${workers} workers`}`,
      );
      // Loaded before anything is switched: when this throws, what was there still answers.
      const model = await models.acquire(deployment.version, { report: log, workers });
      let isTrial = false;
      try {
        log("the model is loaded and answers its example");
        signal.throwIfAborted();
        isTrial = await switchEndpoint(store, deployment, plan, clock.now());
        await endpoints.refresh(key);
      } finally {
        await models.release(model);
      }
      const name = `endpoint ${deployment.environment}/${deployment.endpoint}`;
      log(plan === undefined || !isTrial ? `${name} answers with it` : `${name} tries it: ${plan.kind}`);
      if (plan !== undefined && isTrial) for (const line of explainPlan(plan)) log(line);
      return toTargetState(deployment.version, key);
    },
    async current(key) {
      const endpoint = await store.read((transaction) => getEndpoint(transaction, key));
      if (endpoint === undefined || endpoint.state === "stopped") return undefined;
      return {
        ...toTargetState(await readVersion(store, endpoint.modelVersionId), key),
        candidateVersionId: endpoint.candidateVersionId,
      };
    },
    async remove(key) {
      const endpoint = await store.read((transaction) => getEndpoint(transaction, key));
      if (endpoint === undefined || endpoint.state === "stopped") return;
      await store.write((transaction) =>
        saveEndpoint(transaction, {
          ...key,
          action: "stop",
          modelVersionId: endpoint.modelVersionId,
          strategy: { kind: "direct" },
          actor: "engine",
          atMs: clock.now(),
          operationId: `stop:${endpoint.generation}:${key.project}/${key.environment}/${key.endpoint}`,
        }),
      );
      await endpoints.refresh(key);
    },
  };
}

/** @returns whether the version is tried beside another */
async function switchEndpoint(
  store: MetadataStore,
  deployment: ModelDeployment,
  plan: TrialPlan | undefined,
  atMs: number,
): Promise<boolean> {
  const key = { project: deployment.project, environment: deployment.environment, endpoint: deployment.endpoint };
  return store.write(async (transaction) => {
    const current = await getEndpoint(transaction, key);
    const stable = current?.state === "ready" ? current.modelVersionId : undefined;
    const direct = plan === undefined || stable === undefined || stable === deployment.version.id;
    const { endpoint } = await saveEndpoint(transaction, {
      ...key,
      action: direct ? "deploy" : "try",
      modelVersionId: direct ? deployment.version.id : stable,
      candidateVersionId: direct ? undefined : deployment.version.id,
      strategy: direct ? { kind: "direct" } : plan,
      options: {
        ...(deployment.featureService === undefined ? {} : { featureService: deployment.featureService }),
        ...(deployment.workers === undefined ? {} : { workers: deployment.workers }),
        ...logOptions(deployment, current?.options.log),
      },
      actor: deployment.actor,
      atMs,
      operationId: deployment.deploymentId,
    });
    return endpoint.candidateVersionId !== undefined;
  });
}

/** A rollback takes back a model, not what must not be written. */
function logOptions(
  { log, isRollback = false }: ModelDeployment,
  current: PredictionLogOptions | undefined,
): { readonly log?: PredictionLogOptions } {
  const redact = new Set([...(log?.redact ?? []), ...(isRollback ? (current?.redact ?? []) : [])]);
  return redact.size === 0 ? {} : { log: { redact: [...redact] } };
}

async function readVersion(store: MetadataStore, id: string): Promise<AssetVersion> {
  const version = await store.read((transaction) => getAssetVersion(transaction, { id }));
  if (version === undefined) throw modelMissing({ versionId: id });
  return version;
}

function toTargetState(version: AssetVersion, key: EndpointKey): TargetState {
  return { versionId: version.id, digest: version.digest, address: `/endpoints/${key.environment}/${key.endpoint}` };
}
