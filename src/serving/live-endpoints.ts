import { type Log, messageOf } from "#base";
import { getAssetVersion, type MetadataStore } from "#metadata-store";
import { type Endpoint, type EndpointKey, getEndpoint, listEndpoints } from "#metadata-store/serving";
import { endpointElsewhere, endpointNotReady, endpointUnknown, modelMissing } from "./errors.ts";
import type { LoadedModel, LoadedModels } from "./loaded-model.ts";

/** An endpoint with its models. A switch replaces it by another one. */
export interface LiveEndpoint {
  readonly endpoint: Endpoint;
  readonly stable: LoadedModel;
  readonly candidate: LoadedModel | undefined;
}

/**
 * The endpoints of this process, each with its models loaded.
 *
 * States of one: absent → live → retired (replaced; requests in flight finish on it) → released (its models unloaded).
 */
export interface LiveEndpoints {
  /**
   * Runs work on the endpoint as it is now; its models stay loaded until the work ends. @throws
   * SERVING_ENDPOINT_UNKNOWN, SERVING_ENDPOINT_NOT_READY
   */
  use<Result>(key: EndpointKey, work: (live: LiveEndpoint) => Promise<Result>): Promise<Result>;
  /** Brings one endpoint in line with its row in the store. @throws SERVING_MODEL_*; then what was live stays live */
  readonly refresh: (key: EndpointKey) => Promise<void>;
  /** Brings all in line; what fails is logged. */
  refreshAll(): Promise<void>;
  /** True when a row in the store differs from what is live. */
  behind(): Promise<boolean>;
  /** What could not be loaded at the last look, and why; undefined before the first. */
  readonly problems: () => readonly EndpointProblem[] | undefined;
}

/** An endpoint that cannot answer here. */
export interface EndpointProblem {
  readonly environment: string;
  readonly endpoint: string;
  readonly reason: string;
}

interface Held {
  readonly live: LiveEndpoint;
  users: number;
  retired: boolean;
}

const LARGEST_COUNT = 1000;

export function createLiveEndpoints(options: {
  readonly store: MetadataStore;
  readonly models: LoadedModels;
  readonly log: Log;
  /** False: none is loaded, other processes have them. Default true. */
  readonly isServing?: boolean;
}): LiveEndpoints {
  const { store, models, log, isServing = true } = options;
  const current = new Map<string, Held>();
  const refreshing = new Map<string, Promise<void>>();
  let failed: readonly EndpointProblem[] | undefined;

  function release(held: Held): void {
    held.users--;
    if (held.users > 0 || !held.retired) return;
    const { stable, candidate } = held.live;
    for (const model of [stable, candidate]) {
      if (model === undefined) continue;
      void models
        .release(model)
        .catch((error: unknown) =>
          log.warn("a model could not be unloaded", { model: model.title, error: messageOf(error) }),
        );
    }
  }

  function retire(held: Held | undefined): void {
    if (held === undefined) return;
    held.retired = true;
    release(held);
  }

  async function replace(key: EndpointKey): Promise<void> {
    const name = nameOf(key);
    const endpoint = await store.read((transaction) => getEndpoint(transaction, key));
    const before = current.get(name);
    if (endpoint === undefined || endpoint.state === "stopped") {
      current.delete(name);
      return retire(before);
    }
    if (before !== undefined && before.live.endpoint.generation >= endpoint.generation) return;
    const live = await loadEndpoint(endpoint, options);
    // The entry itself is one user; retiring gives it back.
    current.set(name, { live, users: 1, retired: false });
    failed = failed?.filter((problem) => problem.environment !== key.environment || problem.endpoint !== key.endpoint);
    retire(before);
  }

  function refresh(key: EndpointKey): Promise<void> {
    if (!isServing) return Promise.resolve();
    const name = nameOf(key);
    const after = (refreshing.get(name) ?? Promise.resolve()).catch(() => {}).then(() => replace(key));
    refreshing.set(name, after);
    return after.finally(() => {
      if (refreshing.get(name) === after) refreshing.delete(name);
    });
  }

  async function tryRefresh({ environment, name, project }: Endpoint): Promise<EndpointProblem | undefined> {
    try {
      await refresh({ project, environment, endpoint: name });
      return undefined;
    } catch (error) {
      const reason = messageOf(error);
      log.error("an endpoint could not be loaded", { environment, endpoint: name, error: reason });
      return { environment, endpoint: name, reason };
    }
  }

  async function find(key: EndpointKey): Promise<Held> {
    const known = current.get(nameOf(key));
    if (known !== undefined) return known;
    if (!isServing) throw endpointElsewhere({ environment: key.environment, endpoint: key.endpoint });
    await refresh(key).catch((error: unknown) => {
      throw endpointNotReady({ environment: key.environment, endpoint: key.endpoint, reason: messageOf(error) }, error);
    });
    return current.get(nameOf(key)) ?? refuseUnknown(store, key);
  }

  return {
    async use(key, work) {
      // Taking hold must follow the look-up without a pause, or a switch could unload the model in between.
      const held = current.get(nameOf(key)) ?? (await find(key));
      if (held.retired) return this.use(key, work);
      held.users++;
      try {
        return await work(held.live);
      } finally {
        release(held);
      }
    },
    refresh,
    async refreshAll() {
      if (!isServing) return void (failed = []);
      const endpoints = await store.read((transaction) => listEndpoints(transaction, { limit: LARGEST_COUNT }));
      // At once: a model that takes long to load keeps no other endpoint waiting.
      failed = (await Promise.all(endpoints.map(tryRefresh))).filter((problem) => problem !== undefined);
    },
    behind: () => isBehind(store, (name) => current.get(name)?.live.endpoint),
    problems: () => failed,
  };
}

async function isBehind(store: MetadataStore, live: (name: string) => Endpoint | undefined): Promise<boolean> {
  const rows = await store.read((transaction) => listEndpoints(transaction, { limit: LARGEST_COUNT }));
  return rows.some(
    (endpoint) =>
      live(nameOf(keyOf(endpoint)))?.generation !== (endpoint.state === "stopped" ? undefined : endpoint.generation),
  );
}

async function refuseUnknown(store: MetadataStore, key: EndpointKey): Promise<never> {
  const deployed = await store.read((transaction) => listEndpoints(transaction, { project: key.project, limit: 20 }));
  throw endpointUnknown({
    ...key,
    known: deployed.filter((one) => one.state === "ready").map((one) => `${one.environment}/${one.name}`),
  });
}

function nameOf(key: EndpointKey): string {
  return `${key.project}\u0000${key.environment}\u0000${key.endpoint}`;
}

function keyOf(endpoint: Endpoint): EndpointKey {
  return { project: endpoint.project, environment: endpoint.environment, endpoint: endpoint.name };
}

interface LoadOptions {
  readonly store: MetadataStore;
  readonly models: LoadedModels;
  readonly log: Log;
}

async function loadEndpoint(endpoint: Endpoint, options: LoadOptions): Promise<LiveEndpoint> {
  const { workers } = endpoint.options;
  const stable = await acquire({ versionId: endpoint.modelVersionId, workers }, options);
  if (endpoint.candidateVersionId === undefined) return { endpoint, stable, candidate: undefined };
  try {
    return { endpoint, stable, candidate: await acquire({ versionId: endpoint.candidateVersionId, workers }, options) };
  } catch (error) {
    options.log.error("a candidate could not be loaded; the stable version answers alone", {
      endpoint: endpoint.name,
      error: messageOf(error),
    });
    return { endpoint, stable, candidate: undefined };
  }
}

async function acquire(
  { versionId, workers }: { readonly versionId: string; readonly workers: number | undefined },
  { store, models }: LoadOptions,
): Promise<LoadedModel> {
  const version = await store.read((transaction) => getAssetVersion(transaction, { id: versionId }));
  if (version === undefined) throw modelMissing({ versionId });
  return models.acquire(version, { workers });
}
