import { type Clock, type Log, systemClock } from "#base";
import type { ModelDeployment, ModelTarget, TargetState } from "#delivery";
import { type AssetVersion, getAssetVersion, type MetadataStore } from "#metadata-store";
import { type EndpointKey, getEndpoint, saveEndpoint } from "#metadata-store/serving";
import type { Endpoints } from "./endpoints.ts";
import { modelMissing } from "./errors.ts";
import type { LoadedModels } from "./loaded-model.ts";
import type { AlertWatch, TakeOverCheck } from "./ports.ts";
import { parseStrategy } from "./strategy.ts";
import { reportTrials, settleTrial, settleTrials, type TrialReport } from "./trials.ts";

/** Deploys models behind this platform's endpoints. */
export interface ServingTarget extends ModelTarget {
  /**
   * Judges every trial by the candidate's own figures: it becomes the stable version, leaves, or goes on.
   * Call it every few seconds. Idempotent, also with several processes.
   *
   * @returns how many trials ended
   */
  settleTrials(): Promise<number>;
  /** The trials of an endpoint, newest first, with the figures of both arms. */
  trials(key: EndpointKey): Promise<readonly TrialReport[]>;
}

export interface ModelTargetOptions {
  readonly store: MetadataStore;
  readonly models: LoadedModels;
  readonly endpoints: Endpoints;
  readonly log: Log;
  readonly clock?: Clock;
  /** Without it, a trial never ends early. */
  readonly alerts?: AlertWatch;
  /** Without it, a trial that went well takes over. */
  readonly takeOver?: TakeOverCheck;
}

/**
 * `ModelTarget` of `delivery`: loads and tries the model first, then switches the endpoint's row, then this process.
 */
export function createModelTarget(options: ModelTargetOptions): ServingTarget {
  const { store, models, endpoints, clock = systemClock } = options;
  endpoints.onCandidateFailure((key) => settleTrial(options, key));
  return {
    async deploy(deployment, { log, signal }) {
      signal.throwIfAborted();
      const key = { project: deployment.project, environment: deployment.environment, endpoint: deployment.endpoint };
      const strategy = parseStrategy(deployment.strategy, clock.now());
      log(`loading ${deployment.version.asset} version ${deployment.version.version}`);
      // Loaded before anything is switched: when this throws, what was there still answers.
      await models.acquire(deployment.version, { report: log });
      try {
        log("the model is loaded and answers its example");
        signal.throwIfAborted();
        await switchEndpoint(store, deployment, strategy, clock.now());
        await endpoints.refresh(key);
      } finally {
        await models.release(deployment.version.id);
      }
      log(
        strategy.kind === "direct"
          ? `endpoint ${deployment.environment}/${deployment.endpoint} answers with it`
          : `endpoint ${deployment.environment}/${deployment.endpoint} tries it: ${strategy.kind}`,
      );
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
    settleTrials: () => settleTrials(options),
    trials: (key) => reportTrials(options, key),
  };
}

async function switchEndpoint(
  store: MetadataStore,
  deployment: ModelDeployment,
  strategy: ReturnType<typeof parseStrategy>,
  atMs: number,
): Promise<void> {
  const key = { project: deployment.project, environment: deployment.environment, endpoint: deployment.endpoint };
  await store.write(async (transaction) => {
    const current = await getEndpoint(transaction, key);
    const stable = current?.state === "ready" ? current.modelVersionId : undefined;
    const direct = strategy.kind === "direct" || stable === undefined || stable === deployment.version.id;
    return saveEndpoint(transaction, {
      ...key,
      action: direct ? "deploy" : "try",
      modelVersionId: direct ? deployment.version.id : stable,
      candidateVersionId: direct ? undefined : deployment.version.id,
      strategy: direct ? { kind: "direct" } : strategy,
      options: deployment.featureService === undefined ? {} : { featureService: deployment.featureService },
      actor: deployment.actor,
      atMs,
      operationId: deployment.deploymentId,
    });
  });
}

async function readVersion(store: MetadataStore, id: string): Promise<AssetVersion> {
  const version = await store.read((transaction) => getAssetVersion(transaction, { id }));
  if (version === undefined) throw modelMissing({ versionId: id });
  return version;
}

function toTargetState(version: AssetVersion, key: EndpointKey): TargetState {
  return { versionId: version.id, digest: version.digest, address: `/endpoints/${key.environment}/${key.endpoint}` };
}
